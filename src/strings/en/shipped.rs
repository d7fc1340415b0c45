//! Words of the shipped ancestors.

use crate::strings::ShippedWords;

pub(super) const SHIPPED: ShippedWords = ShippedWords {
    heading: "No model at hand? Take one that ships with this page:",
    hint: "It comes from where this page came from, once: with a saved project it is kept in this browser.",
    open: |name, size| format!("{name} ({size})"),
    about: |name| format!("About {name}"),
    shape_label: "Built of",
    shape: |layers, heads, width, image, patch| {
        format!(
            "{layers} layers of {heads} heads, width {width}, pictures of {image} px in patches of {patch} px (a ViT)"
        )
    },
    stages: |stages, width, image| {
        format!("{stages} stages, then {width} channels, pictures of {image} px (a convolutional network)")
    },
    parameters: "Parameters",
    classes: "Classes it names",
    class_count: |count| format!("ImageNet's {count}"),
    trained_on: "Trained on",
    recipe: "How it was made",
    accuracy: "How often it is right",
    accuracy_value: |share, pictures, data| format!("{share} of {pictures} pictures it was not trained on ({data})"),
    not_measured: "not measured",
    licence: "Licence",
    limits: "What it cannot do",
    fetching: |name| format!("Fetching {name}"),
    far: |bytes, all| format!("{bytes} of {all}"),
    cancel: "Cancel",
    missing: |file| {
        format!(
            "The shipped ancestor `{file}` could not be fetched from where this page came from. Is the network there? \
             Try again, or choose a model file of your own."
        )
    },
    short: |file, bytes, all| {
        format!(
            "The shipped ancestor `{file}` broke off: {bytes} of {all} bytes came. Nothing was opened. Try again; if it \
             happens each time, the copy on the server is damaged."
        )
    },
    changed: |file| {
        format!(
            "The shipped ancestor `{file}` is not the file that this page was made for (its checksum, SHA-256, differs), \
             so it was not opened. Reload the page: it may have been updated meanwhile. If that does not help, tell \
             whoever runs the server."
        )
    },
};
