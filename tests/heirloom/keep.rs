//! What is kept comes back: races, models, projects, zips; and what cannot be kept is said.
// Half of the tests, and so of their helpers, are native only.
#![cfg_attr(target_arch = "wasm32", allow(dead_code))]

mod handing_on;
mod hostile;
mod pools;
mod projects;
mod resume;
mod storage;
#[cfg(not(target_arch = "wasm32"))]
mod tied;
mod trouble;

use crate::session::{TestEngine, ancestor, descendant, find, pictures, refs, training};
use heirloom_plan::protocol::*;
use heirloom_platform::file::FileHandle;
use heirloom_platform::storage::Storage;

/// A place for a store that is removed at the end.
#[cfg(not(target_arch = "wasm32"))]
pub struct Place(tempfile::TempDir);

#[cfg(not(target_arch = "wasm32"))]
impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn storage(&self) -> Storage {
        Storage::in_folder(self.0.path()).unwrap()
    }

    pub fn path(&self, inside: &str) -> std::path::PathBuf {
        self.0.path().join(inside)
    }
}

pub fn begin() -> Command {
    Command::Project(ProjectCommand::Begin { name: "First".into(), quota: None, calm: false })
}

/// An engine that keeps its work in `storage`; what it restored stands in its ears. Nothing is worked on yet.
pub async fn engine_on(storage: &Storage, begin: Command) -> TestEngine {
    let mut engine = TestEngine::start().await;
    engine.inner.store_in(storage.clone());
    engine.heard.borrow_mut().clear();
    engine.inner.handle(begin, Vec::new()).await;
    engine
}

/// Ancestor, pictures and heads.
pub async fn bring(engine: &mut TestEngine, per_class: usize) {
    engine.open(ancestor()).await;
    let files = pictures(per_class);
    engine.send(Command::AddPictures { files: refs(&files), class: None }, files).await;
    engine.send(Command::MeasureHeads(MeasureSettings { pictures: 2, renormalise: false }), Vec::new()).await;
    engine.send(Command::PlanDescendant(descendant().into()), Vec::new()).await;
}

pub fn heard_all(engine: &TestEngine) -> Vec<Event> {
    engine.heard.borrow().iter().map(|(event, _)| event.clone()).collect()
}

pub fn notices(engine: &TestEngine) -> Vec<String> {
    let text = |event: Event| if let Event::Notice(notice) = event { Some(notice.text) } else { None };
    heard_all(engine).into_iter().filter_map(text).collect()
}

pub fn saves(engine: &TestEngine) -> usize {
    heard_all(engine).iter().filter(|event| matches!(event, Event::Project(ProjectEvent::Saved(_)))).count()
}

pub fn race_of(engine: &TestEngine) -> Option<RaceReport> {
    find(&engine.heard.borrow(), |event| if let Event::Race(race) = event { Some(race.clone()) } else { None })
}

/// The newest report of a pool.
pub fn pool_of(engine: &TestEngine, method: Method) -> Option<PoolReport> {
    find(&engine.heard.borrow(), |event| match event {
        Event::Pool(report) if report.settings.method == method => Some((**report).clone()),
        _ => None,
    })
}

/// Works until `enough`, or nothing is left to do.
pub async fn work_until(engine: &mut TestEngine, enough: impl Fn(&TestEngine) -> bool) {
    while !enough(engine) && engine.inner.work().await {}
}

/// Asks for a save and works until it is done.
pub async fn save(engine: &mut TestEngine) {
    let before = saves(engine);
    engine.inner.handle(Command::Project(ProjectCommand::Save), Vec::new()).await;
    work_until(engine, |engine| saves(engine) > before).await;
}

/// The open project as a zip.
pub async fn zip_of(engine: &mut TestEngine) -> Vec<u8> {
    let heard = engine.send(Command::Project(ProjectCommand::Export), Vec::new()).await;
    let zip = heard.into_iter().find_map(|(event, bytes)| match event {
        Event::File { name, .. } if name == "First.zip" => bytes,
        _ => None,
    });
    zip.expect("a zip")
}

/// Opens a project's zip; what was complained of.
pub async fn import(engine: &mut TestEngine, zip: Vec<u8>) -> Vec<String> {
    let files = vec![FileHandle::from_bytes("project.zip", zip)];
    let command = Command::Project(ProjectCommand::Import { files: refs(&files) });
    engine.send(command, files).await;
    notices(engine)
}

pub fn list_of(engine: &TestEngine) -> ProjectList {
    let list = |event: &Event| match event {
        Event::Project(ProjectEvent::List(list)) => Some(list.clone()),
        _ => None,
    };
    find(&engine.heard.borrow(), list).expect("a list of projects")
}

/// Two seeds, drop-path and augmentation: everything random there is.
pub fn race(steps: usize) -> TrainSettings {
    let lr = LearningRate::Relative { relative: 1e-2, fresh: 3e-3 };
    TrainSettings { seeds: 2, steps, lr, drop_path: 0.2, validate_every: 2, ..training() }
}

/// What the chosen model says of a picture.
pub async fn prediction(engine: &mut TestEngine, run: usize) -> Prediction {
    let files = vec![pictures(1).remove(0)];
    let heard = engine.send(Command::Predict { run: Some(run), files: refs(&files) }, files).await;
    find(&heard, |event| if let Event::Prediction(p) = event { Some(p.clone()) } else { None }).expect("a prediction")
}
