//! What drawings share. Each is SVG with a title, units, a legend and, beside it, a table that says the same.

pub mod frame;
mod picture;
mod plot;
mod save;
pub mod veil;

pub use plot::plot;
pub use save::SavePicture;
