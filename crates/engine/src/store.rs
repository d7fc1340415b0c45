//! Nothing lost: what the person brought, measured and trained is kept in a store (in the browser: OPFS) and comes back
//! after a reload, a crash of the engine or the loss of the GPU; a job under way goes on where it was saved.
//!
//! The store sees a [`Workspace`](crate::workspace::Workspace) and the [`Job`](crate::jobs::Job) on it, never the engine: `snapshot.rs` makes
//! [`SavedWork`](crate::saved::SavedWork) of them, `restore.rs` the other way round. Everything happens between two pieces
//! of work, in turns of a few milliseconds: first new files are copied, then, when it is time, a generation is written.

mod copy;
mod import;
mod missing;
mod project_store;
mod projects;
mod restore;
mod save;
mod snapshot;
mod zip;

use self::copy::Stored;
use self::missing::Waiting;
use self::project_store::{ProjectStore, bytes_of};
use self::save::Saving;
use crate::emitter::Emitter;
use crate::error::EngineError;
use crate::jobs::Session;
use crate::remark::Remark;
use crate::saved::hex;
use crate::workspace::Change;
use heirloom_plan::protocol::{Command, Event, ProjectEvent, ProjectList, Saved};
use heirloom_platform::clock::now_ms;
use heirloom_platform::storage::{Storage, StorageError};

/// A job under way is saved when its last saved state is this old, ms; writing takes some seconds more, so that never
/// more than 30 s are lost.
const EVERY: f64 = 25_000.0;
/// Between two saves the engine works at least so many times as long as a save took.
const WORK_PER_SAVE: f64 = 9.0;
/// After a save that failed, the next one is tried so much later, ms.
const TRY_AGAIN: f64 = 60_000.0;

/// What a turn was spent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing is to be done.
    Idle,
    /// Files were copied; the job may go on.
    Copied,
    /// A generation is being written; the job must wait, for its tensors are in use.
    Saving,
}

/// Saves the open project by itself, and carries out what the person wants of projects (`projects.rs`).
pub struct Autosave {
    emitter: Emitter,
    /// `None` until the page asks to keep anything, and where nothing can be kept.
    store: Option<ProjectStore>,
    /// A store given beforehand, instead of the browser's.
    given: Option<Storage>,
    open: OpenProject,
    /// Whether a restored job waits for the person.
    is_calm: bool,
    /// The store is only memory, which holds an imported project and keeps nothing.
    is_fleeting: bool,
}

/// All that belongs to the open project. Another project takes its place as a whole, so that nothing stays behind.
struct OpenProject {
    id: String,
    name: String,
    /// Settings of the page.
    page: String,
    stored: Stored,
    /// A save under way, and the passes that the job has made by then.
    saving: Option<(Saving, usize)>,
    /// Number and slot of the newest generation.
    newest: (u64, usize),
    /// When the last save began and what it took, ms.
    last: (f64, f64),
    /// Passes over the pictures that the running job had made at the last save.
    passes: usize,
    /// Why the last save failed, and when it is tried again.
    trouble: Option<(String, f64)>,
    /// Files that have to be dropped again first.
    waiting: Option<Waiting>,
}

impl OpenProject {
    fn new(id: &str, name: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            page: String::new(),
            stored: Stored::default(),
            saving: None,
            newest: (0, 1),
            last: (now_ms(), 0.0),
            passes: 0,
            trouble: None,
            waiting: None,
        }
    }
}

impl Autosave {
    /// Saves nothing until the page asks for it.
    pub fn new(emitter: Emitter) -> Self {
        let open = OpenProject::new("", "");
        Self { emitter, store: None, given: None, open, is_calm: false, is_fleeting: false }
    }

    /// Uses this store instead of the browser's.
    pub fn store_in(&mut self, storage: Storage) {
        self.given = Some(storage);
    }

    /// Notes what a command changes before it is carried out. A job keeps the inputs that it was started with.
    pub async fn before(&mut self, session: &mut Session, command: &Command) {
        use Command as C;
        match command {
            C::OpenAncestor { .. }
            | C::SetPreparation(_)
            | C::AddPictures { .. }
            | C::ReadFolders(_)
            | C::ClearPictures
            | C::SetSplit(_)
            | C::SetClusters(_) => {
                self.hold_inputs(session).await;
                session.workspace.note(Change::Soon);
            }
            C::Pause | C::Stop => session.workspace.note(Change::Now),
            C::Continue | C::PlanDescendant(_) | C::CutOut { .. } => session.workspace.note(Change::Soon),
            _ => {}
        }
    }

    async fn hold_inputs(&mut self, session: &mut Session) {
        let lasting = session.job.as_mut().and_then(|job| job.lasting_mut()).filter(|lasting| lasting.inputs.is_none());
        if let (Some(lasting), Some(store)) = (lasting, &mut self.store) {
            self.open.stored.copy_all(store, &session.workspace, &self.emitter).await;
            lasting.inputs = Some(self.open.stored.inputs(&session.workspace));
        }
    }

    /// Whether there is a project to save, and a place for it.
    fn can_save(&self) -> bool {
        self.store.is_some() && !self.is_fleeting && self.open.waiting.is_none()
    }

    /// Copies or saves for a moment.
    pub async fn turn(&mut self, session: &Session) -> Turn {
        if !self.can_save() {
            return Turn::Idle;
        }
        if self.open.saving.is_some() {
            self.save_next(session).await;
            return Turn::Saving;
        }
        if let Some(store) = &mut self.store
            && self.open.stored.copy_next(store, &session.workspace, &self.emitter).await
        {
            session.workspace.note(Change::Soon);
            return Turn::Copied;
        }
        if self.is_due(session) {
            self.begin_saving(session);
            return Turn::Saving;
        }
        Turn::Idle
    }

    fn is_due(&self, session: &Session) -> bool {
        let (open, change, now) = (&self.open, session.workspace.unsaved.get(), now_ms());
        if open.trouble.as_ref().is_some_and(|(_, again)| now < *again) {
            return false;
        }
        let (began, took) = open.last;
        let is_over = now - began >= EVERY - took.min(EVERY / 2.0);
        let has_rested = now - began >= (1.0 + WORK_PER_SAVE) * took;
        match &session.job {
            Some(job) if job.lasting().is_none() => change == Change::Now,
            Some(job) if !job.is_paused() => {
                let is_new_pass = job.passes() > open.passes;
                change == Change::Now || is_over || has_rested && (is_new_pass || change == Change::Soon)
            }
            _ => change > Change::None,
        }
    }

    /// Takes a snapshot; [`Autosave::save_next`] writes it.
    fn begin_saving(&mut self, session: &Session) {
        session.workspace.unsaved.set(Change::None);
        let open = &mut self.open;
        open.last.0 = now_ms();
        match open.stored.snapshot(&session.workspace, session.job.as_deref()) {
            Ok(snapshot) if snapshot.work.is_empty() => {}
            Ok(snapshot) => {
                let (generation, slot) = open.newest;
                let passes = session.passes();
                open.saving = Some((Saving::new(snapshot, generation + 1, 1 - slot.min(1), &open.page), passes));
            }
            Err(error) => self.not_saved(session, &error.into()),
        }
    }

    /// Writes for a moment.
    async fn save_next(&mut self, session: &Session) {
        let (Some(store), Some((mut saving, passes))) = (&self.store, self.open.saving.take()) else { return };
        let saved = match saving.write_for_a_moment(store, &self.open.id, &mut self.open.stored).await {
            Ok(true) => self.finish_saving(session, &saving, passes).await,
            Ok(false) => return self.open.saving = Some((saving, passes)),
            Err(error) => Err(error),
        };
        if let Err(error) = saved {
            self.not_saved(session, &error);
        }
    }

    async fn finish_saving(&mut self, session: &Session, saving: &Saving, passes: usize) -> Result<(), EngineError> {
        let (Some(store), open) = (&self.store, &mut self.open) else { return Ok(()) };
        let is_first = open.newest.0 == 0;
        (open.newest, open.passes) = ((saving.work.generation, saving.slot), passes);
        open.last.1 = now_ms() - open.last.0;
        open.trouble = None;
        if is_first {
            store.set_name(&open.id, &open.name).await?;
            store.set_last(&open.id).await?;
        }
        self.emitter.emit(Event::Project(ProjectEvent::Saved(Saved {
            at: saving.work.saved_at,
            bytes: bytes_of(&saving.work) + store.storage.size(&ProjectStore::slot_path(&open.id, saving.slot)).await?,
            seconds: open.last.1 / 1e3,
            is_complete: session.workspace.unsaved.get() == Change::None,
        })));
        // The other generation may still need its parts; what neither needs can go.
        let (generations, damaged) = store.generations(&open.id).await?;
        if damaged.is_empty() {
            store.tidy_parts(&open.id, &generations).await?;
        }
        if is_first {
            self.list_projects().await;
        }
        Ok(())
    }

    /// Said once; the work goes on in memory, and saving is tried again later.
    fn not_saved(&mut self, session: &Session, error: &EngineError) {
        let reason = error.to_string();
        if self.open.trouble.is_none() {
            self.emitter.notify_info(Remark::NotSaved { reason: reason.clone() });
        }
        self.emitter.emit(Event::Project(ProjectEvent::Unsaved { reason: reason.clone() }));
        self.open.trouble = Some((reason, now_ms() + TRY_AGAIN));
        // It is still to be saved.
        session.workspace.note(Change::Soon);
    }

    /// Saves what is open to its end, if there is anything unsaved.
    async fn flush(&mut self, session: &Session) -> Result<(), EngineError> {
        if !self.can_save() {
            return Ok(());
        }
        while self.open.saving.is_some() {
            self.save_next(session).await;
        }
        if let Some(store) = &mut self.store {
            self.open.stored.copy_all(store, &session.workspace, &self.emitter).await;
        }
        if session.workspace.unsaved.get() > Change::None || session.is_kept() {
            self.begin_saving(session);
            while self.open.saving.is_some() {
                self.save_next(session).await;
            }
        }
        match self.open.trouble.take() {
            Some((reason, _)) => Err(EngineError::Unfit(reason)),
            None => Ok(()),
        }
    }

    /// Removes what no project needs, but nothing of the open one, part of which may not be saved yet.
    async fn tidy(&mut self) -> Result<(), StorageError> {
        let held = self.open.stored.files.values().flatten().map(|sha| hex(sha)).collect();
        match &mut self.store {
            Some(store) => store.tidy(&self.open.id, held).await,
            None => Ok(()),
        }
    }

    /// Tells the page which projects there are.
    async fn list_projects(&self) {
        let Some(store) = self.store.as_ref().filter(|_| !self.is_fleeting) else { return };
        let (used, free) = store.storage.room().await;
        match store.list().await {
            Ok(projects) => {
                let list = ProjectList { projects, open: self.open.id.clone(), used, free };
                self.emitter.emit(Event::Project(ProjectEvent::List(list)));
            }
            Err(error) => self.emitter.notify_error(error),
        }
    }
}
