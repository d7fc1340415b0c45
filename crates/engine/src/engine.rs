//! The engine's state machine: takes commands one after the other and, between them, moves the running job on by one
//! small piece, so that it answers the page at any time. It knows nothing of workers: the same engine serves the page,
//! the native tests and the command line.

use std::cell::Cell;
use std::rc::Rc;

use futures::channel::mpsc::UnboundedReceiver;
use futures::stream::StreamExt;

use crate::commands::export::Format;
use crate::commands::{
    bench, classify, clusters, descendant, device, end_job, evaluate, explain, export, export_page, open, pictures,
    pools,
};
use crate::crew::Cores;
use crate::emitter::{Emitter, Outlet};
use crate::error::EngineError;
use crate::jobs::{self, Session, Step};
use crate::store::{Autosave, Turn};
use crate::workspace::Change;
use heirloom_plan::protocol::{Asked, Command, Event};
use heirloom_plan::threads::MOST_CORES;
use heirloom_platform::clock::yield_now;
use heirloom_platform::file::FileHandle;
use heirloom_platform::storage::Storage;

/// A command with the files it counts.
pub struct Request {
    /// The command and its number.
    pub asked: Asked,
    /// Its files.
    pub files: Vec<FileHandle>,
}

/// The engine.
pub struct Engine {
    emitter: Emitter,
    session: Session,
    autosave: Autosave,
}

impl Engine {
    /// An engine without a device yet. `stop` is raised by whoever receives [`Command::Stop`] while a command is being
    /// worked on, so that long ones break off at once.
    pub fn new(outlet: Outlet, stop: Rc<Cell<bool>>) -> Self {
        let emitter = Emitter::new(outlet, stop);
        let autosave = Autosave::new(emitter.clone());
        Self { emitter, session: Session::default(), autosave }
    }

    /// Uses this store instead of the browser's.
    pub fn store_in(&mut self, storage: Storage) {
        self.autosave.store_in(storage);
    }

    /// Serves until nobody can send any more.
    pub async fn serve(mut self, mut inbox: UnboundedReceiver<Request>) {
        loop {
            while let Ok(request) = inbox.try_recv() {
                self.answer(request).await;
            }
            let is_working = self.work().await;
            yield_now().await;
            if !is_working {
                match inbox.next().await {
                    Some(request) => self.answer(request).await,
                    None => return,
                }
            }
        }
    }

    async fn answer(&mut self, Request { asked: Asked { id, command }, files }: Request) {
        self.emitter.answering(Some(id));
        self.handle(command, files).await;
        self.emitter.answering(None);
    }

    /// Carries out one command; long ones become the running job.
    pub async fn handle(&mut self, command: Command, files: Vec<FileHandle>) {
        self.emitter.lower_stop();
        if self.autosave.receive_missing(&mut self.session, &command, &files).await {
            return;
        }
        self.autosave.before(&mut self.session, &command).await;
        let (emitter, Session { workspace, job }) = (&self.emitter, &mut self.session);
        match command {
            Command::Start { engine } => emitter.answer(device::start(workspace, engine).await),
            Command::SetCores(cores) => workspace.cores = Cores(cores.clamp(1, MOST_CORES)),
            Command::OpenAncestor { .. } => open::open_ancestor(workspace, emitter, &files).await,
            Command::SetPreparation(_) if job.is_some() => emitter.notify_error(EngineError::Busy),
            Command::SetPreparation(preparation) => emitter.answer(open::set_preparation(workspace, preparation)),
            Command::AddPictures { class, .. } => pictures::add(workspace, emitter, &files, class.as_deref()).await,
            // A job knows its pictures by their place in the set.
            Command::ReadFolders(_) if job.is_some() => emitter.notify_error(EngineError::Busy),
            Command::ReadFolders(level) => pictures::read_folders(workspace, emitter, level).await,
            Command::ClearPictures => pictures::clear(workspace, emitter).await,
            Command::SetSplit(settings) => pictures::set_split(workspace, emitter, settings).await,
            Command::SetClusters(settings) => clusters::set_clusters(workspace, emitter, settings).await,
            Command::ShowAttention { layer, head, picture, patch } => {
                emitter.answer(clusters::show_attention(workspace, [layer, head], picture, patch).await);
            }
            Command::PlanDescendant(settings) => emitter.answer(descendant::plan_descendant(workspace, settings)),
            Command::CutOut { .. } if job.as_ref().is_some_and(|job| job.numbers_models()) => {
                emitter.notify_error(EngineError::Racing);
            }
            Command::CutOut { method, configuration } => {
                emitter.answer(pools::cut_out(workspace, method, configuration))
            }
            Command::Pause | Command::Continue => {
                if let Some(job) = job {
                    job.pause(command == Command::Pause, emitter);
                }
            }
            Command::Stop => self.stop_job(),
            Command::Predict { run, .. } => classify::classify_files(workspace, emitter, run, files).await,
            Command::PredictValidation { run, skip, count } => {
                classify::classify_validation(workspace, emitter, run, [skip, count]).await;
            }
            Command::Glance { run, .. } => classify::classify_frame(workspace, emitter, run, files).await,
            Command::Confusion { run } => evaluate::evaluate_validation(workspace, emitter, run).await,
            Command::ExportSafetensors { run } => {
                export::export_model(workspace, emitter, run, Format::Safetensors).await;
            }
            Command::ExportOnnx { run } => export::export_model(workspace, emitter, run, Format::Onnx).await,
            Command::ExportPackage { run } => export::export_model(workspace, emitter, run, Format::Package).await,
            Command::ExportPage { run, .. } => export_page::export_page(workspace, emitter, run, &files).await,
            Command::Look { run, picture, at } => emitter.answer(explain::look(workspace, run, picture, at).await),
            Command::Thumbnails { paths } => explain::thumbnails(workspace, emitter, paths).await,
            Command::ExportCurves => export::export_curves(workspace, emitter),
            Command::Project(command) => self.autosave.project(&mut self.session, command, &files).await,
            Command::Bench { work, warm, reps, budget } => {
                if let Ok(acquired) = workspace.acquired() {
                    let measured = bench::bench(&acquired.device, &work, warm, reps, budget).await;
                    emitter.answer(measured.map(|json| Event::Bench { work, json }).map_err(EngineError::Bench));
                }
            }
            // Everything else asks for a job.
            command => self.start_job(command).await,
        }
    }

    /// Keeps what there is to keep for a moment, and moves the running job on by one piece; `false` when neither is to be
    /// done (or the job is paused).
    pub async fn work(&mut self) -> bool {
        let has_copied = match self.autosave.turn(&self.session).await {
            Turn::Saving => return true,
            Turn::Copied => true,
            Turn::Idle => false,
        };
        let Session { workspace, job } = &mut self.session;
        let Some(job) = job.as_mut().filter(|job| !job.is_paused()) else { return has_copied };
        self.emitter.answering_for_job();
        if let Step::Ended { is_finished } = job.advance(workspace, &self.emitter).await {
            self.end_job(is_finished);
        }
        self.emitter.answering(None);
        true
    }

    async fn start_job(&mut self, command: Command) {
        let (emitter, Session { workspace, job }) = (&self.emitter, &mut self.session);
        if job.is_some() {
            return emitter.notify_error(EngineError::Busy);
        }
        match jobs::start(&command, workspace).await {
            Some(Ok(started)) => {
                if started.lasting().is_some() {
                    workspace.note(Change::Soon);
                }
                emitter.job_begins();
                job.insert(started).announce(emitter);
            }
            Some(Err(error)) => emitter.notify_error(error),
            None => emitter.notify_error(EngineError::Unknown(format!("{command:?}"))),
        }
    }

    fn stop_job(&mut self) {
        if let Some(job) = &mut self.session.job {
            self.emitter.of_job(|| job.stop(&mut self.session.workspace, &self.emitter));
            self.end_job(false);
        }
    }

    fn end_job(&mut self, is_finished: bool) {
        if let Some(job) = self.session.job.take() {
            end_job(&self.session.workspace, &self.emitter, job.kind(), is_finished);
        }
    }
}
