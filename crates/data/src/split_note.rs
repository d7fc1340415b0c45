//! What is good to know about how pictures were divided.

/// A sentence each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize)]
pub enum SplitNote {
    /// The same bytes on both sides.
    #[error(
        "found {} in the training folders and again in the others; all copies are used for training only",
        pictures(*count)
    )]
    Straddling {
        /// How many pictures.
        count: usize,
    },
    /// The same bytes in two classes.
    #[error("found {} filed under two classes at once; delete one copy of each", pictures(*count))]
    Ambiguous {
        /// How many pictures.
        count: usize,
    },
    /// `test` folders beside `val` folders.
    #[error("{} in `test` folders set aside, because there are `val` folders too", pictures(*count))]
    SetAside {
        /// How many pictures.
        count: usize,
    },
    /// Classes that a person would hardly tell apart.
    #[error("the classes {} differ only in case or blanks; rename the folders if they mean the same", quoted(names))]
    Alike {
        /// The classes.
        names: Vec<String>,
    },
    /// Nothing of a class to train on.
    #[error("`{class}` has no picture to train on; put some into its training folder")]
    NoTraining {
        /// The class.
        class: String,
    },
    /// Nothing of a class to judge on.
    #[error("`{class}` has no picture to judge on; add more different ones")]
    NoValidation {
        /// The class.
        class: String,
    },
}

fn pictures(count: usize) -> String {
    if count == 1 { "1 picture".to_owned() } else { format!("{count} pictures") }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
