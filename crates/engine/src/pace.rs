//! How fast a job moves, and how often the page hears of it.

use std::cell::Cell;

use heirloom_platform::clock::now_ms;

/// Shortest time between two reports, ms.
const EVERY: f64 = 250.0;

/// Measures a job's pace from its first step on.
#[derive(Default)]
pub struct Pace {
    started: Cell<f64>,
    first: Cell<usize>,
    reported: Cell<f64>,
}

impl Pace {
    /// A job begins with `done` steps already behind it.
    pub fn begin(&self, done: usize) {
        self.started.set(now_ms());
        self.first.set(done);
        self.reported.set(0.0);
    }

    /// Whether it is time to report again, for a job that predicts its end itself.
    pub fn is_due(&self) -> bool {
        let now = now_ms();
        let is_due = now - self.reported.get() >= EVERY;
        if is_due {
            self.reported.set(now);
        }
        is_due
    }

    /// Notes that `done` of `total` steps are done. `None` when it is too early to report again, else the time left in
    /// s (which is itself unknown before the first step is done).
    pub fn step(&self, done: usize, total: usize) -> Option<Option<f64>> {
        if !self.is_due() && done < total {
            return None;
        }
        let now = now_ms();
        self.reported.set(now);
        let steps = done.saturating_sub(self.first.get());
        let left = || (now - self.started.get()) / 1e3 / steps as f64 * total.saturating_sub(done) as f64;
        Some((steps > 0).then(left))
    }
}
