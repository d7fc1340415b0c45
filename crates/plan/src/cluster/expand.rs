//! How a descendant starts from the learngene: the plan of docs/methods.md, section 1.5, without touching a weight.

use serde::{Deserialize, Serialize};

use super::Clusters;
use crate::config::VitConfig;

/// Which ancestor layers a shallower descendant takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DepthChoice {
    /// The first ones.
    #[default]
    First,
    /// Evenly spaced ones: layer `i` takes `⌊i · L_a / L_d⌋`.
    Even,
}

/// Factor on the output projection's columns of each copy of a head, for a cluster of `n` members that `m` heads of the
/// descendant start from (docs/methods.md, section 1.5.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WrittenScale", into = "&'static str")]
pub enum CopyScale {
    /// `1 / m`: the copies together write what the kept head wrote, and the other members are left out.
    #[default]
    Share,
    /// `n / m`: the copies together write as much as if all members were the kept head.
    Members,
    /// 1, the paper's letter: `m` copies write `m` times.
    Literal,
}

impl CopyScale {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Share, Self::Members, Self::Literal];

    /// Its short name, as addresses and files have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Share => "share",
            Self::Members => "members",
            Self::Literal => "literal",
        }
    }

    /// The scale of a short name; `0` and `1` are those of earlier addresses.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "1" => Some(Self::Members),
            "0" => Some(Self::Literal),
            _ => Self::ALL.into_iter().find(|scale| scale.name() == name),
        }
    }

    fn factor(self, members: usize, copies: usize) -> f32 {
        match self {
            Self::Share => 1.0 / copies as f32,
            Self::Members => members as f32 / copies as f32,
            Self::Literal => 1.0,
        }
    }
}

impl From<CopyScale> for &'static str {
    fn from(scale: CopyScale) -> Self {
        scale.name()
    }
}

/// A scale as files have it: earlier ones said whether there was one.
#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenScale {
    IsByMembers(bool),
    Name(String),
}

impl TryFrom<WrittenScale> for CopyScale {
    type Error = String;

    fn try_from(written: WrittenScale) -> Result<Self, String> {
        match written {
            WrittenScale::IsByMembers(true) => Ok(Self::Members),
            WrittenScale::IsByMembers(false) => Ok(Self::Literal),
            WrittenScale::Name(name) => Self::from_name(&name).ok_or_else(|| format!("`{name}` is no scale of copies")),
        }
    }
}

/// What the descendant is to look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpansionSettings {
    /// Heads per layer, `H_d`.
    pub heads: usize,
    /// Layers, `L_d`.
    pub layers: usize,
    /// Which layers it starts from.
    pub depth: DepthChoice,
    /// How much each copy of a head writes.
    pub copy_scale: CopyScale,
    /// Let layers of one group start from the shared feed-forward network through a learnable map.
    pub ffn_maps: bool,
}

/// Why a descendant cannot be planned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize)]
pub enum ExpandError {
    /// No heads, layers or classes.
    #[error("the descendant has 0 `{name}`, expected at least 1")]
    Zero {
        /// `heads`, `layers` or `classes`.
        name: &'static str,
    },
    /// Deeper than the ancestor.
    #[error("the descendant has `{layers}` layers, the ancestor `{available}`: choose at most `{available}`")]
    TooDeep {
        /// Layers asked for.
        layers: usize,
        /// Layers of the ancestor.
        available: usize,
    },
    /// Heads of another size than the ancestor's, whose channels turn with their places each at a speed of its own.
    #[error("heads of `{channels}` channels cannot come from rotary ones of `{available}`: keep the size of the heads")]
    TurnedHeads {
        /// Channels of a head asked for.
        channels: usize,
        /// Channels of a head of the ancestor.
        available: usize,
    },
    /// A width that the heads of the attention pooling cannot share.
    #[error("`{heads}` heads pool the tokens, which cannot share a width of `{width}`: choose a multiple")]
    PooledHeads {
        /// Heads of the pooling.
        heads: usize,
        /// Width asked for.
        width: usize,
    },
    /// A picture that is no whole number of patches.
    #[error("pictures of `{image_size}` px cannot be cut into patches of `{patch_size}` px: choose a multiple")]
    ImageSize {
        /// Side asked for, px.
        image_size: usize,
        /// Side of a patch, px.
        patch_size: usize,
    },
    /// Clusters of another model.
    #[error("the clusters are of `{found}` layers and heads, the ancestor has `{expected}`: cluster its heads again")]
    OtherAncestor {
        /// Layers × heads of the clusters.
        found: String,
        /// Layers × heads of the ancestor.
        expected: String,
    },
}

/// Where a descendant's head comes from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadSource {
    /// Cluster, in the order in which clusters are shared out.
    pub cluster: usize,
    /// Head of the ancestor layer.
    pub head: usize,
    /// Members of that cluster, `n`.
    pub members: usize,
    /// Factor on the output projection's columns of this head.
    pub scale: f32,
}

/// One layer of the descendant.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerPlan {
    /// Ancestor layer of its heads, norms and layer scales.
    pub source_layer: usize,
    /// Source of each head.
    pub heads: Vec<HeadSource>,
    /// Ancestor layer of its feed-forward network.
    pub ffn_layer: usize,
}

/// Layers of the descendant that share one feed-forward network through a learnable map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FfnGroup {
    /// Ancestor layer whose network is shared.
    pub ffn_layer: usize,
    /// Layers of the descendant; the position in this list is the `t` of `W + Δ_t(W)`, its length the `k` of the map.
    pub layers: Vec<usize>,
}

/// How every weight of a descendant starts.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpansionPlan {
    /// The settings that gave it.
    pub settings: ExpansionSettings,
    /// Layers, from the input on.
    pub layers: Vec<LayerPlan>,
    /// Groups with a map, of at least two layers; empty when maps are off.
    pub ffn_groups: Vec<FfnGroup>,
}

impl ExpansionPlan {
    /// Plans a descendant.
    ///
    /// Head `i` starts as cluster `i mod c`: with fewer heads than clusters the first ones survive, which are the
    /// largest under [`super::ClusterOrder::Priority`]. A layer whose feed-forward network was merged away starts from
    /// the one its group kept, with or without maps.
    ///
    /// # Errors
    /// When there are no heads or layers, or more layers than the ancestor has.
    pub fn from_clusters(clusters: &Clusters, settings: &ExpansionSettings) -> Result<Self, ExpandError> {
        let available = clusters.layers.len();
        let (heads, count) = (settings.heads, settings.layers);
        for (name, value) in [("heads", heads), ("layers", count)] {
            if value == 0 {
                return Err(ExpandError::Zero { name });
            }
        }
        if count > available {
            return Err(ExpandError::TooDeep { layers: count, available });
        }
        let source_layer = |layer: usize| match settings.depth {
            DepthChoice::First => layer,
            DepthChoice::Even => layer * available / count,
        };
        let layers: Vec<LayerPlan> = (0..count)
            .map(source_layer)
            .map(|source_layer| LayerPlan {
                source_layer,
                heads: share_heads(clusters, source_layer, settings),
                ffn_layer: clusters.ffn_layer(source_layer),
            })
            .collect();
        let ffn_groups = if settings.ffn_maps { group_layers(&layers) } else { Vec::new() };
        Ok(Self { settings: *settings, layers, ffn_groups })
    }

    /// The group and the position in it of a layer that takes its feed-forward network through a map.
    pub fn ffn_group_of(&self, layer: usize) -> Option<(&FfnGroup, usize)> {
        self.ffn_groups
            .iter()
            .find_map(|group| group.layers.iter().position(|&member| member == layer).map(|at| (group, at)))
    }
}

/// The sharing map: which of `clusters` clusters each of `heads` heads starts from.
pub fn sharing_map(clusters: usize, heads: usize) -> Vec<usize> {
    (0..heads).map(|head| head % clusters).collect()
}

fn share_heads(clusters: &Clusters, layer: usize, settings: &ExpansionSettings) -> Vec<HeadSource> {
    let clusters = &clusters.layers[layer];
    let map = sharing_map(clusters.len(), settings.heads);
    let copies = |cluster: usize| map.iter().filter(|&&other| other == cluster).count();
    map.iter()
        .map(|&cluster| {
            let members = clusters[cluster].members.len();
            let scale = settings.copy_scale.factor(members, copies(cluster));
            HeadSource { cluster, head: clusters[cluster].centroid, members, scale }
        })
        .collect()
}

/// Layers that take the same feed-forward network. They are adjacent in the descendant too: depth choices keep order.
fn group_layers(layers: &[LayerPlan]) -> Vec<FfnGroup> {
    let mut groups: Vec<FfnGroup> = Vec::new();
    for (layer, plan) in layers.iter().enumerate() {
        match groups.last_mut().filter(|group| group.ffn_layer == plan.ffn_layer) {
            Some(group) => group.layers.push(layer),
            None => groups.push(FfnGroup { ffn_layer: plan.ffn_layer, layers: vec![layer] }),
        }
    }
    groups.retain(|group| group.layers.len() > 1);
    groups
}

/// The configuration of a planned descendant: the ancestor's width, head size and options, with its own heads, layers,
/// classes and picture size.
///
/// # Errors
/// When the plan's clusters are not of this ancestor, there are no classes, or the picture is no whole number of patches.
pub fn descendant_config(
    ancestor: &VitConfig,
    plan: &ExpansionPlan,
    classes: usize,
    image_size: usize,
) -> Result<VitConfig, ExpandError> {
    let patch_size = ancestor.patch_size;
    if classes == 0 {
        return Err(ExpandError::Zero { name: "classes" });
    }
    if image_size == 0 || !image_size.is_multiple_of(patch_size) {
        return Err(ExpandError::ImageSize { image_size, patch_size });
    }
    let layer = plan.layers.iter().map(|layer| layer.source_layer + 1).max().unwrap_or(0);
    let head = plan.layers.iter().flat_map(|layer| &layer.heads).map(|source| source.head + 1).max().unwrap_or(0);
    if layer > ancestor.depth || head > ancestor.num_heads {
        let found = format!("at least {layer} × {head}");
        let expected = format!("{} × {}", ancestor.depth, ancestor.num_heads);
        return Err(ExpandError::OtherAncestor { found, expected });
    }
    Ok(VitConfig {
        image_size,
        depth: plan.settings.layers,
        num_heads: plan.settings.heads,
        classes: Some(classes),
        ..ancestor.clone()
    })
}
