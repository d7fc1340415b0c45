//! Words of the step `descendant`.

use super::plural;
use crate::strings::{Descendant, Heading};
use heirloom_plan::protocol::CopyScale;

pub(super) const DESCENDANT: Descendant = Descendant {
    heading: Heading {
        title: "Descendant",
        term: "expansion with priority weight-sharing (Cluster-Learngene, section 3.2)",
        intro: "Say how big the small model shall be. Its heads start as copies of the kept heads, those of large \
                clusters first and oftenest; afterwards every head learns on its own.",
    },
    need: "First measure the heads (step 3).",
    method: "Method",
    method_cluster: "Clusters of heads (Cluster-Learngene)",
    method_layers: "Whole layers (Learngene)",
    method_pool: "Pool of small models (Learngene Pool)",
    method_stitch: "Stitched models (SN-Net)",
    method_tleg: "Two layers for any depth (TLEG)",
    method_sws: "One layer a stage (SWS)",
    heads: "Heads per layer",
    heads_hint: "may be more or fewer than the ancestor has",
    layers: "Layers",
    layers_hint: |most| format!("at most {most}, as many as the ancestor has"),
    size: "Training picture size, px",
    size_hint: |patch| format!("a multiple of {patch}, the patch size; smaller is faster"),
    even: "Take evenly spaced layers of the ancestor",
    even_hint: "otherwise the first ones, as in the paper",
    scale: "How much each copy of a head writes",
    scale_hint: "where heads are not fitted to the pictures",
    scale_name: |scale| match scale {
        CopyScale::Share => "its share: 1 ÷ copies",
        CopyScale::Members => "members ÷ copies, as if all heads of a cluster were the kept one",
        CopyScale::Literal => "everything, as the paper has it",
    },
    survival: "See how much of the ancestor survives",
    survival_hint: "Before any training: for a larger and a smaller eps, how alike the descendant's tokens point to the \
                    ancestor's. 100 % is the ancestor itself, 0 % has nothing to do with it.",
    survival_of: |pictures, time| format!("Compared on {} in {time}.", plural(pictures, "picture", "pictures")),
    survival_columns: ["eps, px", "Heads kept", "FFNs kept", "Parameters taken", "Survives", "Survives, compensated"],
    survival_current: |eps| format!("{eps} (chosen)"),
    compensate: "Fit the kept heads to the pictures",
    compensate_hint: "so that they make up for those left out; takes seconds, before training",
    maps: "Learnable maps for shared feed-forward networks",
    maps_hint: "start at zero, train along, and are folded into plain weights at the end",
    parameters: "Parameters",
    flops: "Work per picture (FLOPs)",
    flops_value: |flops| format!("{flops} operations"),
    bytes: "Size of the file",
    training_bytes: "Memory while training",
    epoch: "One pass over your pictures (epoch) on this machine",
    epoch_unknown: "known after the first training steps",
    of_ancestor: |share| format!("{share} of the ancestor"),
    chart_title: "Which kept head feeds which new head",
    chart_label: |layers, heads| {
        format!(
            "Drawing: for each of {layers} layers, the kept heads of the ancestor above and the {heads} new heads \
                 below, joined by lines. The table below says the same."
        )
    },
    legend: "Circles: kept heads with their number in the ancestor. Squares: new heads. Darker: larger cluster.",
    row: |layer, source| format!("Layer {layer}, from ancestor layer {source}"),
    source: |head, from, members| format!("New head {head} starts from head {from} (cluster of {members})"),
    table_head: "New head",
    table_source: "Starts from head",
    table_members: "Heads in its cluster",
    table_ancestor_layer: "Ancestor layer",
};
