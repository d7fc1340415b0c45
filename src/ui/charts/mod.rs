//! Drawings as SVG: each with a title, units, a legend and, beside it, a table that says the same.

mod attention;
mod axis;
mod curves;
mod heads;
mod marks;
mod pool_grid;
mod pool_losses;
mod pool_scatter;
mod sharing;
mod similarity;
mod stack;

pub use attention::AttentionView;
pub use curves::{CurvesChart, CurvesTable, Measure};
pub use heads::{HeadsChart, HeadsTable};
pub use pool_grid::PoolGrid;
pub use pool_losses::{PoolLossTable, PoolLosses};
pub use pool_scatter::{PoolScatter, PoolTable};
pub use sharing::{SharingChart, SharingTable};
pub use similarity::{SimilarityChart, SimilarityTable};
pub use stack::{StackChart, StackTable};
