//! Projects whose files had no room in the store: they are asked for again, recognised by their checksums, and then the
//! work goes on.

use super::project_store::Generation;
use super::restore::{Given, sha256};
use crate::emitter::Emitter;
use crate::error::EngineError;
use crate::remark::Remark;
use crate::saved::{StoredFile, hex};
use heirloom_data::{PictureSet, Source};
use heirloom_plan::protocol::{Event, JobKind};
use heirloom_platform::file::FileHandle;

/// Files named in a sentence.
const NAMED: usize = 3;

/// A project that cannot be restored yet.
pub struct Waiting {
    pub generation: Generation,
    missing: Vec<StoredFile>,
    pub given: Given,
}

impl Waiting {
    pub fn new(generation: Generation, missing: Vec<StoredFile>) -> Self {
        Self { generation, missing, given: Given::new() }
    }

    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }

    /// Asks for the files, and shows what can be shown without them.
    pub fn announce(&self, emitter: &Emitter) {
        emitter.notify_info(self.remark());
        let work = &self.generation.work;
        if let Some(report) = &work.last_race {
            emitter.emit(Event::Race(report.clone()));
        }
        for pool in &work.pools {
            emitter.emit(Event::Pool(Box::new(pool.report.clone())));
        }
    }

    /// Takes those of `files` that were missing.
    pub async fn take(&mut self, job: JobKind, files: &[FileHandle]) -> Result<(), EngineError> {
        for (sha, source) in checksums(job, files).await? {
            if self.missing.iter().any(|file| file.sha256 == sha) {
                self.missing.retain(|file| file.sha256 != sha);
                self.given.insert(sha, source);
            }
        }
        Ok(())
    }

    /// Which files it waits for.
    pub fn remark(&self) -> Remark {
        let named: Vec<String> = self.missing.iter().take(NAMED).map(|file| file.path.clone()).collect();
        Remark::Needs { more: self.missing.len() - named.len(), named }
    }
}

async fn checksums(job: JobKind, files: &[FileHandle]) -> Result<Vec<(String, Source)>, EngineError> {
    let mut found = Vec::new();
    if job == JobKind::Open {
        for file in files {
            found.push((sha256(file).await?, Source::File(file.clone())));
        }
        return Ok(found);
    }
    let mut set = PictureSet::new();
    set.add(files, Some("?"), |_| std::ops::ControlFlow::Continue(())).await?;
    for picture in set.pictures() {
        let hash = picture.source.hash().await.map_err(|error| EngineError::Unfit(error.to_string()))?;
        found.push((hex(&hash), picture.source.clone()));
    }
    Ok(found)
}
