//! Step 4: what the small model shall look like. The page plans it by itself.

pub mod follow;
pub mod method;
pub mod plans;
mod sharing;
mod stack;
pub mod stack_view;
mod survival;
pub mod view;
