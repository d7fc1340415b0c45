//! From numbers to places and shapes: what the page's charts and the evidence's pictures share. Plain arithmetic and text,
//! without a browser, so that both draw a scale and a mark the same way.

mod chart;
pub mod marks;
mod scale;

pub use chart::{Axis, Chart, Point, Series};
pub use scale::{Scale, bounds};

/// The corners `x y` of a line through some places, as a path has them behind its `M`.
pub fn polyline(places: impl IntoIterator<Item = (f64, f64)>) -> String {
    let corners: Vec<String> = places.into_iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
    corners.join("L")
}

#[cfg(test)]
mod tests {
    use super::polyline;

    #[test]
    fn line_joins_its_corners_with_one_digit_each() {
        assert_eq!(polyline([(1.0, 2.0), (3.06, 4.04)]), "1.0 2.0L3.1 4.0");
        assert_eq!(polyline([]), "");
    }
}
