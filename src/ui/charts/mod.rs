//! Drawings as SVG: each with a title, units, a legend and, beside it, a table that says the same.

mod attention;
mod axis;
mod curves;
mod heads;
mod marks;
mod picture;
mod save;
mod sharing;

pub use attention::AttentionView;
pub use curves::{CurvesChart, CurvesTable, Measure};
pub use heads::{HeadsChart, HeadsTable};
pub use save::SavePicture;
pub use sharing::{SharingChart, SharingTable};
