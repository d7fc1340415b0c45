//! Cluster-Learngene (NeurIPS 2024): condense an ancestor without training, then inherit and fine-tune.
//!
//! Heads that look equally far are one cluster ([`density`]), adjacent layers whose clusters agree share a feed-forward
//! network ([`ffn`]); what remains is the learngene ([`learngene_parameters`] counts it), and [`ExpansionPlan`] plans how a descendant of
//! any number of heads and layers starts from it. All of that is arithmetic on a table of distances: no device, so the
//! page can follow a slider. [`measure()`] makes the table and [`inherit`] the module, on the ancestor's device.

pub mod inherit;

mod compensate;
mod measure;
mod measured;

pub use compensate::{FIT_PICTURES, FIT_RIDGE, Fit, Likeness};
pub use heirloom_plan::cluster::*;
pub use inherit::Inherited;
pub use measure::{Measurement, Received, attention_of, measure};
pub use measured::{Measured, MeasuredError, cluster_measured};
