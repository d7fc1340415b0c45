//! The learning rate of every step: linear warm-up, then a cosine down to a floor.

use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// Linear warm-up and cosine decay, a pure function of the step (Cluster-Learngene, section 4: 5 of 50 epochs warm-up).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Highest learning rate, reached by the last step of the warm-up.
    pub peak: f64,
    /// Learning rate the cosine ends at.
    pub floor: f64,
    /// Steps of warm-up; 0 starts at the peak.
    pub warmup_steps: usize,
    /// Steps in all.
    pub steps: usize,
}

impl Schedule {
    /// One learning rate for all steps.
    pub fn constant(lr: f64) -> Self {
        Self { peak: lr, floor: lr, warmup_steps: 0, steps: 0 }
    }

    /// Learning rate of optimiser step `step`, counted from 0.
    ///
    /// The first step already moves (`peak / warmup_steps`, not 0), and steps beyond the last keep the floor.
    pub fn lr(&self, step: usize) -> f64 {
        if step < self.warmup_steps {
            return self.peak * (step + 1) as f64 / self.warmup_steps as f64;
        }
        if step >= self.steps {
            return self.floor;
        }
        let progress = (step - self.warmup_steps) as f64 / (self.steps - self.warmup_steps) as f64;
        self.floor + (self.peak - self.floor) * 0.5 * (1.0 + (PI * progress).cos())
    }
}
