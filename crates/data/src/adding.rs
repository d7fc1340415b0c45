//! Taking files into a set: looked at, opened where they are zips, given their classes.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::rc::Rc;

use unicode_normalization::UnicodeNormalization;

use super::archive::{Archive, belongs_elsewhere};
use super::error::{DataError, PictureError};
use super::place::{Place, Side, is_junk};
use super::reading::read;
use super::set::{Added, Picture, PictureSet, ScanProgress, YIELD_EVERY};
use super::source::Source;
use heirloom_platform::clock::yield_now;
use heirloom_platform::file::FileHandle;
use heirloom_platform::image::PictureHeader;

/// Bytes that tell a zip from a picture.
const MAGIC: u64 = 4;

/// State of one call of [`PictureSet::add`].
struct Adding<'a, P> {
    class: Option<&'a str>,
    call: usize,
    looked: ScanProgress,
    added: Added,
    found: Vec<Found>,
    progress: P,
}

/// A picture whose class is known once the paths of all that came with it are.
pub(super) struct Found {
    pub(super) path: String,
    pub(super) source: Source,
    pub(super) header: PictureHeader,
    /// SHA-256, where it is known.
    pub(super) hash: Option<[u8; 32]>,
    pub(super) given: Given,
}

/// Who names the class.
#[derive(Clone)]
pub(super) enum Given {
    /// The person, whatever the folders say: for pictures that lie loose in a zip.
    ByPerson(String),
    /// The folders of all that came in one call; `class` where they say none.
    ByFolders { call: usize, class: Option<String> },
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
    /// Looks at files and takes in the pictures among them; zips are opened. What their folders mean is read from all of
    /// them together ([`read`]); `class` is for files that come without a folder. Only headers are read, and whole files
    /// where another one has the same length. `progress` is called before each file and may break off.
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
        let (call, added) = (self.calls, Added::default());
        self.calls += 1;
        let mut adding = Adding { class, call, looked, added, found: Vec::new(), progress };
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
        let given = Given::ByFolders { call: adding.call, class: adding.class.map(str::to_owned) };
        adding.found.push(Found { path: file.path().to_owned(), source, header, hash: None, given });
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
                Some(class) => Given::ByPerson(class.to_owned()),
                None => Given::ByFolders { call: adding.call, class: None },
            };
            let source = Source::Entry { archive: archive.clone(), index: entry.index, len: entry.len };
            let outcome = match entry.refused {
                Some(reason) => Err(reason),
                None => look_at_entry(&source).await,
            };
            let found = |header| Found { path: path.clone(), source, header, hash: None, given };
            let outcome = outcome.map(|header| adding.found.push(found(header)));
            if let Err(reason) = outcome {
                self.refuse(&path, reason, &mut adding.added);
            }
        }
        Ok(())
    }

    /// Gives pictures their classes, folders read together for each call they came with, and takes them in.
    pub(super) async fn take_in(&mut self, found: Vec<Found>, added: &mut Added) {
        let mut places = self.places(&found).into_iter();
        for one in found {
            let (class, side) = match (&one.given, places.next().flatten()) {
                (Given::ByPerson(class), _) => (Some(class.clone()), None),
                (Given::ByFolders { class, .. }, Some(place)) => (place.class.or_else(|| class.clone()), place.side),
                (Given::ByFolders { class, .. }, None) => (class.clone(), None),
            };
            let path = one.path.clone();
            let outcome = match class.map(|class| class_name(&class)).filter(|class| !class.is_empty()) {
                Some(class) => self.take(one, class, side, added).await,
                None => {
                    self.loose.push(one);
                    Err(if path.contains('/') { PictureError::Loose } else { PictureError::NoClass })
                }
            };
            if let Err(reason) = outcome {
                self.refuse(&path, reason, added);
            }
        }
    }

    /// What the folders say of each picture whose class they name.
    fn places(&mut self, found: &[Found]) -> Vec<Option<Place>> {
        let mut calls: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (at, one) in found.iter().enumerate() {
            if let Given::ByFolders { call, .. } = one.given {
                calls.entry(call).or_default().push(at);
            }
        }
        let mut places: Vec<Option<Place>> = found.iter().map(|_| None).collect();
        for members in calls.into_values() {
            let paths: Vec<&str> = members.iter().map(|&at| found[at].path.as_str()).collect();
            let reading = read(&paths, self.level);
            self.otherwise = reading.otherwise.or_else(|| self.otherwise.take());
            members.into_iter().zip(reading.places).for_each(|(at, place)| places[at] = Some(place));
        }
        places
    }

    async fn take(
        &mut self,
        one: Found,
        class: String,
        side: Option<Side>,
        added: &mut Added,
    ) -> Result<(), PictureError> {
        let Found { path, source, header, hash, given } = one;
        // Cameras count from one: the same names come again in every class.
        let path = if path.contains('/') { path } else { format!("{class}/{path}") };
        let hash = match hash {
            Some(hash) => Some(hash),
            None => self.hash_if_needed(&source).await?,
        };
        let came_again = |other: &str| other == path || other.strip_prefix(&path).is_some_and(is_count);
        let same_len = self.by_len.entry(source.len()).or_default();
        if same_len.iter().any(|&i| self.pictures[i].hash == hash && came_again(&self.pictures[i].path)) {
            added.repeated += 1;
            return Ok(());
        }
        same_len.push(self.pictures.len());
        let path = self.unused(path);
        self.pictures.push(Picture { path, class, side, source, header, hash, given });
        added.pictures += 1;
        Ok(())
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
pub(super) fn class_name(folder: &str) -> String {
    let blanks: Vec<&str> = folder.split_whitespace().collect();
    blanks.join(" ").nfc().collect()
}
