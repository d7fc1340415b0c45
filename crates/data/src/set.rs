//! The pictures a person handed over: what they are and where they lie, never their bytes.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::rc::Rc;

use unicode_normalization::UnicodeNormalization;

use super::archive::{Archive, belongs_elsewhere};
use super::error::{DataError, PictureError};
use super::place::{Side, is_junk};
use super::reading::{Level, read};
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
    paths: HashSet<String>,
    /// A class as it was read and as another folder would name it, where there was a choice.
    nested: Option<(String, String)>,
    thumbnails: HashMap<usize, Option<String>>,
}

/// State of one call of [`PictureSet::add`].
struct Adding<'a, P> {
    class: Option<&'a str>,
    looked: ScanProgress,
    added: Added,
    found: Vec<Found>,
    progress: P,
}

/// A picture whose class is known once the paths of all are.
struct Found {
    path: String,
    source: Source,
    header: PictureHeader,
    given: Given,
}

/// What the person said about the class.
enum Given {
    /// This, whatever the folders say: for pictures that lie loose in a zip.
    Class(String),
    /// This, where no folder says one.
    Else(Option<String>),
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

    /// Looks at files and takes in the pictures among them; zips are opened. What their folders mean is
    /// read from all of them together ([`read`]); `class` is for files that come without a folder. Only headers are read, and
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
        let mut adding = Adding { class, looked, added: Added::default(), found: Vec::new(), progress };
        for file in files {
            if adding.step().await.is_break() {
                break;
            }
            if is_junk(file.path()) {
                adding.added.ignored += 1;
            } else if let Err(reason) = self.add_file(file, &mut adding).await {
                self.refuse(file.path(), reason, &mut adding.added);
            }
            if adding.added.was_stopped {
                break;
            }
        }
        let found = std::mem::take(&mut adding.found);
        self.take_in(found, &mut adding.added).await;
        if self.pictures.is_empty() && !adding.added.was_stopped {
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
        let paths: Vec<&str> = known.iter().map(|one| one.path.as_str()).collect();
        let sides: Vec<_> = read(&paths, Level::Fitting).places.into_iter().map(|place| place.side).collect();
        for (done, KnownPicture { path, class, source, hash }) in known.into_iter().enumerate() {
            if done.is_multiple_of(YIELD_EVERY) {
                yield_now().await;
            }
            progress(ScanProgress { done, total });
            let header = source.inspect().await.map_err(|reason| DataError::picture(&path, reason))?;
            set.by_len.entry(source.len()).or_default().push(done);
            let (side, path) = (sides[done], set.unused(path));
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
        let source = Source::File(file.clone());
        let header = source.inspect().await?;
        let given = Given::Else(adding.class.map(str::to_owned));
        adding.found.push(Found { path: file.path().to_owned(), source, header, given });
        Ok(())
    }

    async fn add_zip<P: FnMut(ScanProgress) -> ControlFlow<()>>(
        &mut self,
        file: &FileHandle,
        adding: &mut Adding<'_, P>,
    ) -> Result<(), PictureError> {
        let archive = Rc::new(Archive::open(file).await?);
        let entries: Vec<_> = archive.entries().collect();
        if let Some(reason) = belongs_elsewhere(&entries) {
            return Err(PictureError::Zip(reason.to_owned()));
        }
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
            let is_loose = !entry.name.contains('/');
            let given = match adding.class.filter(|_| is_loose) {
                Some(class) => Given::Class(class.to_owned()),
                None => Given::Else(None),
            };
            let source = Source::Entry { archive: archive.clone(), index: entry.index, len: entry.len };
            let outcome = match entry.refused {
                Some(reason) => Err(reason),
                None => look_at_entry(&source).await,
            };
            let outcome = outcome.map(|header| adding.found.push(Found { path: path.clone(), source, header, given }));
            if let Err(reason) = outcome {
                self.refuse(&path, reason, &mut adding.added);
            }
        }
        Ok(())
    }

    /// Gives the pictures that came together their classes, and takes them in.
    async fn take_in(&mut self, found: Vec<Found>, added: &mut Added) {
        let is_read = |one: &&Found| matches!(one.given, Given::Else(_));
        let paths: Vec<&str> = found.iter().filter(is_read).map(|one| one.path.as_str()).collect();
        let reading = read(&paths, Level::Fitting);
        self.nested = reading.example.or_else(|| self.nested.take());
        let mut places = reading.places.into_iter();
        for one in found {
            let (class, side) = match &one.given {
                Given::Class(class) => (Some(class.clone()), None),
                Given::Else(class) => match places.next() {
                    Some(place) => (place.class.or_else(|| class.clone()), place.side),
                    None => (class.clone(), None),
                },
            };
            let path = one.path.clone();
            let outcome = match class.map(|class| class_name(&class)).filter(|class| !class.is_empty()) {
                Some(class) => self.take(one, class, side, added).await,
                None if path.contains('/') => Err(PictureError::Loose),
                None => Err(PictureError::NoClass),
            };
            if let Err(reason) = outcome {
                self.refuse(&path, reason, added);
            }
        }
    }

    async fn take(
        &mut self,
        one: Found,
        class: String,
        side: Option<Side>,
        added: &mut Added,
    ) -> Result<(), PictureError> {
        let Found { path, source, header, .. } = one;
        // Cameras count from one: the same names come again in every class.
        let path = if path.contains('/') { path } else { format!("{class}/{path}") };
        let hash = self.hash_if_needed(&source).await?;
        let came_again = |other: &str| other == path || other.strip_prefix(&path).is_some_and(is_count);
        let same_len = self.by_len.entry(source.len()).or_default();
        if same_len.iter().any(|&i| self.pictures[i].hash == hash && came_again(&self.pictures[i].path)) {
            added.repeated += 1;
            return Ok(());
        }
        same_len.push(self.pictures.len());
        let path = self.unused(path);
        self.pictures.push(Picture { path, class, side, source, header, hash });
        added.pictures += 1;
        Ok(())
    }

    /// The path, with a number behind it when another picture has it already: pictures are found by it.
    fn unused(&mut self, path: String) -> String {
        let mut tried = path.clone();
        let mut count = 2_usize;
        while !self.paths.insert(tried.clone()) {
            tried = format!("{path} ({count})");
            count += 1;
        }
        tried
    }

    /// A class as it was read and as another folder would name it, where there was a choice.
    pub(super) fn nested(&self) -> Option<&(String, String)> {
        self.nested.as_ref()
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

/// Looks at an entry of a zip; a zip in a zip is not opened.
async fn look_at_entry(source: &Source) -> Result<PictureHeader, PictureError> {
    if Archive::is_zip(&source.head(MAGIC).await?) {
        let reason = "it is a zip inside a zip, and only the outer one is opened; unpack it and drop the folder";
        return Err(PictureError::Zip(reason.to_owned()));
    }
    source.inspect().await
}

/// ` (2)`, as [`PictureSet::unused`] writes it.
fn is_count(end: &str) -> bool {
    end.strip_prefix(" (").and_then(|end| end.strip_suffix(')')).is_some_and(|count| count.parse::<usize>().is_ok())
}

/// A class's name in composed letters and single blanks: macOS writes `a` and the two dots as two letters, others as
/// one, and a person sees the same word.
fn class_name(folder: &str) -> String {
    let blanks: Vec<&str> = folder.split_whitespace().collect();
    blanks.join(" ").nfc().collect()
}
