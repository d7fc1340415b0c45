//! How fast a job moves, and how often the page hears of it.

use heirloom_platform::clock::now_ms;

/// Shortest time between two reports, ms.
const EVERY: f64 = 250.0;

/// Measures a job's pace from its first step on.
#[derive(Default)]
pub struct Pace {
    started: f64,
    first: usize,
    reported: f64,
}

impl Pace {
    /// A job begins with `done` steps already behind it.
    pub fn begin(&mut self, done: usize) {
        *self = Self { started: now_ms(), first: done, reported: 0.0 };
    }

    /// Whether it is time to report again, for a job that predicts its end itself.
    pub fn is_due(&mut self) -> bool {
        let now = now_ms();
        let is_due = now - self.reported >= EVERY;
        if is_due {
            self.reported = now;
        }
        is_due
    }

    /// Notes that `done` of `total` steps are done. `None` when it is too early to report again, else the time left in
    /// s (which is itself unknown before the first step is done).
    pub fn step(&mut self, done: usize, total: usize) -> Option<Option<f64>> {
        let now = now_ms();
        if now - self.reported < EVERY && done < total {
            return None;
        }
        self.reported = now;
        let steps = done.saturating_sub(self.first);
        Some((steps > 0).then(|| (now - self.started) / 1e3 / steps as f64 * total.saturating_sub(done) as f64))
    }
}
