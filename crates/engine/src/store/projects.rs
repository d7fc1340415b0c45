//! What the person wants of projects: begin, open, rename, delete, hand on.

use super::copy::Stored;
use super::import::Import;
use super::missing::Waiting;
use super::project_store::{Generation, Newest, ProjectStore};
use super::restore::{Given, Restoring};
use super::save::Saving;
use super::{Autosave, OpenProject, zip};
use crate::commands::{end, end_job};
use crate::error::EngineError;
use crate::jobs::Session;
use crate::remark::Remark;
use crate::workspace::Change;
use heirloom_plan::protocol::{Command, Event, JobKind, ProjectCommand, ProjectEvent};
use heirloom_platform::clock::{now_ms, unix_ms};
use heirloom_platform::file::FileHandle;
use heirloom_platform::storage::{Storage, StorageError};

impl Autosave {
    /// Carries out a command about projects.
    pub async fn project(&mut self, session: &mut Session, command: ProjectCommand, files: &[FileHandle]) {
        let done = match command {
            ProjectCommand::Begin { name, quota, calm } => {
                self.is_calm = calm;
                return self.begin(session, &name, quota).await;
            }
            ProjectCommand::Page(page) => {
                self.open.page = page;
                return session.workspace.note(Change::Soon);
            }
            ProjectCommand::Save => {
                if session.is_kept() || session.workspace.unsaved.get() > Change::None {
                    session.workspace.note(Change::Now);
                }
                return;
            }
            ProjectCommand::InParts(pictures) => {
                return session.job.iter_mut().for_each(|job| job.set_micro_batch(pictures));
            }
            ProjectCommand::Open { id } => self.switch(session, &id).await,
            ProjectCommand::New { name } => {
                let saved = self.flush(session).await;
                saved.map(|()| self.begin_project(session, &name))
            }
            ProjectCommand::Rename { id, name } => self.rename(&id, &name).await,
            ProjectCommand::Delete { id, next } => self.delete(session, &id, &next).await,
            ProjectCommand::Export => self.export(session).await,
            ProjectCommand::Import { .. } if files.is_empty() => Ok(()),
            ProjectCommand::Import { .. } => {
                self.emitter.pace().begin(0);
                let imported = self.import(session, files).await;
                end(&session.workspace, &self.emitter, JobKind::Open, imported.is_ok());
                imported
            }
        };
        if let Err(error) = done {
            self.emitter.notify_error(error);
        }
        self.list_projects().await;
    }

    /// Finds the store and opens the last project in it.
    async fn begin(&mut self, session: &mut Session, name: &str, quota: Option<u64>) {
        let storage = match self.given.clone() {
            Some(storage) => Ok(storage),
            None => store_of_platform().await,
        };
        let storage = match (storage, quota) {
            (Ok(storage), Some(quota)) => storage.limited(quota).await,
            (storage, _) => storage,
        };
        match storage {
            Ok(storage) => self.store = Some(ProjectStore::new(storage)),
            Err(error) => {
                self.emitter.emit(Event::Project(ProjectEvent::Unsaved { reason: error.to_string() }));
                self.emitter.notify_info(Remark::NotKept { reason: error });
                return self.begin_project(session, name);
            }
        }
        match self.last_project().await {
            Ok(Some(id)) => self.open_or_leave_alone(session, &id, name).await,
            Ok(None) => self.begin_project(session, name),
            Err(error) => {
                self.emitter.notify_error(error);
                self.begin_project(session, name);
            }
        }
        self.list_projects().await;
    }

    async fn last_project(&mut self) -> Result<Option<String>, StorageError> {
        self.tidy().await?;
        match &self.store {
            Some(store) => store.last().await,
            None => Ok(None),
        }
    }

    /// A project that cannot be opened stays as it is, and work begins in a new one.
    async fn open_or_leave_alone(&mut self, session: &mut Session, id: &str, next: &str) {
        let Err(error) = self.open_project(session, id).await else { return };
        let name = match &self.store {
            Some(store) => store.name(id).await,
            None => id.to_owned(),
        };
        self.begin_project(session, next);
        self.emitter.notify_error(EngineError::NotOpened { name, reason: Box::new(error) });
    }

    /// Begins an empty project; it is stored once there is something in it.
    fn begin_project(&mut self, session: &mut Session, name: &str) {
        self.replace(session, OpenProject::new(&new_id(), name));
        self.emitter.emit(Event::Project(ProjectEvent::Opened));
    }

    /// Another project takes the place of the open one; nothing is open, measured, trained or running.
    fn replace(&mut self, session: &mut Session, open: OpenProject) {
        if let Some(job) = session.job.take() {
            end_job(&session.workspace, &self.emitter, job.kind(), false);
        }
        session.workspace.forget();
        let OpenProject { id, name, page, .. } = &open;
        let (id, name, page) = (id.clone(), name.clone(), page.clone());
        self.emitter.emit(Event::Project(ProjectEvent::Opening { id, name, page }));
        self.open = open;
    }

    /// Opens the newest whole generation of a project in place of whatever is open.
    async fn open_project(&mut self, session: &mut Session, id: &str) -> Result<(), EngineError> {
        let Some(store) = &self.store else { return Ok(()) };
        let Newest { generation, damaged } = store.newest(id).await?;
        let (name, work) = (store.name(id).await, &generation.work);
        let (page, newest) = (work.page.clone(), (work.generation, generation.slot));
        self.replace(session, OpenProject { page, newest, ..OpenProject::new(id, &name) });
        if let Some(reason) = damaged {
            let minutes = (unix_ms() - work.saved_at).max(0.0) / 60_000.0;
            self.emitter.notify_info(Remark::OlderOpened { name, reason, minutes });
        }
        let Some(store) = &self.store else { return Ok(()) };
        if let Err(error) = store.set_last(id).await {
            log::warn!("which project is open could not be noted: {error}");
        }
        let missing = store.missing(work).await;
        if missing.is_empty() {
            self.restore(session, generation, &Given::new()).await?;
        } else {
            let waiting = Waiting::new(generation, missing);
            waiting.announce(&self.emitter);
            self.open.waiting = Some(waiting);
        }
        self.emitter.emit(Event::Project(ProjectEvent::Opened));
        Ok(())
    }

    /// Restores everything; `given` holds the files that the store lacks.
    async fn restore(
        &mut self,
        session: &mut Session,
        generation: Generation,
        given: &Given,
    ) -> Result<(), EngineError> {
        let (Some(store), open) = (&self.store, &mut self.open) else { return Ok(()) };
        let restoring = Restoring {
            store,
            id: &open.id,
            stored: &mut open.stored,
            given,
            workspace: &mut session.workspace,
            job: &mut session.job,
            emitter: &self.emitter,
            is_calm: self.is_calm,
        };
        restoring.run(generation).await?;
        if !given.is_empty() {
            // They are copied now if there is room for them.
            open.stored.files.clear();
        }
        open.passes = session.passes();
        open.last = (now_ms(), 0.0);
        session.workspace.unsaved.set(Change::None);
        Ok(())
    }

    /// Whether a command brings files that the open project waits for; then it is carried out here.
    pub async fn receive_missing(&mut self, session: &mut Session, command: &Command, files: &[FileHandle]) -> bool {
        let kind = match command {
            Command::OpenAncestor { .. } => JobKind::Open,
            Command::AddPictures { .. } => JobKind::Pictures,
            _ => return false,
        };
        let Some(waiting) = self.open.waiting.take() else { return false };
        let received = self.receive(session, waiting, kind, files).await;
        let received = self.emitter.notify_failure(received);
        end(&session.workspace, &self.emitter, kind, received.is_some());
        true
    }

    async fn receive(
        &mut self,
        session: &mut Session,
        mut waiting: Waiting,
        kind: JobKind,
        files: &[FileHandle],
    ) -> Result<(), EngineError> {
        waiting.take(kind, files).await?;
        if !waiting.is_complete() {
            self.emitter.notify_info(waiting.remark());
            self.open.waiting = Some(waiting);
            return Ok(());
        }
        self.open.stored.has_said_unstored = true;
        self.restore(session, waiting.generation, &waiting.given).await?;
        self.emitter.emit(Event::Project(ProjectEvent::Opened));
        Ok(())
    }

    async fn switch(&mut self, session: &mut Session, id: &str) -> Result<(), EngineError> {
        if id != self.open.id || self.open.waiting.is_some() {
            self.flush(session).await?;
            let name = self.open.name.clone();
            self.open_or_leave_alone(session, id, &name).await;
        }
        Ok(())
    }

    async fn rename(&mut self, id: &str, name: &str) -> Result<(), EngineError> {
        if id == self.open.id {
            self.open.name = name.to_owned();
        }
        match &self.store {
            Some(store) if store.ids().await?.iter().any(|known| known == id) => Ok(store.set_name(id, name).await?),
            _ => Ok(()),
        }
    }

    async fn delete(&mut self, session: &mut Session, id: &str, next: &str) -> Result<(), EngineError> {
        if self.store.is_some() && id == self.open.id {
            self.begin_project(session, next);
        }
        let Some(store) = &self.store else { return Ok(()) };
        // Only an id of ours: it becomes a path.
        if store.ids().await?.iter().any(|known| known == id) {
            store.delete(id).await?;
        }
        self.tidy().await?;
        if self.open.trouble.take().is_some() {
            // There may be room now.
            session.workspace.note(Change::Now);
        }
        Ok(())
    }

    async fn export(&mut self, session: &Session) -> Result<(), EngineError> {
        if self.store.is_some() && !self.is_fleeting {
            let saved = self.flush(session).await;
            match (saved, &self.store) {
                (Ok(()), Some(_)) if self.open.newest.0 == 0 => return Err(EngineError::NothingToExport),
                (Ok(()), Some(store)) => {
                    return zip::export(store, &self.open.id, &self.open.name, &self.emitter).await;
                }
                (Ok(()), None) => {}
                // No room on the disk must not keep anybody from taking the work away.
                (Err(error), _) => log::warn!("the project is exported from memory: {error}"),
            }
        }
        self.export_from_memory(session).await
    }

    /// Writes everything that is open into a store in memory and takes the zip from there.
    async fn export_from_memory(&self, session: &Session) -> Result<(), EngineError> {
        let (mut store, mut stored, id) = (ProjectStore::new(Storage::memory()), Stored::default(), "export");
        stored.copy_all(&mut store, &session.workspace, &self.emitter).await;
        let snapshot = stored.snapshot(&session.workspace, session.job.as_deref())?;
        if snapshot.work.is_empty() {
            return Err(EngineError::NothingToExport);
        }
        let mut saving = Saving::new(snapshot, 1, 0, &self.open.page);
        while !saving.write_for_a_moment(&store, id, &mut stored).await? {}
        store.set_name(id, &self.open.name).await?;
        zip::export(&store, id, &self.open.name, &self.emitter).await
    }

    async fn import(&mut self, session: &mut Session, files: &[FileHandle]) -> Result<(), EngineError> {
        let name = Import::name(files);
        let refuse = |reason: String| EngineError::Unfit(format!("`{name}` cannot be opened: {reason}"));
        let import = Import::read(files).await.map_err(&refuse)?;
        self.flush(session).await?;
        // Where nothing may be stored, the project is held in memory until the page closes.
        self.is_fleeting |= self.store.is_none();
        let store = self.store.get_or_insert_with(|| ProjectStore::new(Storage::memory()));
        let id = new_id();
        let mut opened = import.copy_to(store, &id, &self.emitter).await;
        if opened.is_ok() {
            opened = self.open_project(session, &id).await;
        }
        let Err(error) = opened else { return Ok(()) };
        if let Some(store) = &self.store {
            store.delete(&id).await?;
        }
        if self.open.id == id {
            let name = self.open.name.clone();
            self.begin_project(session, &name);
        }
        self.tidy().await?;
        Err(refuse(error.to_string()))
    }
}

fn new_id() -> String {
    format!("p{}", unix_ms() as u64)
}

#[cfg(target_arch = "wasm32")]
async fn store_of_platform() -> Result<Storage, StorageError> {
    Storage::from_browser().await
}

/// Natively whoever runs the engine says where, see [`Engine::store_in`](crate::Engine::store_in).
#[cfg(not(target_arch = "wasm32"))]
#[allow(clippy::unused_async, reason = "the browser's store is opened asynchronously")]
async fn store_of_platform() -> Result<Storage, StorageError> {
    Err(StorageError::Denied { reason: "no folder was given".into() })
}
