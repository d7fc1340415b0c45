//! Projects whose files had no room in the store: they are asked for again, recognised by their checksums, and then the
//! work goes on.

use super::restore::{Given, sha256};
use super::store::{Generation, KeepError};
use super::work::{StoredFile, hex};
use crate::runner::Runner;
use heirloom_data::{PictureSet, Source};
use heirloom_plan::protocol::{Command, Event, JobKind, ProjectEvent};
use heirloom_platform::file::FileHandle;

/// Files named in a sentence.
const NAMED: usize = 3;

/// A project that cannot be restored yet.
pub(super) struct Waiting {
    generation: Generation,
    missing: Vec<StoredFile>,
    given: Given,
}

impl Waiting {
    pub(super) fn new(generation: Generation, missing: Vec<StoredFile>) -> Self {
        Self { generation, missing, given: Given::new() }
    }

    fn sentence(&self) -> String {
        let names: Vec<String> = self.missing.iter().take(NAMED).map(|file| format!("`{}`", file.path)).collect();
        let more = self.missing.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let what = if self.missing.len() == 1 { "a file" } else { "files" };
        format!(
            "this project needs {what} that had no room in the store: {}{more}. Drop the same files again, then the work \
             goes on; or begin a new project",
            names.join(", ")
        )
    }
}

impl Runner {
    pub(super) fn wait_for(&mut self, waiting: Waiting) {
        self.inform(waiting.sentence());
        if let Some(report) = &waiting.generation.work.last_race {
            self.say(Event::Race(report.clone()));
        }
        for pool in &waiting.generation.work.pools {
            self.say(Event::Pool(Box::new(pool.report.clone())));
        }
        self.keeper.waiting = Some(waiting);
    }

    /// Whether a command brings files that the open project waits for; then it is carried out here.
    pub(crate) async fn receive_missing(&mut self, command: &Command, files: &[FileHandle]) -> bool {
        let job = match command {
            Command::OpenAncestor { .. } => JobKind::Open,
            Command::AddPictures { .. } => JobKind::Pictures,
            _ => return false,
        };
        let Some(waiting) = self.keeper.waiting.take() else { return false };
        let received = self.receive(waiting, job, files).await;
        if let Err(error) = &received {
            self.fail(error);
        }
        self.end(job, received.is_ok());
        true
    }

    async fn receive(&mut self, mut waiting: Waiting, job: JobKind, files: &[FileHandle]) -> Result<(), KeepError> {
        for (sha, source) in checksums(job, files).await? {
            if waiting.missing.iter().any(|file| file.sha256 == sha) {
                waiting.missing.retain(|file| file.sha256 != sha);
                waiting.given.insert(sha, source);
            }
        }
        if !waiting.missing.is_empty() {
            self.inform(waiting.sentence());
            self.keeper.waiting = Some(waiting);
            return Ok(());
        }
        let Waiting { generation, given, .. } = waiting;
        self.keeper.has_said_unstored = true;
        self.bring_back(generation, given).await?;
        self.say(Event::Project(ProjectEvent::Opened));
        Ok(())
    }
}

async fn checksums(job: JobKind, files: &[FileHandle]) -> Result<Vec<(String, Source)>, KeepError> {
    let mut found = Vec::new();
    if job == JobKind::Open {
        for file in files {
            found.push((sha256(file).await?, Source::File(file.clone())));
        }
        return Ok(found);
    }
    let mut set = PictureSet::new();
    let unfit = |error: &dyn std::fmt::Display| KeepError::Unfit(error.to_string());
    set.add(files, Some("?"), |_| std::ops::ControlFlow::Continue(())).await.map_err(|error| unfit(&error))?;
    for picture in set.pictures() {
        let hash = picture.source.hash().await.map_err(|error| unfit(&error))?;
        found.push((hex(&hash), picture.source.clone()));
    }
    Ok(found)
}
