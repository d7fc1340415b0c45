//! Training: one optimiser step, one run, a race of arms.
//!
//! The constraint that shaped it: the engine is one thread that must answer the page between any two optimiser steps,
//! so everything here advances in small asynchronous pieces and owns its whole state, which can be saved and restored.

mod batches;
mod classifier;
mod crew;
mod drop_path;
mod error;
mod fine_tune;
mod linear_head;
mod loss;
mod metrics;
mod optimiser;
mod race;
mod race_state;
mod relative;
mod state;

pub use batches::{Batch, Batches, Initializers};
pub use classifier::Classifier;
pub use crew::{Answer, Crew, Errand, Lent, Pass, Work, do_errand, with_weights};
pub use drop_path::drop_path_factors;
pub use error::TrainError;
pub use fine_tune::{Run, RunHeader, RunSettings, RunState, Stepped, evaluate_batch};
pub use heirloom_plan::protocol::CurvePoint;
pub use heirloom_plan::rank::spearman;
pub use heirloom_plan::schedule::Schedule;
pub use linear_head::{Features, LinearFit, LinearHead, PENALTIES, Rows, Standard};
pub use loss::{cross_entropy, host_cross_entropy, smoothed_targets};
pub use metrics::ClassificationMetrics;
pub use optimiser::{AdamWSettings, Decay, LrScale, Optimiser, OptimiserState, Updated};
pub use race::{Advance, Race, RacePlan, RunProgress};
pub use race_state::{RaceHeader, RaceParts, RaceState, SavedTensors};
pub use relative::LEAST_RMS;
pub use state::{DeviceTensor, HostTensors, load_model, parts_of_model, read_model, read_parts};
