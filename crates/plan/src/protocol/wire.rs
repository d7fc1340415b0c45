//! Question and answer as they travel: every command has a number, and what is said because of it bears that number.

use serde::{Deserialize, Serialize};

use super::{Command, Event};

/// A command on its way to the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Its number; none is given twice.
    pub id: u64,
    /// What is asked.
    pub command: Command,
}

/// An event on its way to the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// The command that it comes of: the one being carried out, or the one that began the job under way. Nothing where
    /// the engine speaks of its own accord, and of a job that came back from the store.
    pub answers: Option<u64>,
    /// What is said.
    pub event: Event,
}
