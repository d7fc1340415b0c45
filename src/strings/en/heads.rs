//! Words of the step `heads`.

use super::plural;
use crate::strings::{Heading, Heads};

pub(super) const HEADS: Heads = Heads {
    heading: Heading {
        title: "Heads",
        term: "mean attention distance and density clustering (Cluster-Learngene, section 3.1)",
        intro: "Each attention head looks some distance across the picture: some at close neighbours, some at everything. \
                Heads of one layer that look equally far do much the same, so one of each group is enough.",
    },
    need_ancestor: "First choose an ancestor (step 1).",
    need_pictures: "First add pictures (step 2).",
    need_both: "First choose an ancestor (step 1) and add pictures (step 2).",
    measure: "Measure the heads",
    measure_again: "Measure again",
    count: "Pictures to measure on",
    count_hint: "spread evenly over the classes; eight are usually enough",
    renormalise: "Divide by what falls on patches (renormalise; not in the paper)",
    took: |pictures, time| format!("Measured on {} in {time}.", plural(pictures, "picture", "pictures")),
    chart_title: "How far each head looks",
    chart_label: |layers, heads| {
        format!(
            "Scatter chart: mean attention distance in pixels of {heads} heads in each of {layers} layers, grouped \
                 into clusters. The table below holds the same numbers."
        )
    },
    x_axis: "Layer",
    y_axis: "Mean attention distance, px",
    uniform: "a head that looks everywhere equally",
    legend_cluster: "Colour and shape: cluster, by size within its layer",
    legend_size: "Larger mark: larger cluster",
    legend_centroid: "filled: kept (centroid)",
    legend_member: "outlined: represented by it",
    ranks: |rank| match rank {
        0 => "largest".to_owned(),
        1 => "2nd".to_owned(),
        2 => "3rd".to_owned(),
        _ => format!("{}th", rank + 1),
    },
    eps: "Heads belong together up to a gap of",
    eps_term: "eps",
    eps_value: |px| format!("{px} px"),
    kept: |kept, total| format!("{kept} of {total}"),
    kept_label: "heads kept",
    ffns: |kept, total| format!("{kept} of {total}"),
    ffn_label: "feed-forward networks kept",
    saved: |stored, all, share| format!("{stored} of {all} ({share} saved)"),
    saved_label: "parameters in the learngene",
    ffn_groups: |groups| format!("Layers that share one feed-forward network: {groups}."),
    no_ffn_groups: "No layers share a feed-forward network.",
    min_heads: "Heads that make a cluster core (min_heads)",
    min_heads_hint: "1 as in the paper; heads that are then left over stand alone",
    eps_ffn: "Gap for sharing feed-forward networks (eps_ffn), px",
    eps_ffn_hint: "adjacent layers whose centroids differ less than this share one",
    strict: "Match all centroids in priority order (strict)",
    strict_hint: "otherwise single heads are left out and centroids are matched by distance",
    layer: "Layer",
    head: "Head",
    distance: "Distance, px",
    deviation: "Spread over pictures, px",
    entropy: "Entropy, nats",
    cluster: "Cluster",
    centroid: "Kept (centroid)",
    yes: "yes",
    no: "no",
    look: "What a head looks at",
    look_intro: "Bright and warm places get much attention (drawn as A^0.25, as in the paper). Choose a head here or click a mark \
                 in the chart; click the first picture to look from another of its patches.",
    picture: "Picture",
    patch: "From patch",
    from_patch: |distance| format!("from the framed patch: {distance} px far"),
    received: "from all patches on average",
    from_cls: "from the class token (CLS)",
    dot: |layer, head, distance, members, centroid| {
        let kept = if centroid { ", kept" } else { "" };
        let cluster = if members == 1 { "alone".to_owned() } else { format!("cluster of {members}") };
        format!("Layer {layer}, head {head}: {distance} px, {cluster}{kept}")
    },
    map_label: |layer, head, kind| format!("Attention of head {head} in layer {layer}, {kind}"),
};
