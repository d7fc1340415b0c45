//! The pictures and their division.

use super::id::Id;
use heirloom_data::{Labelled, Level, PictureSet, Source, Split};
use heirloom_plan::protocol::{ClassCount, FolderChoice, FolderLevel, PicturesSummary, SplitSettings};

/// Thumbnails per class, and their side, px.
const THUMBNAILS: (usize, usize) = (4, 64);
/// Refused files and groups of duplicates that are listed; the rest is counted.
const LISTED: usize = 100;

/// Pictures and their division.
#[derive(Default)]
pub struct Dataset {
    /// Stays the same while pictures are added.
    pub id: Id,
    pub set: PictureSet,
    pub settings: SplitSettings,
    /// `None` while there are too few pictures to divide.
    pub split: Option<Split>,
}

impl Dataset {
    /// Where the bytes of a picture lie.
    pub fn source(&self, path: &str) -> Option<&Source> {
        self.set.pictures().iter().find(|picture| picture.path == path).map(|picture| &picture.source)
    }

    /// What the page is told; makes thumbnails that are not there yet.
    pub async fn summary(&mut self) -> PicturesSummary {
        let thumbnails = self.set.thumbnails(THUMBNAILS.0, THUMBNAILS.1).await;
        let split = self.split.as_ref();
        let names = self.set.classes();
        let classes = names.into_iter().zip(thumbnails).enumerate().map(|(label, (name, thumbnails))| {
            let of_class = |side: &Vec<Labelled>| side.iter().filter(|one| one.label == label).count();
            let all = self.set.pictures().iter().filter(|picture| picture.class == name).count();
            let (train, validation) = split.map_or((all, 0), |s| (of_class(&s.train), of_class(&s.validation)));
            ClassCount { name, train, validation, thumbnails }
        });
        let path = |i: usize| self.set.pictures()[i].path.clone();
        let refused = self.set.refused();
        let duplicates = self.set.duplicates().into_iter().take(LISTED);
        let folders = self.set.otherwise().map(|otherwise| FolderChoice {
            chosen: otherwise.chosen.clone(),
            other: otherwise.other.clone(),
            level: match otherwise.level {
                Level::Innermost => FolderLevel::Innermost,
                Level::Outermost | Level::Fitting => FolderLevel::Outermost,
            },
        });
        PicturesSummary {
            classes: classes.collect(),
            unreadable: refused.iter().take(LISTED).map(|one| (one.path.clone(), one.reason.to_string())).collect(),
            unreadable_count: refused.len(),
            duplicates: duplicates.map(|group| group.into_iter().map(path).collect()).collect(),
            split_by_folder: split.is_some_and(|split| split.is_by_folder),
            split: split.map(|_| self.settings),
            folders,
        }
    }
}
