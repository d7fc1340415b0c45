//! Words of the step `pictures`.

use super::plural;
use crate::strings::{Heading, Pictures};

pub(super) const PICTURES: Pictures = Pictures {
    heading: Heading {
        title: "Pictures",
        term: "labelled by folder name",
        intro: "One folder per class, named after what is in it. Twenty pictures a class are enough to see something; \
                folders called train and val are recognised. A zip of folders works too.",
    },
    folder_input: "Choose a folder",
    input: "Choose pictures or a zip",
    hint: "PNG, JPEG, WebP, GIF · zip",
    samples: "No pictures at hand? Take samples:",
    sample_doodles: "Doodles",
    sample_clothes: "Clothes",
    sample_credits: "Doodles: Quick, Draw! by Google (CC BY 4.0): cat, fish, flower, house, star. Clothes: Fashion-MNIST by \
                     Zalando (MIT): t-shirt, trousers, sandal, bag, boot. 80 pictures a class, 28 px.",
    sample_missing: |file| {
        format!(
            "The sample pictures `{file}` could not be fetched from where this page came from. Is the network there? \
             Your own pictures can be chosen all the same."
        )
    },
    class: "Class for single pictures",
    class_hint: "only for pictures that come without a folder",
    find_small: "Make me a small one",
    find_small_hint: "Ends the open ancestor after its first blocks, at several depths, and fits a new last layer for these \
                      classes to each: one look at every picture, seconds to a minute. The chart shows what size buys \
                      (step 5); the smallest that is large enough is tried and saved first (steps 6 and 7).",
    most_megabytes: "At most (MB)",
    most_megabytes_hint: "of the saved model; 0 is half of the ancestor",
    most_milliseconds: "At most (ms for a picture)",
    most_milliseconds_hint: "on this machine, by what was computed so far; 0 is any number",
    minutes: "Minutes of training",
    minutes_hint: "about, for the model that is chosen; 0 is none",
    fit_head: "Make a model of all of it",
    fit_head_hint: "The ancestor stays as it is and gets a new last layer: what small models are measured by.",
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
    folders_read: |chosen, other| {
        format!("Folders lie inside folders: `{chosen}` was taken for a class, not `{other}`.")
    },
    read_folders: |other| format!("Take folders like `{other}` for the classes instead"),
    share: "Share kept for checking",
    share_hint: "of each class; 0.2 is every fifth picture",
    seed: "Seed",
    seed_hint: "another number divides differently, the same number always alike",
    one_class: "There is only one class. A model that must tell things apart needs at least two folders.",
};
