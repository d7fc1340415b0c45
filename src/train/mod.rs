//! Training: one optimiser step, one run, a race of arms.
//!
//! The constraint that shaped it: the engine is one thread that must answer the page between any two optimiser steps,
//! so everything here advances in small asynchronous pieces and owns its whole state, which can be saved and restored.

mod ancestor;
mod apart;
mod batches;
mod distill;
mod drop_path;
mod error;
mod fine_tune;
mod loss;
mod matching;
mod metrics;
mod optimiser;
mod pool;
mod pool_anchors;
mod pool_plan;
mod pool_state;
mod race;
mod race_state;
mod rank;
mod schedule;
mod state;
mod stitching;
mod teacher;

pub use ancestor::{AncestorPlan, AncestorRun, ChannelStatistics, MapTeacher, Student};
pub use apart::{WANTED_GAP, closeness};
pub use batches::{Batch, Batches, Starts};
pub use distill::{Lesson, Probe, distillation_loss, soft_targets};
pub use drop_path::drop_path_factors;
pub use error::TrainError;
pub use fine_tune::{Classifier, Run, RunHeader, RunSettings, RunState, Stepped, judge};
pub use loss::{cross_entropy, host_cross_entropy, smoothed_targets};
pub use matching::Matching;
pub use metrics::{CurvePoint, Tally};
pub use optimiser::{AdamWSettings, Decay, Optimiser, OptimiserState, Updated};
pub use pool::Pooling;
pub use pool_plan::{AuxiliaryPlan, PoolAdvance, PoolPlan, PoolReport, Teaches};
pub use pool_state::{PoolHeader, PoolParts, PoolState};
pub use race::{Advance, Race, RacePlan, RunReport};
pub use race_state::{RaceHeader, RaceParts, RaceState, SavedTensors};
pub use rank::spearman;
pub use schedule::Schedule;
pub use state::{DeviceTensor, HostTensors, load_model, parts_of_model, read_model, read_parts};
pub use stitching::{draw_configuration, stitching_loss};
pub use teacher::{FeatureKey, Features, MemoryFeatures, NoFeatures, Teacher};
