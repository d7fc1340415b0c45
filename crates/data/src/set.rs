//! The pictures a person handed over: what they are and where they lie, never their bytes.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::rc::Rc;

use super::archive::Archive;
use super::error::{DataError, PictureError};
use super::place::{Place, Side, is_junk, place};
use super::single::thumbnail;
use super::source::Source;
use super::split::{Split, SplitPlan};
use heirloom_platform::clock::yield_now;
use heirloom_platform::file::FileHandle;
use heirloom_platform::image::PictureHeader;

/// Files looked at before waiting messages are let in.
const YIELD_EVERY: usize = 4;
/// Bytes that tell a zip from a picture.
const MAGIC: u64 = 4;

/// One picture of the set.
pub struct Picture {
    /// Path inside the dropped folder or zip.
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
    pictures: Vec<Picture>,
    refused: Vec<Refused>,
    by_len: HashMap<u64, Vec<usize>>,
    thumbnails: HashMap<usize, Option<String>>,
}

/// State of one call of [`PictureSet::add`].
struct Adding<'a, P> {
    class: Option<&'a str>,
    looked: ScanProgress,
    added: Added,
    progress: P,
}

impl<P: FnMut(ScanProgress) -> ControlFlow<()>> Adding<'_, P> {
    /// Tells how far it is and lets messages in; breaks when the caller wants no more.
    async fn step(&mut self) -> ControlFlow<()> {
        if self.looked.done.is_multiple_of(YIELD_EVERY) {
            yield_now().await;
        }
        let flow = (self.progress)(self.looked);
        self.added.was_stopped = flow.is_break();
        self.looked.done += 1;
        flow
    }
}

impl PictureSet {
    /// No pictures.
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks at files and takes in the pictures among them; zips are opened. The class is the last folder that is not
    /// called `train`, `val` or `test`; `class` is for files that come without a folder. Only headers are read, and
    /// whole files where another one has the same length. `progress` is called before each file and may break off.
    ///
    /// # Errors
    /// When there are no files, or the set is still without a picture afterwards.
    pub async fn add(
        &mut self,
        files: &[FileHandle],
        class: Option<&str>,
        progress: impl FnMut(ScanProgress) -> ControlFlow<()>,
    ) -> Result<Added, DataError> {
        if files.is_empty() {
            return Err(DataError::NoFiles);
        }
        let looked = ScanProgress { done: 0, total: files.len() };
        let mut adding = Adding { class, looked, added: Added::default(), progress };
        for file in files {
            if adding.step().await.is_break() {
                return Ok(adding.added);
            }
            if is_junk(file.path()) {
                adding.added.ignored += 1;
            } else if let Err(reason) = self.add_file(file, &mut adding).await {
                self.refuse(file.path(), reason, &mut adding.added);
            }
            if adding.added.was_stopped {
                return Ok(adding.added);
            }
        }
        if self.pictures.is_empty() {
            let first = self.refused.first().map(|refused| format!("`{}`: {}", refused.path, refused.reason));
            let reason = first.unwrap_or_else(|| "only hidden files".to_owned());
            return Err(DataError::NoPictures { files: adding.looked.done, reason });
        }
        Ok(adding.added)
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
        for (done, KnownPicture { path, class, source, hash }) in known.into_iter().enumerate() {
            if done.is_multiple_of(YIELD_EVERY) {
                yield_now().await;
            }
            progress(ScanProgress { done, total });
            let header = source.inspect().await.map_err(|reason| DataError::picture(&path, reason))?;
            set.by_len.entry(source.len()).or_default().push(done);
            let side = place(&path).side;
            set.pictures.push(Picture { path, class, side, source, header, hash: Some(hash) });
        }
        let refused = refused.iter();
        set.refused = refused
            .map(|(path, why)| Refused { path: path.clone(), reason: PictureError::Earlier(why.clone()) })
            .collect();
        Ok(set)
    }

    async fn add_file<P: FnMut(ScanProgress) -> ControlFlow<()>>(
        &mut self,
        file: &FileHandle,
        adding: &mut Adding<'_, P>,
    ) -> Result<(), PictureError> {
        let start = file.read(0..MAGIC.min(file.len())).await?;
        if Archive::is_zip(&start) {
            return self.add_zip(file, adding).await;
        }
        self.add_picture(file.path(), Source::File(file.clone()), adding.class, &mut adding.added).await
    }

    async fn add_zip<P: FnMut(ScanProgress) -> ControlFlow<()>>(
        &mut self,
        file: &FileHandle,
        adding: &mut Adding<'_, P>,
    ) -> Result<(), PictureError> {
        let archive = Rc::new(Archive::open(file).await?);
        let entries: Vec<_> = archive.entries().collect();
        adding.looked.total += entries.len();
        for entry in entries {
            if adding.step().await.is_break() {
                break;
            }
            if is_junk(&entry.name) {
                adding.added.ignored += 1;
                continue;
            }
            let path = format!("{}/{}", file.path(), entry.name);
            // Inside a zip the given class is for pictures that lie loose in it.
            let class = adding.class.filter(|_| place(&entry.name).class.is_none());
            let source = Source::Entry { archive: archive.clone(), index: entry.index, len: entry.len };
            let outcome = match entry.refused {
                Some(reason) => Err(reason),
                None => self.add_entry(&path, source, class, &mut adding.added).await,
            };
            if let Err(reason) = outcome {
                self.refuse(&path, reason, &mut adding.added);
            }
        }
        Ok(())
    }

    async fn add_entry(
        &mut self,
        path: &str,
        source: Source,
        class: Option<&str>,
        added: &mut Added,
    ) -> Result<(), PictureError> {
        if Archive::is_zip(&source.head(MAGIC).await?) {
            let reason = "it is a zip inside a zip, and only the outer one is opened; unpack it and drop the folder";
            return Err(PictureError::Zip(reason.to_owned()));
        }
        let from_zip = Place { class: class.map(str::to_owned), ..place(path) };
        let place = if class.is_some() { from_zip } else { place(path) };
        self.take_in(path, source, place, added).await
    }

    async fn add_picture(
        &mut self,
        path: &str,
        source: Source,
        class: Option<&str>,
        added: &mut Added,
    ) -> Result<(), PictureError> {
        let mut place = place(path);
        place.class = place.class.or_else(|| class.map(str::to_owned));
        self.take_in(path, source, place, added).await
    }

    async fn take_in(
        &mut self,
        path: &str,
        source: Source,
        place: Place,
        added: &mut Added,
    ) -> Result<(), PictureError> {
        let header = source.inspect().await?;
        let class = place.class.ok_or(PictureError::NoClass)?;
        let hash = self.hash_if_needed(&source).await?;
        let same_len = self.by_len.entry(source.len()).or_default();
        if same_len.iter().any(|&i| self.pictures[i].hash == hash && self.pictures[i].path == path) {
            added.repeated += 1;
            return Ok(());
        }
        same_len.push(self.pictures.len());
        self.pictures.push(Picture { path: path.to_owned(), class, side: place.side, source, header, hash });
        added.pictures += 1;
        Ok(())
    }

    /// Hashes a new picture, and those of the same length that have no hash yet.
    async fn hash_if_needed(&mut self, source: &Source) -> Result<Option<[u8; 32]>, PictureError> {
        let Some(same_len) = self.by_len.get(&source.len()) else { return Ok(None) };
        for &i in same_len {
            if self.pictures[i].hash.is_none() {
                self.pictures[i].hash = Some(self.pictures[i].source.hash().await?);
            }
        }
        Ok(Some(source.hash().await?))
    }

    fn refuse(&mut self, path: &str, reason: PictureError, added: &mut Added) {
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
