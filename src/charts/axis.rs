//! From numbers to places, and the round numbers between. `xtask` draws with it too, so it names nothing of the page.

/// A linear scale from a range of numbers to a range of px.
#[derive(Clone, Copy)]
pub struct Scale {
    from: (f64, f64),
    to: (f64, f64),
}

impl Scale {
    pub fn new(from: (f64, f64), to: (f64, f64)) -> Self {
        Self { from, to }
    }

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
