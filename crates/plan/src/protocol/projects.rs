//! Projects: what is kept in the browser between visits.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::FileRef;

/// What the page asks about projects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProjectCommand {
    /// Once, after [`Command::Start`](super::Command::Start): find the store and open the last project.
    Begin {
        /// Name of the project that begins when there is none.
        name: String,
        /// Most bytes that may be stored (`?quota=`); `None` leaves it to the browser.
        quota: Option<u64>,
        /// Whether a race that was running waits for `Continue`: the engine died of it again and again.
        calm: bool,
    },
    /// The settings of the page changed; kept as they stand in the address.
    Page(String),
    /// Save now: the tab goes to the background, perhaps for good.
    Save,
    /// The race that was brought back goes on in parts of so many pictures: the engine before ran out of memory.
    InParts(usize),
    /// Save what is open and open another project.
    Open {
        /// Which.
        id: String,
    },
    /// Save what is open and begin an empty project.
    New {
        /// Its name.
        name: String,
    },
    /// Give a project another name.
    Rename {
        /// Which.
        id: String,
        /// Its new name.
        name: String,
    },
    /// Remove a project and what only it needed.
    Delete {
        /// Which.
        id: String,
        /// Name of the empty project that follows when it is the open one.
        next: String,
    },
    /// Write the open project as one zip; answered with [`ProjectEvent::Exported`], or with
    /// [`Event::File`](super::Event::File) where the page cannot read the store.
    Export,
    /// Take a project out of a zip, or of the folder that it was unpacked into, and open it.
    Import {
        /// The zip, or the files of the folder.
        files: Vec<FileRef>,
    },
}

/// What the engine tells of projects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ProjectEvent {
    /// Another project is being opened: what is on the screen belongs to the one before. What it holds follows as
    /// ordinary events, then [`ProjectEvent::Opened`].
    Opening {
        /// Which.
        id: String,
        /// Its name.
        name: String,
        /// Settings of the page when it was saved, as they stand in the address; empty for a new project.
        page: String,
    },
    /// All of it is there.
    Opened,
    /// The projects and the room they take.
    List(ProjectList),
    /// Everything up to a moment is on the disk.
    Saved(Saved),
    /// Nothing is saved at the moment, and why; a sentence.
    Unsaved {
        /// Why.
        reason: String,
    },
    /// The zip of the project, in pieces that the page puts together; all but the stored files is the message's
    /// attachment.
    Exported {
        /// Suggested name.
        name: String,
        /// The pieces, in order.
        pieces: Vec<ZipPiece>,
    },
}

/// A save that succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// Moment of the state that was saved, ms since 1970.
    pub at: f64,
    /// Bytes of the project on the disk.
    pub bytes: u64,
    /// What writing took, s.
    pub seconds: f64,
    /// Whether nothing has changed since that moment but the steps of a race.
    pub is_complete: bool,
}

/// The projects and the room they take.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProjectList {
    /// All projects, the one saved last first.
    pub projects: Vec<ProjectEntry>,
    /// The open one; it is in the list once it holds something.
    pub open: String,
    /// Bytes that everything stored takes.
    pub used: u64,
    /// Bytes that may still be stored, where it is known.
    pub free: Option<u64>,
}

/// A stored project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProjectEntry {
    /// Names it in commands.
    pub id: String,
    /// What the person calls it.
    pub name: String,
    /// When it was saved, ms since 1970.
    pub saved_at: f64,
    /// Bytes it takes. Files that several projects hold are stored once and counted in each.
    pub bytes: u64,
}

/// A piece of a zip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ZipPiece {
    /// These bytes of the attachment.
    Attached(Range<u32>),
    /// A file of the store, below the engine's folder.
    Stored(String),
}
