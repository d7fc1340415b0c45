//! Cluster-Learngene (NeurIPS 2024): condense an ancestor without training, then inherit and fine-tune.
//!
//! Heads that look equally far are one cluster ([`density`]), adjacent layers whose clusters agree share a feed-forward
//! network ([`ffn`]); what remains is the learngene ([`account`] counts it), and [`expand`] plans how a descendant of
//! any number of heads and layers starts from it. All of that is arithmetic on a table of distances: no device, so the
//! page can follow a slider. [`measure()`] makes the table and [`inherit`] the module, on the ancestor's device.

pub mod account;
pub mod density;
pub mod distance;
pub mod expand;
pub mod ffn;
pub mod inherit;

mod clusters;
mod measure;
mod measured;

pub use account::{learngene_parameters, whole_layers_parameters};
pub use clusters::{ClusterError, ClusterOrder, ClusterSettings, Clusters, Grouping, HeadCluster};
pub use distance::scaled_eps;
pub use expand::{
    DepthChoice, ExpandError, ExpansionPlan, ExpansionSettings, FfnGroup, HeadSource, LayerPlan, descendant_config,
};
pub use ffn::FfnMatching;
pub use inherit::Inherited;
pub use measure::{Measurement, Received, attention_of, measure};
pub use measured::{Measured, MeasuredError, cluster_measured};
