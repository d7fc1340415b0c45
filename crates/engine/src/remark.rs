//! What the engine says though nothing failed, a sentence each.

use heirloom_data::SplitNote;
use heirloom_platform::storage::StorageError;

/// Good to know.
#[derive(Debug, thiserror::Error, serde::Serialize)]
pub enum Remark {
    // Of a race or a pool.
    #[error(
        "there is not enough memory for {batch} pictures at a time, so each step goes in parts of {part}, whose gradients \
         are added: {}", effect(*is_normalised)
    )]
    InParts { batch: usize, part: usize, is_normalised: bool },
    #[error(
        "the classifier of the ancestor as it is is fitted to {pictures} of the {all} training pictures, evenly over the \
         classes: there is no memory for the features of more"
    )]
    FittedToPart { pictures: usize, all: usize },
    #[error("these pictures did not decode and were left out: {}", quoted(paths))]
    LeftOut { paths: Vec<String> },

    // Of the pictures.
    #[error("heads were measured without these pictures, which do not decode: {}", quoted(paths))]
    MeasuredWithout { paths: Vec<String> },
    #[error(transparent)]
    Split(#[from] SplitNote),

    // Of what is kept.
    #[error(
        "your work could not be saved ({reason}). It goes on in memory, and what was saved before stays; saving is tried \
         again by itself"
    )]
    NotSaved { reason: String },
    #[error("your work is not kept when this page closes: {reason}. Everything else works")]
    NotKept { reason: StorageError },
    #[error(
        "not everything you brought could be kept ({reason}). After a reload drop the same files again, then the work \
         goes on"
    )]
    NotAllKept { reason: StorageError },
    #[error(
        "the newest saved state of `{name}` is damaged ({reason}). The one before it, saved {minutes:.0} minutes ago, was \
         opened"
    )]
    OlderOpened { name: String, reason: String, minutes: f64 },
    #[error("{missing} files that had no room in the store are not in the zip")]
    NotInZip { missing: usize },
    #[error(
        "this project needs {} that had no room in the store: {}{}. Drop the same files again, then the work goes on; or \
         begin a new project",
        if named.len() + more == 1 { "a file" } else { "files" },
        quoted(named),
        if *more > 0 { format!(" and {more} more") } else { String::new() }
    )]
    Needs { named: Vec<String>, more: usize },
}

/// What steps in parts do to the result. Batch norm knows nothing of the pictures of other parts.
fn effect(is_normalised: bool) -> &'static str {
    match is_normalised {
        true => {
            "this takes longer and gives somewhat another result, for the network normalises each part by the part's own \
             statistics"
        }
        false => "the result is the same, only slower",
    }
}

fn quoted(paths: &[String]) -> String {
    paths.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ")
}
