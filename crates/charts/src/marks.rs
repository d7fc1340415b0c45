//! Marks that differ in shape as well as in colour, so that nobody has to tell colours apart.

use crate::polyline;

/// Shapes before they repeat.
pub const SHAPES: usize = 6;
/// Colours before they repeat; `--c0` … in the style sheet.
const COLOURS: usize = 8;

/// Path of the mark of a cluster, of about radius `r` around `x`, `y`.
pub fn path(rank: usize, x: f64, y: f64, r: f64) -> String {
    let polygon =
        |points: &[(f64, f64)]| format!("M{}Z", polyline(points.iter().map(|(dx, dy)| (x + dx * r, y + dy * r))));
    match rank % SHAPES {
        0 => format!("M{:.1} {y:.1}a{r:.1} {r:.1} 0 1 0 {d:.1} 0a{r:.1} {r:.1} 0 1 0 -{d:.1} 0Z", x - r, d = 2.0 * r),
        1 => polygon(&[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]),
        2 => polygon(&[(0.0, -1.15), (1.05, 0.85), (-1.05, 0.85)]),
        3 => polygon(&[(0.0, -1.25), (1.15, 0.0), (0.0, 1.25), (-1.15, 0.0)]),
        4 => polygon(&[(0.0, 1.15), (1.05, -0.85), (-1.05, -0.85)]),
        _ => polygon(&[
            (-0.4, -1.1),
            (0.4, -1.1),
            (0.4, -0.4),
            (1.1, -0.4),
            (1.1, 0.4),
            (0.4, 0.4),
            (0.4, 1.1),
            (-0.4, 1.1),
            (-0.4, 0.4),
            (-1.1, 0.4),
            (-1.1, -0.4),
            (-0.4, -0.4),
        ]),
    }
}

/// Style-sheet class of the colour of a cluster.
pub fn colour(rank: usize) -> String {
    format!("c{}", rank % COLOURS)
}

/// Radius of a mark: its area grows with the size of the cluster.
pub fn radius(members: usize, base: f64) -> f64 {
    base * (1.0 + 0.3 * ((members.max(1) as f64).sqrt() - 1.0))
}

#[cfg(test)]
mod tests {
    use super::{SHAPES, path, radius};

    #[test]
    fn shapes_differ_before_they_repeat() {
        let paths: std::collections::BTreeSet<String> = (0..SHAPES).map(|rank| path(rank, 0.0, 0.0, 5.0)).collect();
        assert_eq!(paths.len(), SHAPES);
        assert_eq!(path(0, 1.0, 2.0, 3.0), path(SHAPES, 1.0, 2.0, 3.0));
    }

    #[test]
    fn mark_grows_with_its_members_and_an_empty_one_is_drawn_as_one() {
        assert!(radius(4, 5.0) > radius(1, 5.0));
        assert_eq!((radius(0, 5.0), radius(1, 5.0)), (5.0, 5.0));
    }
}
