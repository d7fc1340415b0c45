//! The page's engine, driven from the command line: one command after the other, each worked on until nothing is left.

use std::cell::{Cell, RefCell, RefMut};
use std::path::Path;
use std::rc::Rc;

use heirloom_data::{model_files, walk};

use heirloom_nn::device::{Acquired, DeviceError, acquire_cpu, acquire_webgpu};
use heirloom_plan::protocol::{
    ClusterReport, Command, CondenseReport, DescendantSummary, Engine, Event, ExperimentReport, FileRef, NoticeLevel,
    PicturesSummary, ProjectCommand, ProjectEvent, RaceReport, Saved,
};
use heirloom_platform::file::FileHandle;
use heirloom_platform::storage::Storage;

use crate::Failure;

/// A device without a session, for commands that work on a model alone.
///
/// # Errors
/// When there is no such device.
pub async fn device(engine: Engine) -> Result<Acquired, DeviceError> {
    match engine {
        Engine::Cpu => acquire_cpu().await,
        Engine::WebGpu => acquire_webgpu().await,
    }
}

/// What the engine said last.
#[derive(Default)]
pub struct Said {
    failures: Vec<String>,
    /// The pictures there are.
    pub pictures: Option<PicturesSummary>,
    /// The clusters of heads.
    pub clusters: Option<ClusterReport>,
    /// How alike layers are.
    pub condensed: Option<CondenseReport>,
    /// The descendant as planned.
    pub descendant: Option<DescendantSummary>,
    /// Where a race stands.
    pub race: Option<RaceReport>,
    /// Where an experiment stands.
    pub experiment: Option<ExperimentReport>,
    /// The file that was written last.
    pub file: Option<Vec<u8>>,
}

impl Said {
    fn hear(&mut self, event: Event, bytes: Option<Vec<u8>>) {
        match event {
            Event::Notice(notice) if notice.level == NoticeLevel::Error => self.failures.push(notice.text),
            Event::Notice(notice) => eprintln!("{}", notice.text),
            Event::Engine(report) => eprintln!("engine: {:?}, {}", report.engine, report.name),
            Event::Project(ProjectEvent::Saved(Saved { bytes, seconds, .. })) => {
                eprintln!("saved: {:.1} MB in {seconds:.2} s", bytes as f64 / 1e6);
            }
            Event::Progress(progress) => {
                let left = progress.seconds_left.map(|left| format!("  about {left:.0} s left"));
                eprintln!("{} of {}  {}{}", progress.done, progress.total, progress.note, left.unwrap_or_default());
            }
            Event::Pictures(summary) => self.pictures = Some(summary),
            Event::Clusters(report) => self.clusters = Some(report),
            Event::Condensed(report) => self.condensed = Some(report),
            Event::Descendant(summary) => self.descendant = Some(summary),
            Event::Race(report) => self.race = Some(report),
            Event::Experiment(report) => self.experiment = Some(report),
            Event::File { .. } => self.file = bytes,
            _ => {}
        }
    }

    /// The first failure. That a run diverged is none: its report says so, and the other runs count.
    fn failure(&mut self) -> Option<String> {
        let is_of_a_run = |failure: &String| {
            let runs = self.race.iter().flat_map(|race| &race.runs);
            let mut reasons = runs.filter_map(|run| run.failure.as_ref());
            reasons.any(|reason| failure.to_lowercase().contains(&reason.to_lowercase()))
        };
        let failures = std::mem::take(&mut self.failures);
        failures.into_iter().find(|failure| !is_of_a_run(failure))
    }
}

/// A session of the engine.
pub struct Session {
    engine: heirloom_engine::Engine,
    said: Rc<RefCell<Said>>,
}

impl Session {
    /// Starts an engine. With a folder it keeps its work there, and goes on with what was broken off.
    ///
    /// # Errors
    /// When there is no such device, or the folder cannot be used.
    pub async fn start(engine: Engine, kept_in: Option<&Path>) -> Result<Self, Failure> {
        let said: Rc<RefCell<Said>> = Rc::default();
        let heard = said.clone();
        let outlet = move |said: heirloom_plan::protocol::Said, bytes: Option<Vec<u8>>| {
            heard.borrow_mut().hear(said.event, bytes)
        };
        let driven = heirloom_engine::Engine::new(Box::new(outlet), Rc::new(Cell::new(false)));
        let mut session = Self { engine: driven, said };
        session.send(Command::Start { engine: Some(engine) }).await?;
        if let Some(folder) = kept_in {
            session.engine.store_in(Storage::in_folder(folder)?);
            let begin = ProjectCommand::Begin { name: "race".into(), quota: None, calm: false };
            session.send(Command::Project(begin)).await?;
        }
        Ok(session)
    }

    /// Sends a command and works until nothing is left to do.
    ///
    /// # Errors
    /// The first sentence with which the engine said that something did not work.
    pub async fn send(&mut self, command: Command) -> Result<(), Failure> {
        self.hand(Vec::new(), |_| command).await
    }

    /// Sends a command with files.
    ///
    /// # Errors
    /// As [`Session::send`].
    pub async fn hand(
        &mut self,
        files: Vec<FileHandle>,
        command: impl FnOnce(Vec<FileRef>) -> Command,
    ) -> Result<(), Failure> {
        let reference =
            |(index, file): (usize, &FileHandle)| FileRef { index, path: file.path().into(), size: file.len() };
        let references = files.iter().enumerate().map(reference).collect();
        self.engine.handle(command(references), files).await;
        while self.engine.work().await {}
        self.said().failure().map_or(Ok(()), |failure| Err(failure.into()))
    }

    /// Opens an ancestor and pictures.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub async fn open(&mut self, model: &Path, pictures: &Path) -> Result<(), Failure> {
        self.hand(model_files(model)?, |files| Command::OpenAncestor { files }).await?;
        self.hand(walk(pictures)?, |files| Command::AddPictures { files, class: None }).await
    }

    /// What the engine said last; let go of it before the next command.
    pub fn said(&self) -> RefMut<'_, Said> {
        self.said.borrow_mut()
    }
}
