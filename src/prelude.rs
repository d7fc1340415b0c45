//! What nearly every view and action uses.

pub use leptos::prelude::*;

pub use crate::engine::send::{hand_over, send, send_files, stop};
pub use crate::format::{bytes, digits, duration, percent, percent_with, plain, short};
pub use crate::jobs::{begin_job, end_job, has_job, is_busy};
pub use crate::say::{complain, inform};
pub use crate::store::Store;
pub use crate::strings::text;
