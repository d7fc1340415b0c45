//! The pictures of the session.

use std::ops::ControlFlow;

use super::runner::Runner;
use heirloom_data::{KnownPicture, PictureSet, Split, SplitPlan};
use heirloom_plan::protocol::{ClassCount, Event, JobKind, PicturesSummary, SplitSettings};
use heirloom_platform::file::FileHandle;

/// Thumbnails per class, and their side, px.
const THUMBNAILS: (usize, usize) = (4, 64);
/// Refused files and groups of duplicates that are listed; the rest is counted.
const LISTED: usize = 100;

/// Pictures and their division.
#[derive(Default)]
pub(super) struct Pictures {
    pub set: PictureSet,
    pub settings: SplitSettings,
    /// `None` while there are too few pictures to divide.
    pub split: Option<Split>,
}

impl Runner {
    pub(super) async fn add_pictures(&mut self, files: &[FileHandle], class: Option<&str>) {
        self.pace.begin(0);
        let mut set = std::mem::take(&mut self.pictures.set);
        let stop = self.stop_flag();
        let added = set
            .add(files, class, |looked| {
                self.progress(JobKind::Pictures, looked.done, looked.total, "looking at files");
                if stop.get() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
            .await;
        self.pictures.set = set;
        let finished = match added {
            Ok(added) => !added.was_stopped,
            Err(error) => {
                self.fail(error);
                false
            }
        };
        self.divide().await;
        self.end(JobKind::Pictures, finished);
    }

    pub(super) async fn clear_pictures(&mut self) {
        self.pictures = Pictures { settings: self.pictures.settings, ..Pictures::default() };
        self.keeper.pictures_cleared();
        if let Some(heads) = &mut self.heads {
            heads.shown.clear();
        }
        self.divide().await;
    }

    pub(super) async fn set_split(&mut self, settings: SplitSettings) {
        self.pictures.settings = settings;
        self.divide().await;
    }

    /// Takes back pictures that were kept.
    pub(super) async fn take_back_pictures(
        &mut self,
        known: Vec<KnownPicture>,
        refused: &[(String, String)],
        settings: SplitSettings,
    ) -> Result<(), String> {
        self.pace.begin(0);
        let looked = |looked: heirloom_data::Looked| {
            self.progress(JobKind::Pictures, looked.done, looked.total, "taking the pictures back");
        };
        let set = PictureSet::of_known(known, refused, looked).await.map_err(|error| error.to_string())?;
        self.pictures = Pictures { set, settings, split: None };
        self.divide().await;
        self.end(JobKind::Pictures, true);
        Ok(())
    }

    /// Divides the pictures afresh and tells the page.
    async fn divide(&mut self) {
        let SplitSettings { validation_share, seed } = self.pictures.settings;
        self.pictures.split = None;
        if !self.pictures.set.pictures().is_empty() {
            match self.pictures.set.split(SplitPlan { validation_share, seed }) {
                Ok(split) => {
                    split.notes.iter().for_each(|note| self.inform(note));
                    self.pictures.split = Some(split);
                }
                Err(error) => self.fail(error),
            }
        }
        let summary = self.pictures.summary().await;
        self.say(Event::Pictures(summary));
    }
}

impl Pictures {
    async fn summary(&mut self) -> PicturesSummary {
        let thumbnails = self.set.thumbnails(THUMBNAILS.0, THUMBNAILS.1).await;
        let split = self.split.as_ref();
        let names = self.set.classes();
        let classes = names.into_iter().zip(thumbnails).enumerate().map(|(label, (name, thumbnails))| {
            let of_class = |side: &Vec<heirloom_data::Labelled>| side.iter().filter(|one| one.label == label).count();
            let all = self.set.pictures().iter().filter(|picture| picture.class == name).count();
            let (train, validation) = split.map_or((all, 0), |s| (of_class(&s.train), of_class(&s.validation)));
            ClassCount { name, train, validation, thumbnails }
        });
        let path = |i: usize| self.set.pictures()[i].path.clone();
        let refused = self.set.refused();
        PicturesSummary {
            classes: classes.collect(),
            unreadable: refused.iter().take(LISTED).map(|one| (one.path.clone(), one.reason.to_string())).collect(),
            unreadable_count: refused.len(),
            duplicates: self
                .set
                .duplicates()
                .into_iter()
                .take(LISTED)
                .map(|g| g.into_iter().map(path).collect())
                .collect(),
            split_by_folder: split.is_some_and(|split| split.is_by_folder),
            split: split.map(|_| self.settings),
        }
    }
}
