//! Drawings as SVG: each with a title, units, a legend and, beside it, a table that says the same.

mod attention;
mod curves;
mod frame;
mod heads;
mod heat;
mod picture;
mod points;
mod pool_grid;
mod pool_losses;
mod pool_scatter;
mod save;
mod sharing;
mod similarity;
mod stack;
mod starts;

pub use attention::{AttentionView, strongest, veil};
pub use curves::{CurvesChart, CurvesTable, Measure};
pub use heads::{HeadsChart, HeadsTable};
pub use heat::HeatMaps;
pub use points::{Along, PointsChart};
pub use pool_grid::PoolGrid;
pub use pool_losses::{PoolLossTable, PoolLosses};
pub use pool_scatter::{PoolScatter, PoolTable};
pub use save::SavePicture;
pub use sharing::{SharingChart, SharingTable};
pub use similarity::{SimilarityChart, SimilarityTable};
pub use stack::{StackChart, StackTable};
