//! Nothing lost: what the person brought, measured and trained is kept in a store (in the browser: OPFS) and comes back
//! after a reload, a crash of the engine or the loss of the GPU; a race or pool under way goes on where it was saved.
//!
//! The seam to the rest of the session is narrow: [`SavedWork`](work::SavedWork) is what is kept, `take_down.rs` makes
//! one from a [`Runner`], `restore.rs` makes a runner of one. Everything happens between two pieces of work, in turns of a
//! few milliseconds: first new files are copied, then, when it is time, a generation is written.

mod check;
mod copy;
mod export;
mod import;
mod missing;
mod restore;
mod save;
mod store;
mod take_down;
pub mod work;

use std::cell::Cell;
use std::collections::HashSet;

use self::copy::Copying;
use self::missing::Waiting;
use self::save::Saving;
use self::store::{KeepError, Projects};
use self::work::{hex, of_hex};
use super::pool::Pools;
use super::runner::{Job, Runner};
use heirloom_plan::protocol::{Command, Event, JobKind, ProjectCommand, ProjectEvent, ProjectList};
use heirloom_platform::clock::{now_ms, unix_ms};
use heirloom_platform::file::FileHandle;
use heirloom_platform::storage::{Storage, StorageError};

/// A race or pool under way is saved when its last saved state is this old, ms; writing takes some seconds more, so
/// that never more than 30 s are lost.
const EVERY: f64 = 25_000.0;
/// Between two saves the engine works at least so many times as long as a save took.
const WORK_PER_SAVE: f64 = 9.0;
/// After a save that failed, the next one is tried so much later, ms.
const TRY_AGAIN: f64 = 60_000.0;

/// How much there is to save.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    /// Nothing.
    #[default]
    None,
    /// Something that can wait for the next save of a running job.
    Soon,
    /// The end of a job, a pause: at once.
    Now,
}

/// What turn the keeper took.
pub(super) enum Turn {
    /// Nothing is to be done.
    Idle,
    /// Files were copied; the job may go on.
    Copied,
    /// A generation is being written; the job must wait, for its tensors are in use.
    Saving,
}

/// Keeps the open project.
#[derive(Default)]
pub(super) struct Keeper {
    /// `None` until the page asks to keep anything, and where nothing can be kept.
    projects: Option<Projects>,
    /// A store given beforehand, instead of the browser's.
    given: Option<Storage>,
    id: String,
    name: String,
    page: String,
    change: Cell<Change>,
    saving: Option<Saving>,
    copying: Option<Copying>,
    /// Checksums of the ancestor's files; `None` where one is not copied yet.
    ancestor: Vec<Option<[u8; 32]>>,
    /// Checksums of the pictures copied so far.
    pictures: Vec<[u8; 32]>,
    /// What lies in the store.
    stored: HashSet<[u8; 32]>,
    has_said_unstored: bool,
    /// Number and slot of the newest generation.
    newest: (u64, usize),
    /// When the last save began and what it took, ms.
    last: (f64, f64),
    /// Passes over the pictures that the running job had made at the last save.
    passes: usize,
    /// Why the last save failed, and when it is tried again.
    trouble: Option<(String, f64)>,
    /// A project whose files have to be dropped again first.
    waiting: Option<Waiting>,
    /// Whether a restored job waits for the person.
    calm: bool,
    /// The store is only memory, which holds an imported project and keeps nothing.
    is_fleeting: bool,
    /// It only serves to write a zip, and tells nobody of what it saves.
    is_quiet: bool,
}

impl Keeper {
    /// Notes that there is something to save.
    pub(super) fn note(&self, change: Change) {
        self.change.set(self.change.get().max(change));
    }

    /// Another ancestor is open.
    pub(super) fn ancestor_changed(&mut self) {
        self.ancestor.clear();
        self.copying = None;
    }

    /// All pictures are gone.
    pub(super) fn pictures_cleared(&mut self) {
        self.pictures.clear();
        self.copying = None;
    }
}

impl Runner {
    /// Uses this store instead of the browser's.
    pub fn keep_in(&mut self, storage: Storage) {
        self.keeper.given = Some(storage);
    }

    /// Notes what a command changes before it is carried out.
    pub(super) async fn before(&mut self, command: &Command) {
        use Command as C;
        let changes_inputs = matches!(
            command,
            C::OpenAncestor { .. }
                | C::SetPreparation(_)
                | C::AddPictures { .. }
                | C::ClearPictures
                | C::SetSplit(_)
                | C::SetClusters(_)
        );
        if changes_inputs {
            self.hold_job_inputs().await;
        }
        match command {
            C::Pause | C::Stop => self.keeper.note(Change::Now),
            C::Continue | C::PlanDescendant(_) | C::Train(_) | C::Experiment(_) | C::MakePool(_) | C::CutOut { .. } => {
                self.keeper.note(Change::Soon)
            }
            _ if changes_inputs => self.keeper.note(Change::Soon),
            _ => {}
        }
    }

    /// Takes one turn of keeping.
    pub(super) async fn keep_next(&mut self) -> Turn {
        if self.keeper.projects.is_none() || self.keeper.is_fleeting || self.keeper.waiting.is_some() {
            return Turn::Idle;
        }
        if self.keeper.saving.is_some() {
            self.save_next().await;
            return Turn::Saving;
        }
        if self.copy_next().await {
            self.keeper.note(Change::Soon);
            return Turn::Copied;
        }
        if self.is_due() {
            self.begin_saving();
            return Turn::Saving;
        }
        Turn::Idle
    }

    fn is_due(&self) -> bool {
        let (keeper, now) = (&self.keeper, now_ms());
        let change = keeper.change.get();
        if keeper.trouble.as_ref().is_some_and(|(_, again)| now < *again) {
            return false;
        }
        let (began, took) = keeper.last;
        let is_over = now - began >= EVERY - took.min(EVERY / 2.0);
        let has_rested = now - began >= (1.0 + WORK_PER_SAVE) * took;
        match &self.job {
            Some(job) if job.is_kept() && !job.is_paused() => {
                let is_new_pass = job.passes() > Some(keeper.passes);
                change == Change::Now || is_over || has_rested && (is_new_pass || change == Change::Soon)
            }
            Some(Job::Measure(_) | Job::Condense(_)) => change == Change::Now,
            _ => change > Change::None,
        }
    }

    /// Carries out a command about projects.
    pub(super) async fn project(&mut self, command: ProjectCommand, files: &[FileHandle]) {
        let done = match command {
            ProjectCommand::Begin { name, quota, calm } => return self.begin_keeping(&name, quota, calm).await,
            ProjectCommand::Page(page) => {
                self.keeper.page = page;
                self.keeper.note(Change::Soon);
                return;
            }
            ProjectCommand::Save => {
                if self.is_working() || self.keeper.change.get() > Change::None {
                    self.keeper.note(Change::Now);
                }
                return;
            }
            ProjectCommand::InParts(pictures) => {
                if let Some(Job::Race(job)) = &mut self.job {
                    job.race.set_micro_batch(pictures);
                    job.settings.micro_batch = pictures;
                }
                return;
            }
            ProjectCommand::Open { id } => self.switch(&id).await,
            ProjectCommand::New { name } => self.leave().await.map(|()| self.begin_project(&name)),
            ProjectCommand::Rename { id, name } => self.rename(&id, &name).await,
            ProjectCommand::Delete { id, next } => self.delete(&id, &next).await,
            ProjectCommand::Export => self.export_project().await,
            ProjectCommand::Import { .. } => self.import_project(files).await,
        };
        if let Err(error) = done {
            self.fail(error);
        }
        self.list_projects().await;
    }

    /// Finds the store and opens the last project in it.
    async fn begin_keeping(&mut self, name: &str, quota: Option<u64>, calm: bool) {
        self.keeper.calm = calm;
        let storage = match self.keeper.given.clone() {
            Some(storage) => Ok(storage),
            None => store_of_platform().await,
        };
        let storage = match (storage, quota) {
            (Ok(storage), Some(quota)) => storage.limited(quota).await,
            (storage, _) => storage,
        };
        match storage {
            Ok(storage) => self.keeper.projects = Some(Projects { storage }),
            Err(error) => {
                self.say(Event::Project(ProjectEvent::Unsaved { reason: error.to_string() }));
                self.inform(format!("your work is not kept when this page closes: {error}. Everything else works"));
                return self.begin_project(name);
            }
        }
        let Some(projects) = self.keeper.projects.clone() else { return };
        let last = async {
            self.tidy(&projects).await?;
            projects.last().await
        };
        match last.await {
            Ok(Some(id)) => {
                if let Err(error) = self.open_project(&id).await {
                    self.left_alone(&id, &error, name).await;
                }
            }
            Ok(None) => self.begin_project(name),
            Err(error) => {
                self.fail(error);
                self.begin_project(name);
            }
        }
        self.list_projects().await;
    }

    /// A project could not be opened: it stays as it is, and work begins in a new one.
    async fn left_alone(&mut self, id: &str, error: &KeepError, next: &str) {
        let name = match &self.keeper.projects {
            Some(projects) => projects.name(id).await,
            None => id.to_owned(),
        };
        self.begin_project(next);
        self.fail(format!(
            "the project `{name}` could not be opened ({error}). It stays as it is; a new one was begun"
        ));
    }

    /// Begins an empty project; it is stored once there is something in it.
    fn begin_project(&mut self, name: &str) {
        self.forget_work();
        let id = format!("p{}", unix_ms() as u64);
        (self.keeper.id, self.keeper.name) = (id.clone(), name.to_owned());
        self.say(Event::Project(ProjectEvent::Opening { id, name: name.to_owned(), page: String::new() }));
        self.say(Event::Project(ProjectEvent::Opened));
    }

    /// Nothing is open, measured, trained or running.
    fn forget_work(&mut self) {
        if let Some(job) = self.job.take() {
            let kind = match job {
                Job::Race(_) => JobKind::Train,
                Job::Condense(_) => JobKind::Condense,
                Job::Measure(_) => JobKind::Measure,
                Job::Pool(_) => JobKind::Pool,
            };
            self.end(kind, false);
        }
        (self.ancestor, self.heads, self.planned, self.last_race) = (None, None, None, None);
        (self.condensed, self.last_queue, self.pools) = (None, None, Pools::default());
        self.pictures = super::pictures::Pictures::default();
        self.trained.clear();
        let keeper = &mut self.keeper;
        (keeper.saving, keeper.copying, keeper.waiting, keeper.trouble) = (None, None, None, None);
        (keeper.newest, keeper.last, keeper.passes) = ((0, 1), (now_ms(), 0.0), 0);
        keeper.has_said_unstored = false;
        keeper.ancestor.clear();
        keeper.pictures.clear();
        keeper.page.clear();
        keeper.change.set(Change::None);
    }

    /// Whether there is a job under way that is kept.
    fn is_working(&self) -> bool {
        self.job.as_ref().is_some_and(Job::is_kept)
    }

    /// Saves what is open, if there is anything unsaved.
    async fn leave(&mut self) -> Result<(), KeepError> {
        if self.keeper.projects.is_none() || self.keeper.is_fleeting || self.keeper.waiting.is_some() {
            return Ok(());
        }
        while self.keeper.saving.is_some() {
            self.save_next().await;
        }
        while self.copy_next().await {}
        if self.keeper.change.get() > Change::None || self.is_working() {
            self.begin_saving();
            while self.keeper.saving.is_some() {
                self.save_next().await;
            }
        }
        match self.keeper.trouble.take() {
            Some((reason, _)) => Err(KeepError::Unfit(reason)),
            None => Ok(()),
        }
    }

    async fn switch(&mut self, id: &str) -> Result<(), KeepError> {
        if id == self.keeper.id && self.keeper.waiting.is_none() {
            return Ok(());
        }
        self.leave().await?;
        let name = self.keeper.name.clone();
        if let Err(error) = self.open_project(id).await {
            self.left_alone(id, &error, &name).await;
        }
        Ok(())
    }

    async fn rename(&mut self, id: &str, name: &str) -> Result<(), KeepError> {
        if id == self.keeper.id {
            self.keeper.name = name.to_owned();
        }
        match &self.keeper.projects {
            Some(projects) if projects.ids().await?.iter().any(|known| known == id) => {
                Ok(projects.set_name(id, name).await?)
            }
            _ => Ok(()),
        }
    }

    async fn delete(&mut self, id: &str, next: &str) -> Result<(), KeepError> {
        let Some(projects) = self.keeper.projects.clone() else { return Ok(()) };
        if id == self.keeper.id {
            self.begin_project(next);
        }
        // Only an id of ours: it becomes a path.
        if projects.ids().await?.iter().any(|known| known == id) {
            projects.delete(id).await?;
        }
        self.tidy(&projects).await?;
        if self.keeper.trouble.take().is_some() {
            // There may be room now.
            self.keeper.note(Change::Now);
        }
        Ok(())
    }

    /// Removes what no project needs, but nothing of the open one, part of which may not be saved yet.
    async fn tidy(&mut self, projects: &Projects) -> Result<(), StorageError> {
        let held = self.keeper.ancestor.iter().flatten().chain(&self.keeper.pictures).map(|sha| hex(sha)).collect();
        let stored = projects.tidy(&self.keeper.id, held).await?;
        self.keeper.stored = stored.iter().filter_map(|sha| of_hex(sha)).collect();
        Ok(())
    }

    /// Tells the page which projects there are.
    async fn list_projects(&self) {
        let Some(projects) = self.keeper.projects.as_ref().filter(|_| !self.keeper.is_fleeting) else { return };
        let (used, free) = projects.storage.room().await;
        match projects.list().await {
            Ok(list) => {
                let open = self.keeper.id.clone();
                self.say(Event::Project(ProjectEvent::List(ProjectList { projects: list, open, used, free })));
            }
            Err(error) => self.fail(error),
        }
    }
}

#[cfg(target_arch = "wasm32")]
async fn store_of_platform() -> Result<Storage, StorageError> {
    Storage::of_browser().await
}

/// Natively whoever runs the engine says where, see [`Runner::keep_in`].
#[cfg(not(target_arch = "wasm32"))]
#[allow(clippy::unused_async, reason = "the browser's store is opened asynchronously")]
async fn store_of_platform() -> Result<Storage, StorageError> {
    Err(StorageError::Denied { reason: "no folder was given".into() })
}
