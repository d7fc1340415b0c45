//! Words of the steps that make a pool and cut from it.

use crate::strings::{Heading, PoolWords};
use heirloom_plan::protocol::{Basis, Method, StitchInit};

pub(super) const POOL: PoolWords = PoolWords {
    set_up: Heading {
        title: "Small models",
        term: "distilling auxiliary models from the frozen ancestor (Learngene Pool, section 3.2)",
        intro: "A few small models learn from the big ancestor: they listen to its answers and to what it thinks on \
                the way. All their blocks together are the pool, and later every size is put together from them.",
    },
    set_up_stitch: Heading {
        title: "Small models",
        term: "independent anchors (SN-Net, section 3; the baseline)",
        intro: "A few small models learn your pictures each on its own, with the ancestor's answers as a teacher. Later \
                they are sewn together. Make a pool too (another method), and step 5 compares the two.",
    },
    pool: Heading {
        title: "Cut out a model",
        term: "pool of learngene instances, stitching, budget (Learngene Pool, section 3.3)",
        intro: "Every block is an instance. A descendant takes the first blocks of one model, a small matching layer \
                (the stitch), and the last blocks of the next larger one. Say how big it may be and cut it out.",
    },
    pool_stitch: Heading {
        title: "Cut out a model",
        term: "stitching of neighbouring anchors, budget (SN-Net, section 3)",
        intro: "A stitched model takes the first blocks of one anchor, a small matching layer (the stitch), and the last \
                blocks of the next larger one. Say how big it may be and cut it out.",
    },
    compare: Heading {
        title: "Compare",
        term: "pool against SN-Net with independently trained anchors, same pictures, steps and teacher",
        intro: "Is it worth it that the small models come from one ancestor? Here the two ways stand side by side, as \
                measured on your pictures.",
    },
    need_pool: "First let the small models learn (step 3).",
    sizes: ["Smallest model", "Next larger model", "Third model (if you like)"],
    blocks: "Blocks",
    blocks_hint: "how deep it is (layers)",
    third_hint: "0 leaves it out",
    width: "Width",
    width_hint: "numbers per patch (channels)",
    too_few: "At least two models need blocks, so that there is something to stitch.",
    start: "Let them learn",
    start_again: "Learn again from the start",
    idle: "Not started yet.",
    preparing: "Getting ready …",
    paused: "Paused. Nothing is lost.",
    stopped: "Stopped. What there is so far is kept: what can be cut out is marked in step 4.",
    head: "The ancestor learns the names of your classes (linear head)",
    basis_stage: "The coordinates that all small models share are found on about 100 pictures (shared basis)",
    distil: |model, models| format!("Small model {model} of {models} learns from the ancestor (distillation)"),
    stitch: "Stitch layers get their start values; every configuration is judged with them",
    tune: "The stitched whole learns, one random configuration a step (fine-tuning)",
    evaluate: "Every configuration is judged on the validation pictures",
    time: "Every configuration is timed on this machine",
    steps: |done, total| format!("step {done} of {total}"),
    finished: |count, best, ancestor| {
        let ancestor = ancestor.map(|right| format!("; the ancestor reaches {right}")).unwrap_or_default();
        format!(
            "Finished: {count} models to choose from, the best is right for {best} of the validation pictures{ancestor}."
        )
    },
    head_steps: "Steps for the ancestor's head",
    head_steps_hint: "it learns to name your classes; quick, because its features stand still",
    distil_steps: "Steps for each small model",
    distil_steps_hint: "distillation from the ancestor",
    pool_steps: "Steps for the stitched whole",
    pool_steps_hint: "fine-tuning; every step trains one configuration",
    lr: "Learning rate of the small models",
    lr_hint: "they start from random numbers, so it may be high",
    pool_lr: "Learning rate of the stitched whole",
    pool_lr_hint: "of its blocks; a tenth of the small models', so that what was learned is kept",
    stitch_lr: "Learning rate of the stitch layers",
    stitch_lr_hint: "as high as the small models', for they have learned nothing yet",
    batch_hint: "the same as in training",
    basis: "Small models listen to the ancestor",
    basis_name: |basis| match basis {
        Basis::Pca => "in one basis for all: the main directions of its tokens (principal axes)",
        Basis::Random => "in one basis for all, drawn at random",
        Basis::Learned => "through maps that each model learns (as published)",
    },
    basis_hint: "in one basis every model means the same by its first numbers, so that their blocks fit each other",
    every_block: "Every block listens",
    every_block_hint: "in one basis; otherwise three blocks do",
    feature_weight: "Weight of the ancestor's tokens",
    feature_weight_hint: "how much its inside counts against its answers in distillation",
    stitch_start: "Stitch layers start",
    start_name: |start| match start {
        StitchInit::Maps => {
            "from the way both models listen (one basis: the missing numbers are 0; learned maps: transposed)"
        }
        StitchInit::PseudoInverse => "from the pseudo-inverse of learned maps",
        StitchInit::LeastSquares => "by least squares on 100 pictures (SN-Net's way)",
        StitchInit::Random => "at random",
    },
    stitch_start_hint: "independent anchors do not listen and use least squares instead",
    label_only: "Independent anchors learn from your classes alone",
    label_only_hint: "as in the SN-Net paper; otherwise from the ancestor's answers, too",
    anchor_teacher: "The largest small model teaches the stitched whole",
    anchor_teacher_hint: "as in the SN-Net paper; otherwise the ancestor does, the same for both ways",
    augment: "Vary the pictures (flip, crop)",
    augment_hint: "off, the ancestor has to look at every picture only once",
    seed: "Seed",
    seed_hint: "same seed, same result",
    loss_title: "How the learning goes",
    loss_label: "Line chart of the training loss against steps: the ancestor's head, every small model, the stitched whole.",
    loss_axis: "Training loss, nats",
    step_axis: "Optimiser steps",
    loss_head: "ancestor's head",
    loss_model: |blocks, width| format!("model {blocks} × {width}"),
    loss_whole: "stitched whole",
    grid_title: "The pool: every square is a block (an instance)",
    grid_label: |path| {
        format!(
            "Drawing: one row of squares for each small model, its blocks in order. Coloured is the way of a picture through the chosen model: {path}"
        )
    },
    grid_row: |blocks, width| format!("{blocks} blocks, width {width}"),
    grid_block: |model, block| format!("Model {model}, block {block}"),
    grid_legend: "Coloured: blocks of the chosen model. Diamond: its stitch layer. Outlined: blocks it leaves out.",
    picture: "picture",
    answer: "answer",
    whole: |name| format!("all of {name}, nothing stitched (an anchor)."),
    stitched: |name, front, end, stitch| {
        format!(
            "{name}: up to block {front} of the smaller model, stitch {stitch}, then from block {end} of the larger one."
        )
    },
    budget: "It may have at most",
    budget_term: "budget",
    budget_kind: "What counts",
    kind: |kind| match kind {
        0 => "size (parameters)",
        1 => "work per picture (FLOPs)",
        _ => "time per picture on this machine (ms)",
    },
    kind_value: |kind, value| match kind {
        0 => format!("{value} parameters"),
        1 => format!("{value} operations"),
        _ => format!("{value} ms"),
    },
    none_fits: "No model is that small. Move the slider to the right.",
    parameters: "Size (parameters)",
    flops: "Work per picture (FLOPs)",
    milliseconds: "Time per picture on this machine",
    accuracy: "Right on validation pictures",
    accuracy_at_start: "before the whole was trained",
    unknown: "not measured",
    cut: "Cut out this model",
    cut_hint: "It then names pictures (step 6) and can be saved (step 7) like any other; the rest of the pool stays here.",
    not_ready: "This model cannot be cut out: its blocks or its stitch are not there (yet).",
    was_cut: |name| format!("Cut out {name}. It is now chosen in steps 6 and 7."),
    cut_name: |method, name, right| {
        let from = if matches!(method, Method::Stitch) { "SN-Net" } else { "pool" };
        let right = right.map(|right| format!(", {right} right")).unwrap_or_default();
        format!("cut from the {from}: {name}{right}")
    },
    chart_title: "How good each model is for the work it does",
    chart_label: |count| {
        format!(
            "Scatter chart: accuracy in per cent against operations per picture of {count} models. The table below holds the same numbers."
        )
    },
    chart_x: "Work per picture, million operations (MFLOPs)",
    chart_y: "Right on validation pictures, %",
    legend_pool: "pool (Learngene Pool)",
    legend_stitch: "independent anchors (SN-Net)",
    legend_anchor: "large: a whole small model (anchor)",
    legend_chosen: "ring: the chosen model",
    legend_start: "outlined: before the stitched whole was trained",
    mark: |name, flops, right| format!("{name}: {right} right, {flops} operations"),
    column_method: "Way",
    column_path: "Blocks × width",
    column_stitch: "Stitch",
    column_flops: "Work, FLOPs",
    column_milliseconds: "Time, ms",
    column_accuracy: "Right, %",
    column_start: "Right at the start, %",
    choose: "Choose",
    choose_path: |name| format!("Choose {name}"),
    method: |method| match method {
        Method::Stitch => "SN-Net",
        _ => "Pool",
    },
    compare_need: |missing| {
        format!(
            "To compare, choose the method “{missing}” in step 3 and let its small models learn with the same settings."
        )
    },
    compare_same: |steps| {
        format!("Both ways: same ancestor as teacher, same pictures, sizes, batches and {steps} steps in all.")
    },
    compare_other: "These two were not made from the same ancestor, pictures, sizes, steps and teacher, so their numbers do not compare.",
    measure: "What was measured",
    mean: "Right on average over all models, %",
    best: "Right, the best model, %",
    spearman: "Does more work mean better? (rank correlation of accuracy and FLOPs)",
    stored: "Stored parameters, all models and stitches",
    stored_value: |stored, share| format!("{stored} ({share} of the ancestor)"),
    anchors: "of these, the small models alone (anchors)",
    smallest: "Smallest model: parameters, right",
    smallest_value: |parameters, right| format!("{parameters}, {right}"),
    better: "Models in which it is the better one",
    better_value: |count, of| format!("{count} of {of}"),
    ancestor_accuracy: "The ancestor with its new head, right",
    parts: "Stitched from (blocks × width)",
};
