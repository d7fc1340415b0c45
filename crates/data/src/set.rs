//! The pictures a person handed over: what they are and where they lie, never their bytes.

use std::collections::{HashMap, HashSet};

use super::adding::{Found, Given};
use super::error::{DataError, PictureError};
use super::place::Side;
use super::reading::{Level, ReadOtherwise};
use super::single::thumbnail;
use super::source::Source;
use super::split::{Split, SplitPlan};
use heirloom_platform::clock::yield_now;
use heirloom_platform::image::PictureHeader;

/// Files looked at before waiting messages are let in.
pub(super) const YIELD_EVERY: usize = 4;

/// One picture of the set.
pub struct Picture {
    /// Path inside the dropped folder or zip, different for each picture of a set. A file that came without a folder
    /// stands under its class: `cat/1.png`.
    pub path: String,
    /// Name of its class.
    pub class: String,
    /// Side of the split that a folder names.
    pub side: Option<Side>,
    /// Its bytes, on demand.
    pub source: Source,
    /// Format and stored size.
    pub header: PictureHeader,
    /// SHA-256, computed only once another file has the same length: files of different lengths are no duplicates.
    pub(super) hash: Option<[u8; 32]>,
    /// Who named the class, and which pictures came with it.
    pub(super) given: Given,
}

/// A picture that was in a set before, with what was found out about it then.
pub struct KnownPicture {
    /// Its path.
    pub path: String,
    /// Its class.
    pub class: String,
    /// Its bytes.
    pub source: Source,
    /// Their SHA-256.
    pub hash: [u8; 32],
}

/// A file that cannot be used.
#[derive(Debug)]
pub struct Refused {
    /// Its path.
    pub path: String,
    /// Why.
    pub reason: PictureError,
}

/// How far [`PictureSet::add`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanProgress {
    /// Files looked at.
    pub done: usize,
    /// Files known so far; grows when a zip is opened.
    pub total: usize,
}

/// What [`PictureSet::add`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Pictures taken in.
    pub pictures: usize,
    /// Files refused; [`PictureSet::refused`] has their reasons.
    pub refused: usize,
    /// Leftovers of systems, passed over without a word (`.DS_Store`, `__MACOSX`, `Thumbs.db`).
    pub ignored: usize,
    /// Files that are already in the set under the same path with the same bytes.
    pub repeated: usize,
    /// Whether the caller broke off; what was taken in until then stays.
    pub was_stopped: bool,
}

/// All pictures, in the order they came. Nothing that is computed from a set depends on that order.
#[derive(Default)]
pub struct PictureSet {
    pub(super) pictures: Vec<Picture>,
    pub(super) refused: Vec<Refused>,
    pub(super) by_len: HashMap<u64, Vec<usize>>,
    pub(super) paths: HashSet<String>,
    /// Pictures that no folder gave a class, as folders are read now; they are among the refused.
    pub(super) loose: Vec<Found>,
    /// How folders are read.
    pub(super) level: Level,
    /// Where they could be read otherwise.
    pub(super) otherwise: Option<ReadOtherwise>,
    /// Calls of [`PictureSet::add`].
    pub(super) calls: usize,
    pub(super) thumbnails: HashMap<usize, Option<String>>,
}

impl PictureSet {
    /// No pictures.
    pub fn new() -> Self {
        Self::default()
    }

    /// The set that once consisted of these pictures, in this order, and had refused these files.
    ///
    /// # Errors
    /// When a picture is not what it was.
    pub async fn from_known(
        known: Vec<KnownPicture>,
        refused: &[(String, String)],
        mut progress: impl FnMut(ScanProgress),
    ) -> Result<Self, DataError> {
        let (mut set, total) = (Self::default(), known.len());
        let (sides, is_read) = set.recognise(&known);
        for (done, KnownPicture { path, class, source, hash }) in known.into_iter().enumerate() {
            if done.is_multiple_of(YIELD_EVERY) {
                yield_now().await;
            }
            progress(ScanProgress { done, total });
            let header = source.inspect().await.map_err(|reason| DataError::picture(&path, reason))?;
            set.by_len.entry(source.len()).or_default().push(done);
            let (side, path) = (sides[done], set.unused(path));
            let given =
                if is_read { Given::ByFolders { call: 0, class: None } } else { Given::ByPerson(class.clone()) };
            set.pictures.push(Picture { path, class, side, source, header, hash: Some(hash), given });
        }
        let refused = refused.iter();
        set.refused = refused
            .map(|(path, why)| Refused { path: path.clone(), reason: PictureError::Earlier(why.clone()) })
            .collect();
        Ok(set)
    }

    /// The path, with a number behind it when another picture has it already: pictures are found by it.
    pub(super) fn unused(&mut self, path: String) -> String {
        let mut tried = path.clone();
        let mut count = 2_usize;
        while !self.paths.insert(tried.clone()) {
            tried = format!("{path} ({count})");
            count += 1;
        }
        tried
    }

    /// How the folders could be read otherwise, where there is a choice.
    pub fn otherwise(&self) -> Option<&ReadOtherwise> {
        self.otherwise.as_ref()
    }

    /// Hashes a new picture, and those of the same length that have no hash yet.
    pub(super) async fn hash_if_needed(&mut self, source: &Source) -> Result<Option<[u8; 32]>, PictureError> {
        let Some(same_len) = self.by_len.get(&source.len()) else { return Ok(None) };
        for &i in same_len {
            if self.pictures[i].hash.is_none() {
                self.pictures[i].hash = Some(self.pictures[i].source.hash().await?);
            }
        }
        Ok(Some(source.hash().await?))
    }

    pub(super) fn refuse(&mut self, path: &str, reason: PictureError, added: &mut Added) {
        added.refused += 1;
        self.refused.push(Refused { path: path.to_owned(), reason });
    }

    /// All pictures.
    pub fn pictures(&self) -> &[Picture] {
        &self.pictures
    }

    /// Files that cannot be used, in the order they came.
    pub fn refused(&self) -> &[Refused] {
        &self.refused
    }

    /// Class names in alphabetical order.
    pub fn classes(&self) -> Vec<String> {
        let mut classes: Vec<_> = self.pictures.iter().map(|picture| picture.class.clone()).collect();
        classes.sort();
        classes.dedup();
        classes
    }

    /// Groups of pictures with the same bytes, as indices into [`PictureSet::pictures`], by path.
    pub fn duplicates(&self) -> Vec<Vec<usize>> {
        let mut groups: HashMap<[u8; 32], Vec<usize>> = HashMap::new();
        for (i, picture) in self.pictures.iter().enumerate() {
            if let Some(hash) = picture.hash {
                groups.entry(hash).or_default().push(i);
            }
        }
        let path = |i: &usize| &self.pictures[*i].path;
        let mut groups: Vec<_> = groups.into_values().filter(|group| group.len() > 1).collect();
        groups.iter_mut().for_each(|group| group.sort_by(|a, b| path(a).cmp(path(b))));
        groups.sort_by(|a, b| path(&a[0]).cmp(path(&b[0])));
        groups
    }

    /// Divides the pictures into training and validation; see [`Split`].
    ///
    /// # Errors
    /// When there is no picture, only one, or only one class.
    pub fn split(&self, plan: SplitPlan) -> Result<Split, DataError> {
        Split::new(self, plan)
    }

    /// A few small pictures (`side` px) of each class as `data:` URLs, classes as in [`PictureSet::classes`]. Computed
    /// once per picture; pictures that do not decode are passed over.
    pub async fn thumbnails(&mut self, per_class: usize, side: usize) -> Vec<Vec<String>> {
        let mut all = Vec::new();
        for class in self.classes() {
            let mut members: Vec<_> = (0..self.pictures.len()).filter(|&i| self.pictures[i].class == class).collect();
            members.sort_by(|&a, &b| self.pictures[a].path.cmp(&self.pictures[b].path));
            let mut urls = Vec::new();
            // Twice as many tries as wanted: a class of damaged files must not be decoded to its end here.
            for i in members.into_iter().take(per_class * 2) {
                if urls.len() == per_class {
                    break;
                }
                if !self.thumbnails.contains_key(&i) {
                    let picture = &self.pictures[i];
                    let url = thumbnail(&picture.path, &picture.source, side).await.ok();
                    self.thumbnails.insert(i, url);
                    yield_now().await;
                }
                urls.extend(self.thumbnails.get(&i).cloned().flatten());
            }
            all.push(urls);
        }
        all
    }
}
