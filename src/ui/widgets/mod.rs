//! What the steps share.

mod field;
mod notices;
mod picker;
mod progress;
mod step;

pub use field::{Check, NumberField};
pub use notices::Notices;
pub use picker::Picker;
pub use progress::JobBar;
pub use step::{More, Step};
