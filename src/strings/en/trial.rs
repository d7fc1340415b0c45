//! Words of the step `trial`.

use super::plural;
use crate::strings::{Heading, Trial};

pub(super) const TRIAL: Trial = Trial {
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
