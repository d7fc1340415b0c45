//! Words of Learngene by layers.

use super::plural;
use crate::strings::{Heading, Layers};
use heirloom_plan::protocol::Likeness;

pub(super) const LAYERS: Layers = Layers {
    heading: Heading {
        title: "Layers",
        term: "condensing to whole layers with a pseudo descendant (Learngene, arXiv 2305.02279)",
        intro: "A small stand-in model learns your pictures for a moment. The big model's layers that see pictures most \
                like it are the ones worth inheriting.",
    },
    plan_heading: Heading {
        title: "Descendant",
        term: "inherited layers with random ones on top (Learngene, arXiv 2305.02279)",
        intro: "The small model begins with the layers you chose, as the big model has them. New layers, which know \
                nothing yet, lie on top and learn the rest.",
    },
    reading: "The paper's short text says that layers are condensed and random ones stacked on them; how they are compared \
              and scored here is this project's reading of it.",
    need_ancestor: "First choose an ancestor (step 1).",
    need_pictures: "First add pictures of at least two classes (step 2).",
    need_both: "First choose an ancestor (step 1) and add pictures (step 2).",
    need_choice: "First compare the layers and choose some (step 3).",
    condense: "Compare the layers",
    condense_again: "Compare again",
    took: |pictures, time, first, last| {
        format!(
            "Compared on {} in {time}; the stand-in's error went from {first} to {last} nats.",
            plural(pictures, "picture", "pictures")
        )
    },
    pseudo_layers: "Layers of the stand-in (pseudo descendant)",
    pseudo_layers_hint: "few; in a convolutional network, blocks in each stage",
    steps: "Steps it learns",
    steps_hint: "some dozens: it only has to see what matters in your pictures",
    lr: "Its learning rate",
    lr_hint: "higher than for inherited layers, because it starts from random numbers",
    share: "Share of your training pictures it learns from",
    share_hint: "a slice is enough, 0 to 1",
    probe: "Pictures to compare on",
    probe_hint: "checking pictures first; more make the numbers steadier",
    likeness: "How layers are judged",
    likeness_hint: "Learned weights: maps from each stand-in layer foretell each layer of the big model, and held-out pictures \
                    say which of them helps (first-order meta-learning). Block influence needs no stand-in.",
    likeness_name: |likeness| match likeness {
        Likeness::Cka => "by their features (linear CKA)",
        Likeness::Learned => "by learned weights (feature matching)",
        Likeness::Influence => "by what they change (block influence)",
    },
    looked: |pictures, time| format!("Looked at {} in {time}.", plural(pictures, "picture", "pictures")),
    classes: "Classes the stand-in learns (held-out classes)",
    classes_hint: "none ticked: all of them. Tick at least two to keep the others unseen.",
    max: "Score by the best match instead of the mean",
    max_hint: "otherwise the mean over the stand-in's layers",
    chart_title: "How alike the layers see your pictures (linear CKA)",
    chart_title_learned: "Which layers help which to learn (learned weights)",
    chart_title_influence: "How far each layer turns what goes through it (block influence)",
    chart_label: |ancestor, pseudo| {
        format!(
            "Heat map: likeness of {ancestor} layers of the ancestor (rows) and {pseudo} layers of the pseudo descendant \
             (columns), with the score of each row. The table below holds the same numbers."
        )
    },
    columns: "Stand-in's layers (pseudo descendant)",
    legend: "Darker: more alike. 1 = alike up to turning and scaling, 0 = unrelated.",
    legend_learned: "Darker: more weight. The weights of each column sum to 1.",
    legend_influence: "Darker: changes more. 0 = the layer changes no direction.",
    legend_chosen: "Outlined score: chosen.",
    cell: |ancestor, pseudo, value| format!("{ancestor} and {pseudo}: {value}"),
    layer: "Ancestor's layer",
    score: "Score",
    chosen: "Inherited",
    yes: "yes",
    no: "no",
    k: "Layers to inherit (k)",
    k_hint: "the best by score are ticked; change them as you like",
    choose: "Inherit these layers",
    choose_hint: "they keep their order",
    layer_number: |number| format!("Layer {number}"),
    toggle: |name, score| score.map_or_else(|| name.to_owned(), |score| format!("{name} ({score})")),
    layers: "Layers in all",
    layers_hint: |chosen| format!("{} and random ones on top", plural(chosen, "inherited layer", "inherited layers")),
    size: "Training picture size, px",
    size_hint: |patch| match patch {
        0 | 1 => "smaller is faster".to_owned(),
        patch => format!("a multiple of {patch}, the patch size; smaller is faster"),
    },
    freeze: "Hold the inherited layers still for … epochs",
    freeze_hint: "0: they learn from the first step on. The random layers learn meanwhile.",
    stack_title: "What the descendant is made of",
    stack_label: |inherited, random| {
        format!(
            "Drawing from bottom to top: the stem, {inherited} inherited layers, {random} random layers, the new \
             classifier. The table below says the same."
        )
    },
    stack_legend: "Filled: inherited. Dashed: starts from random numbers.",
    stem: "stem",
    head: "new classifier",
    from: |layer| format!("from {layer}"),
    random: "random",
    table_layer: "Layer",
    table_source: "Starts from",
    table_parameters: "Parameters",
    found: |layers| format!("Layers compared. Chosen: {layers}."),
};
