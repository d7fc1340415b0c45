//! From numbers to places, and the round numbers between.

/// A linear scale from a range of numbers to a range of px.
#[derive(Clone, Copy)]
pub struct Scale {
    from: (f64, f64),
    to: (f64, f64),
}

impl Scale {
    /// `from` in numbers becomes `to` in px; either may fall.
    pub fn new(from: (f64, f64), to: (f64, f64)) -> Self {
        Self { from, to }
    }

    /// Where a number lies, px; the start of the range where that has no extent.
    pub fn at(self, value: f64) -> f64 {
        let span = self.from.1 - self.from.0;
        let share = if span.abs() < f64::EPSILON { 0.0 } else { (value - self.from.0) / span };
        self.to.0 + share * (self.to.1 - self.to.0)
    }

    /// About `wanted` round numbers of the range, ends included where they are round.
    pub fn ticks(self, wanted: usize) -> Vec<f64> {
        let span = self.from.1 - self.from.0;
        if !span.is_finite() || span <= 0.0 {
            return vec![self.from.0];
        }
        let raw = span / wanted.max(1) as f64;
        let power = 10_f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|s| *s >= raw * 0.999).unwrap_or(raw);
        let first = (self.from.0 / step).ceil() as i64;
        let last = (self.from.1 / step + 1e-9).floor() as i64;
        (first..=last).map(|n| n as f64 * step).collect()
    }
}

/// Lowest and highest of the finite numbers, never the same.
pub fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let start = (f64::INFINITY, f64::NEG_INFINITY);
    let (low, high) =
        values.filter(|value| value.is_finite()).fold(start, |(low, high), value| (low.min(value), high.max(value)));
    match (low.is_finite(), high > low) {
        (true, true) => (low, high),
        (true, false) => (low - 0.5, high + 0.5),
        _ => (0.0, 1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::{Scale, bounds};

    #[test]
    fn ends_of_the_range_lie_at_the_ends_of_the_plot_and_an_empty_range_at_its_start() {
        let scale = Scale::new((0.0, 10.0), (300.0, 100.0));
        assert_eq!([0.0, 5.0, 10.0].map(|value| scale.at(value)), [300.0, 200.0, 100.0]);
        assert_eq!(Scale::new((2.0, 2.0), (30.0, 70.0)).at(2.0), 30.0);
    }

    #[test]
    fn ticks_are_round_and_inside_the_range() {
        assert_eq!(Scale::new((0.0, 100.0), (0.0, 1.0)).ticks(5), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(Scale::new((3.0, 17.0), (0.0, 1.0)).ticks(3), [5.0, 10.0, 15.0]);
        assert_eq!(Scale::new((4.0, 4.0), (0.0, 1.0)).ticks(3), [4.0]);
    }

    #[test]
    fn bounds_leave_out_what_is_not_finite_and_are_never_the_same() {
        assert_eq!(bounds([2.0, f64::NAN, 5.0, f64::INFINITY].into_iter()), (2.0, 5.0));
        assert_eq!((bounds([3.0].into_iter()), bounds(std::iter::empty())), ((2.5, 3.5), (0.0, 1.0)));
    }
}
