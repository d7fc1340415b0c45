//! Words of tied layers.

use crate::strings::{Heading, TiedWords};
use heirloom_plan::protocol::TiedStage;

pub(super) const TIED: TiedWords = TiedWords {
    line: Heading {
        title: "Two layers",
        term: "linear expansion: θ_B + l/L · θ_A (TLEG, AAAI 2024)",
        intro: "Two layers are stored. Every layer of a helper model (auxiliary model) is the first plus a share of the \
                second, more of it the higher the layer lies. The helper learns the ancestor's answers, and only the two \
                stored layers change.",
    },
    stages: Heading {
        title: "Stages",
        term: "stage-wise weight sharing (SWS, IJCAI 2024)",
        intro: "A few layers are stored, one a stage. In a helper model (auxiliary model) every layer of a stage is the \
                stored one. The helper learns the ancestor's answers, and only the stored layers change.",
    },
    plan: Heading {
        title: "Descendant",
        term: "any depth, read off the stored layers",
        intro: "Move the slider: layers of every depth follow from the stored ones. From then on each layer learns on its own.",
    },
    need_learned: "First learn the layers (step 3).",
    learn: "Learn the layers",
    learn_again: "Learn again",
    idle: "Nothing is learned yet.",
    at: |stage| match stage {
        TiedStage::Head => "The ancestor learns the names of your classes",
        TiedStage::Distil => "The stored layers learn from the ancestor",
        TiedStage::Evaluate | TiedStage::Done => "Judging the helper model",
    },
    finished: |right, ancestor| match ancestor {
        Some(ancestor) => format!(
            "Learned: the helper model names {right} of the checking pictures rightly, the ancestor {ancestor}."
        ),
        None => format!("Learned: the helper model names {right} of the checking pictures rightly."),
    },
    auxiliary_layers: "Layers of the helper (auxiliary model)",
    auxiliary_layers_hint: "as deep as the descendants you want, or deeper",
    stage_count: "Stored layers (stages)",
    stage_count_hint: "one layer for each stage; a descendant has at least as many layers",
    temperature: "Temperature",
    temperature_hint: "above 1 the ancestor's unlikely answers count for more",
    steps: "Steps the stored layers learn",
    steps_hint: "each with one batch of your pictures",
    loss: "Stored layers",
    stored: "Stored",
    auxiliary: "Helper model",
    ancestor: "Ancestor",
    depth: "Depth",
    depth_term: "layers of the descendant",
    not_counted: "The descendant begins with what the helper learned of your pictures, its classifier included; the steps of \
                  step 3 are not counted in the race.",
    table: "What each layer begins as",
    columns: ["Layer", "Begins as"],
    on_line: |layer, layers| format!("θ_B + {layer}/{layers} · θ_A"),
    of_stage: |stage| format!("stored layer {stage}"),
};
