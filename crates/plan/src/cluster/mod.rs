//! Cluster-Learngene as arithmetic on a table of distances (docs/methods.md, section 1): clusters, shared feed-forward
//! networks, what the learngene stores, and how a descendant of any number of heads and layers starts from it.

pub mod account;
pub mod density;
pub mod distance;
pub mod expand;
pub mod ffn;

mod clusters;

pub use account::{cluster_report, learngene_parameters, taken_parameters, whole_layers_parameters};
pub use clusters::{ClusterError, ClusterOrder, ClusterSettings, Clusters, Grouping, HeadCluster};
pub use distance::scaled_eps;
pub use expand::{
    CopyScale, DepthChoice, ExpandError, ExpansionPlan, ExpansionSettings, FfnGroup, HeadSource, LayerPlan,
    descendant_config,
};
pub use ffn::FfnMatching;
