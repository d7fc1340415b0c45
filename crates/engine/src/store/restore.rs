//! Making a workspace of what was saved: the ancestor is opened, the pictures are taken back, the heads stand as they were
//! measured, models are loaded, and a job that was under way goes on at the step it was saved at.

use std::collections::HashMap;

use futures::FutureExt;
use futures::future::LocalBoxFuture;
use sha2::{Digest, Sha256};

use super::copy::{SLICE, Stored};
use super::project_store::{Generation, ProjectStore};
use crate::commands::{clusters, descendant, emit_speed, open, pictures};
use crate::emitter::Emitter;
use crate::error::EngineError;
use crate::jobs::{self, Job, TensorSource};
use crate::saved::{Part, SavedInputs, SavedModel, SavedPool, SavedTied, SavedWork, StoredFile, from_hex, hex};
use crate::workspace::{FinishedPool, Id, LearnedTied, Trained, Workspace};
use heirloom_checkpoint::Sealed;
use heirloom_data::{KnownPicture, Normalise, Source};
use heirloom_nn::model::Model;
use heirloom_plan::protocol::Event;
use heirloom_platform::clock::yield_now;
use heirloom_platform::file::FileHandle;
use heirloom_train::{HostTensors, SavedTensors, TrainError};

/// Files that are not in the store but were dropped again, by checksum.
pub type Given = HashMap<String, Source>;

/// A project on its way back into a workspace in which nothing is open.
pub struct Restoring<'a> {
    pub store: &'a ProjectStore,
    /// Which project.
    pub id: &'a str,
    pub stored: &'a mut Stored,
    pub given: &'a Given,
    pub workspace: &'a mut Workspace,
    pub job: &'a mut Option<Box<dyn Job>>,
    pub emitter: &'a Emitter,
    /// Whether a job waits for the person.
    pub is_calm: bool,
}

impl Restoring<'_> {
    /// Restores everything.
    pub async fn run(mut self, generation: Generation) -> Result<(), EngineError> {
        let Generation { work, sealed, .. } = generation;
        self.workspace.flops_per_second = work.flops_per_second;
        emit_speed(self.workspace, self.emitter);
        for pool in &work.pools {
            self.pool(pool).await?;
        }
        if let Some(tied) = &work.tied {
            self.tied(tied).await?;
        }
        // A job goes on with what it was started with, whatever the person has changed since.
        let first = work.earlier_inputs().unwrap_or(&work.inputs);
        self.inputs(first).await?;
        self.job(&work, sealed).await?;
        if *first != work.inputs {
            self.inputs(&work.inputs).await?;
        }
        if let Some(settings) = work.descendant {
            self.emitter.answer(descendant::plan_descendant(self.workspace, settings));
        }
        for model in work.models {
            let trained = match model {
                Some(model) => Some(self.trained(model).await?),
                None => None,
            };
            self.workspace.trained.push(trained);
        }
        (self.workspace.last_race, self.workspace.last_queue) = (work.last_race, work.last_queue);
        if let (None, Some(report)) = (&self.job, &self.workspace.last_race) {
            self.emitter.emit(Event::Race(report.clone()));
            if let Some(queue) = &self.workspace.last_queue {
                self.emitter.emit(Event::Experiment(queue.report(None)));
            }
        }
        for cut in self.workspace.trained.iter().flatten().filter_map(|trained| trained.cut.as_ref()) {
            self.emitter.emit(Event::Cut(cut.clone()));
        }
        Ok(())
    }

    async fn inputs(&mut self, inputs: &SavedInputs) -> Result<(), EngineError> {
        self.ancestor(inputs).await?;
        let mut known = Vec::new();
        for picture in &inputs.pictures {
            let (file, class) = (&picture.file, picture.class.clone());
            let source = match self.given.get(&file.sha256) {
                Some(source) => source.clone(),
                None => {
                    Source::File(self.store.storage.file(&ProjectStore::blob_path(&file.sha256), &file.path).await?)
                }
            };
            let hash = from_hex(&file.sha256).unwrap_or_default();
            known.push(KnownPicture { path: file.path.clone(), class, source, hash });
        }
        let sums = known.iter().map(|picture| picture.hash).collect();
        pictures::restore(self.workspace, self.emitter, known, &inputs.refused, inputs.split).await?;
        self.stored.files.insert(self.workspace.dataset.id, sums);
        self.workspace.condensed.clone_from(&inputs.condensed);
        if let Some(report) = &inputs.condensed {
            self.emitter.emit(Event::Condensed(report.clone()));
        }
        if let Some(heads) = &inputs.heads {
            clusters::restore_heads(self.workspace, self.emitter, heads.clone()).await?;
        }
        Ok(())
    }

    /// Opens the ancestor, unless it is open already.
    async fn ancestor(&mut self, inputs: &SavedInputs) -> Result<(), EngineError> {
        let sums: Vec<_> = inputs.ancestor.iter().map(|file| from_hex(&file.sha256).unwrap_or_default()).collect();
        let open = self.workspace.ancestor.as_ref();
        if !sums.is_empty() && open.is_none_or(|open| sums != self.stored.checksums(open.id)) {
            let mut files = Vec::new();
            for file in &inputs.ancestor {
                files.push(match self.given.get(&file.sha256) {
                    Some(Source::File(given)) => given.clone(),
                    _ => stored_file(self.store, file).await?,
                });
            }
            self.workspace.ancestor = None;
            open::open_ancestor(self.workspace, self.emitter, &files).await;
            let Some(ancestor) = &mut self.workspace.ancestor else {
                return Err(EngineError::Unfit("its ancestor could not be opened".into()));
            };
            // All that were kept, so that each has its checksum.
            ancestor.files = files;
            self.stored.files.insert(ancestor.id, sums);
        }
        if let (Some(ancestor), Some(preparation)) = (&mut self.workspace.ancestor, inputs.preparation)
            && ancestor.summary.preparation != preparation
        {
            ancestor.prepare(preparation);
            self.emitter.emit(Event::Ancestor(ancestor.summary.clone()));
        }
        Ok(())
    }

    /// The job that was under way.
    async fn job(&mut self, work: &SavedWork, sealed: Sealed) -> Result<(), EngineError> {
        let Some(saved) = work.job() else { return Ok(()) };
        let parts = saved.parts.iter().map(|(at, part)| (format!("{}.{at}.", saved.prefix), part.clone()));
        let (store, id) = (self.store, self.id);
        let mut tensors = JobSource { store, id, sealed: SealedTensors(Some(sealed)), parts: parts.collect() };
        let Some(mut job) = jobs::resume(work, self.workspace, &mut tensors).await? else { return Ok(()) };
        if let Some(lasting) = job.lasting_mut() {
            lasting.is_paused |= self.is_calm;
            let parts = saved.parts.iter().filter_map(|(at, part)| Some((*lasting.parts.get(*at)?, part.clone())));
            self.stored.parts.extend(parts);
        }
        job.announce(self.emitter);
        *self.job = Some(job);
        Ok(())
    }

    /// A pool that ended, with its weights.
    async fn pool(&mut self, saved: &SavedPool) -> Result<(), EngineError> {
        let device = self.workspace.acquired()?.device.clone().inner();
        let mut tensors = SealedTensors(match &saved.part {
            Some(part) => Some(open_part(self.store, self.id, part).await?),
            None => None,
        });
        let pool = FinishedPool::restore(saved.clone(), &mut tensors, &device).await?;
        self.stored.parts.extend(saved.part.clone().map(|part| (pool.id, part)));
        let report = pool.report.clone();
        *self.workspace.pools.of(report.settings.method) = Some(pool);
        self.emitter.emit(Event::Pool(Box::new(report)));
        Ok(())
    }

    /// Learned tied layers, with their weights.
    async fn tied(&mut self, saved: &SavedTied) -> Result<(), EngineError> {
        let device = self.workspace.acquired()?.device.clone().inner();
        let Some(part) = &saved.part else { return Err(EngineError::Unfit("tied layers were not saved".into())) };
        let mut tensors = SealedTensors(Some(open_part(self.store, self.id, part).await?));
        let tied = LearnedTied::restore(saved, &mut tensors, &device).await?;
        self.stored.parts.insert(tied.id, part.clone());
        self.emitter.emit(Event::Tied(Box::new(tied.report.clone())));
        self.workspace.tied = Some(tied);
        Ok(())
    }

    async fn trained(&mut self, saved: SavedModel) -> Result<Trained, EngineError> {
        let device = self.workspace.acquired()?.device.clone().inner();
        let SavedModel { part, config, classes, mean, std, arm, seed, cut } = saved;
        let Some(part) = part else { return Err(EngineError::Unfit("a trained model was not saved".into())) };
        let sealed = open_part(self.store, self.id, &part).await?;
        let (id, model) = (Id::default(), Model::load(&config, &mut &sealed, &device).await?);
        self.stored.parts.insert(id, part);
        Ok(Trained { id, model, classes, normalise: Normalise { mean, std }, arm, seed, cut })
    }
}

/// A file of the store, after its checksum was compared.
async fn stored_file(store: &ProjectStore, file: &StoredFile) -> Result<FileHandle, EngineError> {
    let handle = store.storage.file(&ProjectStore::blob_path(&file.sha256), &file.path).await?;
    match sha256(&handle).await? == file.sha256 {
        true => Ok(handle),
        false => Err(EngineError::Unfit(format!("`{}` was damaged in the store: its checksum is wrong", file.path))),
    }
}

/// The checksum of a file in hexadecimal.
pub async fn sha256(file: &FileHandle) -> Result<String, EngineError> {
    let mut hash = Sha256::new();
    for start in (0..file.len()).step_by(SLICE as usize) {
        hash.update(file.read(start..(start + SLICE).min(file.len())).await?);
        yield_now().await;
    }
    Ok(hex(&hash.finalize()))
}

/// A part whose seal holds and is the one that was noted.
async fn open_part(store: &ProjectStore, id: &str, part: &Part) -> Result<Sealed, EngineError> {
    let file = store.storage.file(&ProjectStore::part_path(id, &part.name), &part.name).await?;
    let sealed = Sealed::open(file).await?;
    match hex(&sealed.verify().await?) == part.sha256 {
        true => Ok(sealed),
        false => Err(EngineError::Unfit(format!("`{}` is another model than the one that was saved", part.name))),
    }
}

/// The tensors of a job: those in training in the generation, those of models that are done in their parts.
struct JobSource<'a> {
    store: &'a ProjectStore,
    id: &'a str,
    sealed: SealedTensors,
    /// Parts by the prefix that their tensors are asked for under.
    parts: HashMap<String, Part>,
}

impl TensorSource for JobSource<'_> {
    fn read<'a>(&'a mut self, prefix: &'a str) -> LocalBoxFuture<'a, Result<HostTensors, TrainError>> {
        async move {
            let Some(part) = self.parts.get(prefix) else { return self.sealed.take(prefix).await };
            let opened = open_part(self.store, self.id, part).await;
            SealedTensors(Some(opened.map_err(|error| TrainError::State(error.to_string()))?)).take("").await
        }
        .boxed_local()
    }
}

/// The tensors of a sealed file; none without one.
struct SealedTensors(Option<Sealed>);

impl SavedTensors for SealedTensors {
    async fn take(&mut self, prefix: &str) -> Result<HostTensors, TrainError> {
        let mut tensors = HostTensors::new();
        let Some(sealed) = &self.0 else { return Ok(tensors) };
        for name in sealed.names(prefix) {
            let tensor = sealed.tensor(&name).await.map_err(|error| TrainError::State(error.to_string()))?;
            tensors.insert(name[prefix.len()..].to_owned(), tensor);
        }
        Ok(tensors)
    }
}
