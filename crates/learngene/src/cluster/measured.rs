//! Clusters of heads whose distances still lie on the device that measured them.

use burn::tensor::{Int, Tensor};

use super::density::Neighbours;
use super::{ClusterError, ClusterSettings, Clusters, Grouping};
use heirloom_nn::device::{ReadError, read};
use heirloom_nn::kernels::{Density, density};

/// Why heads on a device cannot be clustered.
#[derive(Debug, thiserror::Error, serde::Serialize)]
pub enum MeasuredError {
    /// The device gave nothing.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The distances or the settings do not serve.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

/// Distances read back, with their clusters.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Mean attention distance, px, `[layer][head]`.
    pub distance: Vec<Vec<f32>>,
    /// Their clusters; [`Clusters::from_distances`] gives the same on the host for other settings.
    pub clusters: Clusters,
}

/// Clusters heads on their device: all pairs of all layers are compared in one launch.
///
/// # Shapes
/// - distance: `[layers, heads]`, px
///
/// # Errors
/// When the device is lost, a distance is no number, or a setting is out of range.
pub async fn cluster_measured(distance: Tensor<2>, settings: &ClusterSettings) -> Result<Measured, MeasuredError> {
    let [_, heads] = distance.dims();
    let tables = match settings.grouping {
        Grouping::Density => Some(density(distance.clone(), settings.eps)),
        Grouping::KMeans { .. } | Grouping::Single => None,
    };
    let rows = read(distance).await?;
    let distance: Vec<Vec<f32>> = rows.chunks(heads.max(1)).map(<[f32]>::to_vec).collect();
    let clusters = match tables {
        Some(Density { near, .. }) => {
            let tables = neighbours(near).await?;
            Clusters::from_neighbours(&distance, &tables, settings)?
        }
        None => Clusters::from_distances(&distance, settings)?,
    };
    Ok(Measured { distance, clusters })
}

/// Neighbour tables `[layers, heads, heads]` of every layer.
async fn neighbours(near: Tensor<3, Int>) -> Result<Vec<Neighbours>, ReadError> {
    let [_, heads, _] = near.dims();
    let near = read(near.float()).await?;
    let table = |table: &[f32]| Neighbours::from_table(table.iter().map(|&near| near > 0.5).collect());
    Ok(near.chunks((heads * heads).max(1)).filter_map(table).collect())
}
