//! English.

use super::{
    Ancestor, Descendant, EngineWords, Heading, Heads, Home, Jobs, NoticeWords, Page, Pictures, Strings, Time,
    Training, Trial,
};
use crate::session::protocol::{JobKind, StartValue};

fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

pub static EN: Strings = Strings {
    page: PAGE,
    engine: ENGINE,
    jobs: JOBS,
    time: TIME,
    notice: NOTICE,
    ancestor: ANCESTOR,
    pictures: PICTURES,
    heads: HEADS,
    descendant: DESCENDANT,
    training: TRAINING,
    trial: TRIAL,
    home: HOME,
};

const PAGE: Page = Page {
    tagline: "Grow a small vision model that inherits from a big one, here in this tab.",
    skip: "Skip to the first step",
    steps: "Steps",
    privacy: "Your models and pictures stay on this computer. The page is not able to send them anywhere.",
    privacy_check_title: "How to check this",
    privacy_check: "The page carries a content-security policy that lets it talk only to the place it was loaded from. \
                    Open your browser's developer tools, choose the network panel, and use the page: after loading, \
                    nothing is requested. Or switch the network off once the engine has started: the page goes on working.",
    paper: "The method is Cluster-Learngene (NeurIPS 2024). A big trained model, the ancestor, has many attention \
            heads that do much the same. One head of each group is kept; together they are the learngene, and small \
            descendants start from it instead of from random numbers.",
    paper_link: "About the method",
    bench: "Benchmark mode: a program drives this page through window.bench.",
    as_table: "The same as a table",
    details: "More settings",
    drop_here: "Drop files or folders anywhere on the page.",
    settings_in_address: "Your settings are in the page's address: copy it to hand them on.",
};

const ENGINE: EngineWords = EngineWords {
    loading: "Loading the engine …",
    starting: "Looking for a graphics processor …",
    gone: "No engine",
    again: "Start the engine again",
    self_test: "Self-test at the start",
    asked_restart: "you asked for a new one",
    silent: "The engine has not answered for a minute. A big step may simply take long; if you think it hangs, start it \
             again. Ancestor and pictures are opened again by themselves.",
    fallback: |reason| {
        format!("WebGPU is not used: {reason} Everything works on the processor (CPU) too, only slower.")
    },
    restarted: |reason, during| {
        let during = during.map(|job| format!(" while {job}")).unwrap_or_default();
        let reason = if reason.is_empty() { "it gave no reason" } else { reason };
        let repeated = if during.is_empty() { "" } else { " What it was doing is not repeated by itself." };
        format!(
            "The engine stopped{during} ({}). A new one was started; ancestor, pictures and measurements are being \
             restored.{repeated}",
            reason.trim_end_matches('.')
        )
    },
    cpu_from_now: "It computes on the processor (CPU), because the graphics processor could not be started.",
    models_lost: "The curves are still here, but the trained models are gone; train again to use one.",
    gave_up: |reason| {
        format!(
            "The engine could not be started after several attempts ({}). Reload the page; if that does not help, try \
             it with ?engine=cpu at the end of the address, or another browser.",
            if reason.is_empty() { "it gave no reason" } else { reason }
        )
    },
    insecure: "This page was loaded over plain http from another computer. Browsers then offer no WebGPU, so the \
               processor (CPU) computes. Use https or localhost to change that.",
};

const JOBS: Jobs = Jobs {
    name: |job| match job {
        JobKind::Open => "reading the ancestor",
        JobKind::Pictures => "looking through the pictures",
        JobKind::Measure => "measuring the heads",
        JobKind::Train => "training",
        JobKind::Evaluate => "naming pictures",
    },
    waiting: "Waiting for the engine …",
    stop: "Stop",
    stop_job: |job| format!("Stop {job}"),
    of: |done, total| format!("{done} of {total}"),
    left: |time| format!("about {time} left"),
    left_unknown: "time left not known yet",
    finished: |job| format!("Finished {job}."),
    stopped: |job| format!("Stopped {job}."),
    quarter: |job, percent| format!("{job}: {percent} %"),
};

const TIME: Time = Time {
    seconds: |seconds| format!("{seconds} s"),
    minutes: |minutes| format!("{minutes} min"),
    hours: |hours, minutes| format!("{hours} h {minutes} min"),
};

const NOTICE: NoticeWords = NoticeWords {
    copy: "Copy report",
    copied: "Copied",
    copy_by_hand: "The browser does not let the page copy. Select the text and copy it by hand:",
    close: "Close this message",
};

const ANCESTOR: Ancestor = Ancestor {
    heading: Heading {
        title: "Ancestor",
        term: "the trained model to inherit from",
        intro: "Choose a Vision Transformer: a .safetensors or .pth file with timm, DeiT or Hugging Face names. Several \
                parts of one model can be chosen together.",
    },
    input: "Choose a model file",
    hint: "ViT, DeiT or DINOv2 · .safetensors, .pth",
    again: "Choose another model",
    layers: "Layers",
    heads: "Heads per layer",
    width: "Width",
    width_value: |width, head| format!("{width} ({head} per head)"),
    picture: "Picture size",
    picture_value: |size, patch| format!("{size} × {size} px, patches of {patch} px"),
    parameters: "Parameters",
    classes: "Classes it knows",
    no_classes: "none (no classifier inside)",
    stored_as: "Stored as",
    assumptions: "Assumed",
    missing: |count| format!("{} the model needs and the file lacks", plural(count, "key", "keys")),
    unexpected: |count| format!("{} in the file that the model does not know", plural(count, "key", "keys")),
    nearest: |key| format!("nearest: {key}"),
    all_keys: "Every key was recognised.",
    spoken: |family, layers, heads| format!("Ancestor recognised: {family}, {layers} layers, {heads} heads per layer."),
};

const PICTURES: Pictures = Pictures {
    heading: Heading {
        title: "Pictures",
        term: "labelled by folder name",
        intro: "One folder per class, named after what is in it. Twenty pictures a class are enough to see something; \
                folders called train and val are recognised. A zip of folders works too.",
    },
    folder_input: "Choose a folder",
    input: "Choose pictures or a zip",
    hint: "PNG, JPEG, WebP, GIF · zip",
    class: "Class for single pictures",
    class_hint: "only for pictures that come without a folder",
    clear: "Remove all pictures",
    nothing_inside: "No files were found in what you dropped or chose. Drop a folder that has one folder of pictures \
                     per class.",
    unreadable_entries: |count, first| {
        format!(
            "{} could not be opened by the browser (the first: `{first}`). They may have been moved: choose them \
                 again.",
            plural(count, "item", "items")
        )
    },
    walking: "Looking through the folder …",
    total: |classes, train, validation| {
        let classes = plural(classes, "class", "classes");
        format!("{classes}: {} to learn from, {validation} to check with", plural(train, "picture", "pictures"))
    },
    class_column: "Class",
    train_column: "To learn from (train)",
    validation_column: "To check with (validation)",
    examples_column: "Examples",
    example: |class| format!("A picture of class {class}"),
    unreadable: |count| format!("{} could not be used", plural(count, "file", "files")),
    duplicates: |count| format!("{} of identical pictures", plural(count, "group", "groups")),
    split_by_folder: "The train and val folders decide which pictures are for learning and which for checking.",
    share: "Share kept for checking",
    share_hint: "of each class; 0.2 is every fifth picture",
    seed: "Seed",
    seed_hint: "another number divides differently, the same number always alike",
    one_class: "There is only one class. A model that must tell things apart needs at least two folders.",
};

const HEADS: Heads = Heads {
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
    look_intro: "Bright places get much attention (drawn as A^0.25, as in the paper). Choose a head here or click a mark \
                 in the chart.",
    picture: "Picture",
    received: "from all patches on average",
    from_cls: "from the class token (CLS)",
    dot: |layer, head, distance, members, centroid| {
        let kept = if centroid { ", kept" } else { "" };
        let cluster = if members == 1 { "alone".to_owned() } else { format!("cluster of {members}") };
        format!("Layer {layer}, head {head}: {distance} px, {cluster}{kept}")
    },
    map_label: |layer, head, kind| format!("Attention of head {head} in layer {layer}, {kind}"),
};

const DESCENDANT: Descendant = Descendant {
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
    not_yet: |method| format!("{method}: not there yet"),
    heads: "Heads per layer",
    heads_hint: "may be more or fewer than the ancestor has",
    layers: "Layers",
    layers_hint: |most| format!("at most {most}, as many as the ancestor has"),
    size: "Training picture size, px",
    size_hint: |patch| format!("a multiple of {patch}, the patch size; smaller is faster"),
    even: "Take evenly spaced layers of the ancestor",
    even_hint: "otherwise the first ones, as in the paper",
    scale: "Scale copied heads (members ÷ copies)",
    scale_hint: "keeps the sum of a cluster as it was; off is the paper's letter",
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

const TRAINING: Training = Training {
    heading: Heading {
        title: "Training",
        term: "fine-tuning, inherited against from scratch (Cluster-Learngene, section 4)",
        intro: "The same small model is trained twice on the same pictures, in the same order, for the same number of \
                steps: once from what it inherited, once from random numbers.",
    },
    need: "First plan a descendant (step 4).",
    need_arm: "Choose at least one start under More settings.",
    start: "Start training",
    start_again: "Train again",
    pause: "Pause",
    resume: "Continue",
    stop: "Stop",
    arm: |arm| match arm {
        StartValue::Scratch => "from scratch",
        StartValue::Inherited => "inherited",
    },
    arms: "Starts to compare (arms)",
    steps: "Steps",
    steps_hint: "how often the weights are changed, for each start",
    seeds: "Repeats (seeds)",
    seeds_hint: "each start is trained this often, with other random numbers",
    batch: "Pictures per step (batch)",
    batch_hint: "fewer need less memory",
    lr: "Learning rate",
    lr_hint: "highest one; rises first, then falls as a cosine",
    warmup: "Warm-up share",
    warmup_hint: "share of the steps in which the learning rate rises",
    decay: "Weight decay",
    decay_hint: "pulls weights towards zero (AdamW)",
    smoothing: "Label smoothing",
    smoothing_hint: "keeps the model from being too sure",
    drop_path: "Drop path",
    drop_path_hint: "highest chance of leaving a layer out while training",
    clip: "Largest gradient norm",
    clip_hint: "0 switches clipping off",
    augment: "Flip and crop pictures at random",
    augment_hint: "augmentation; the same draws for every start",
    validate: "Check every … steps",
    validate_hint: "0: once per pass over the pictures (epoch)",
    idle: "Nothing is training.",
    preparing: "Preparing the pictures …",
    running: |arm, seed, step, steps| format!("Training {arm}, seed {seed}: step {step} of {steps}"),
    and: " and ",
    speed: |rate| format!("{rate} steps per second"),
    paused: "Paused. Nothing is lost; continue whenever you like.",
    stopped: "Stopped. What was trained so far can be used.",
    finished: |results| format!("Finished. Checking pictures named rightly: {results}."),
    result: |arm, accuracy| format!("{arm} {accuracy}"),
    no_result: "nothing was measured",
    chart_title: |what| format!("{what} while training"),
    chart_label: |what, unit| {
        format!(
            "Line chart: {what} ({unit}) over training steps for each start. The table below holds the same numbers."
        )
    },
    show: "Show",
    accuracy: "Pictures named rightly (validation accuracy)",
    validation_loss: "Error on checking pictures (validation loss)",
    train_loss: "Error while learning (training loss)",
    accuracy_unit: "%",
    loss_unit: "nats",
    accuracy_axis: "Named rightly, %",
    validation_loss_axis: "Validation loss, nats",
    train_loss_axis: "Training loss, nats",
    x_axis: "Step",
    band: "band: lowest to highest seed",
    chance: "guessing",
    no_points: "The first point appears after the first check.",
    column_step: "Step",
    column_epoch: "Epoch",
    column_arm: "Start",
    column_seed: "Seed",
    same: "Both starts see the same pictures, batches, random crops and steps.",
    curves: "The training curves",
};

const TRIAL: Trial = Trial {
    heading: Heading {
        title: "Try it",
        term: "inference and confusion matrix",
        intro: "Show a trained model a picture it has never seen, and see which ones it mixes up.",
    },
    need: "First train a descendant (step 5).",
    training: "Wait until the training has ended, or stop it (step 5).",
    lost: "The trained models went with the engine that stopped. Train again (step 5).",
    model: "Trained model",
    model_name: |arm, seed, step| format!("{arm}, seed {seed} ({step} steps)"),
    accuracy: |accuracy| format!("{accuracy} right"),
    input: "Choose pictures to name",
    hint: "or drop them here",
    is: |class, share| format!("{class}, {share} sure"),
    matrix: "Show what it mixes up",
    matrix_intro: "Every checking picture is named once; the table counts them.",
    matrix_again: "Count again",
    matrix_caption: "Rows: what it is. Columns: what the model says. Choose a number to see the pictures.",
    truth: "It is ↓  The model says →",
    cell: |count, truth, said| {
        format!("{}: it is {truth}, the model says {said}", plural(count, "picture", "pictures"))
    },
    behind: |count, truth, said| {
        let pictures = plural(count, "picture", "pictures");
        if truth == said {
            format!("{pictures} of {truth}, named rightly")
        } else {
            format!("{pictures} of {truth} that the model calls {said}")
        }
    },
    shown_of: |shown, all| format!("{shown} of {all} are shown."),
    close: "Close",
};

const HOME: Home = Home {
    heading: Heading {
        title: "Take it home",
        term: "export",
        intro: "The file is written on this computer. It has timm's names, so other programs can load it, and it can be \
                dropped into step 1 here as an ancestor.",
    },
    need: "First plan a descendant (step 4).",
    save: |model| format!("Save {model} as .safetensors"),
    save_planned: "Save the untrained descendant as .safetensors",
    save_curves: "Save the curves as .csv",
    what: "The trained model chosen in step 6 is saved.",
    saved: |name| format!("{name} was saved."),
    not_saved: |name| {
        format!(
            "`{name}` could not be saved: the browser refused the download. Allow downloads for this \
                               page and try again."
        )
    },
};
