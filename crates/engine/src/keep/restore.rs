//! Making a session of what was kept: the ancestor is opened, the pictures are taken back, the heads stand as they were
//! measured, models are loaded, and a race or a pool goes on at the step it was saved at.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::Change;
use super::missing::Waiting;
use super::store::{Generation, KeepError, Newest, Projects};
use super::work::{Part, SavedInputs, SavedModel, SavedPool, SavedPoolJob, SavedRace, StoredFile, hex, of_hex};
use crate::pool::made::Made;
use crate::race::Trained;
use crate::runner::{Job, Runner};
use heirloom_checkpoint::Sealed;
use heirloom_data::{KnownPicture, Normalise, Source};
use heirloom_nn::model::Model;
use heirloom_plan::forecast::Forecast;
use heirloom_plan::protocol::{Event, ProjectEvent, RaceState};
use heirloom_platform::clock::{now_ms, unix_ms, yield_now};
use heirloom_platform::file::FileHandle;
use heirloom_train::{HostTensors, SavedTensors, TrainError};

/// Bytes read at a time.
const SLICE: u64 = 2 << 20;

/// Files that are not in the store but were dropped again, by checksum.
pub(super) type Given = HashMap<String, Source>;

impl Runner {
    /// Opens the newest whole generation of a project in place of whatever is open.
    pub(super) async fn open_project(&mut self, id: &str) -> Result<(), KeepError> {
        let Some(projects) = self.keeper.projects.clone() else { return Ok(()) };
        let Newest { generation, damaged } = projects.newest(id).await?;
        let name = projects.name(id).await;
        self.forget_work();
        let (keeper, work) = (&mut self.keeper, &generation.work);
        (keeper.id, keeper.name, keeper.page) = (id.to_owned(), name.clone(), work.page.clone());
        keeper.newest = (work.generation, generation.slot);
        self.say(Event::Project(ProjectEvent::Opening {
            id: id.to_owned(),
            name: name.clone(),
            page: work.page.clone(),
        }));
        if let Some(reason) = damaged {
            let minutes = (unix_ms() - work.saved_at).max(0.0) / 60_000.0;
            self.inform(format!(
                "the newest saved state of `{name}` is damaged ({reason}). The one before it, saved {minutes:.0} minutes \
                 ago, was opened"
            ));
        }
        if let Err(error) = projects.set_last(id).await {
            log::warn!("which project is open could not be noted: {error}");
        }
        let missing = projects.missing(work).await;
        if missing.is_empty() {
            self.bring_back(generation, Given::new()).await?;
        } else {
            self.wait_for(Waiting::new(generation, missing));
        }
        self.say(Event::Project(ProjectEvent::Opened));
        Ok(())
    }

    /// Restores everything; `given` holds the files that the store lacks.
    pub(super) async fn bring_back(&mut self, generation: Generation, given: Given) -> Result<(), KeepError> {
        let Some(projects) = self.keeper.projects.clone() else { return Ok(()) };
        let Generation { work, sealed, .. } = generation;
        self.flops_per_second = work.flops_per_second;
        self.tell_speed();
        for pool in work.pools.clone() {
            self.load_pool(&projects, pool).await?;
        }
        // A job goes on with what it was started with, whatever the person has changed since.
        let first = work.earlier_inputs().unwrap_or(&work.inputs);
        self.take_inputs(&projects, first, &given).await?;
        match (work.race.clone(), work.pool_job.clone()) {
            (Some(race), _) => self.take_up_race(&projects, race, sealed).await?,
            (None, Some(pool)) => self.take_up_pool(&projects, pool, sealed).await?,
            (None, None) => {}
        }
        if *first != work.inputs {
            self.take_inputs(&projects, &work.inputs, &given).await?;
        }
        if let Some(settings) = work.descendant {
            self.plan_descendant(settings);
        }
        for model in work.models {
            let trained = match model {
                Some(model) => Some(self.load_trained(&projects, model).await?),
                None => None,
            };
            self.trained.push(trained);
        }
        (self.last_race, self.last_queue) = (work.last_race, work.last_queue);
        if let (None, Some(report)) = (&self.job, &self.last_race) {
            self.say(Event::Race(report.clone()));
            if let Some(queue) = &self.last_queue {
                self.say(Event::Experiment(queue.report(None)));
            }
        }
        for trained in self.trained.iter().flatten() {
            if let Some(cut) = &trained.cut {
                self.say(Event::Cut(cut.clone()));
            }
        }
        if !given.is_empty() {
            // They are copied now if there is room for them.
            self.keeper.ancestor.clear();
            self.keeper.pictures.clear();
        }
        self.keeper.change.set(Change::None);
        self.keeper.last = (now_ms(), 0.0);
        Ok(())
    }

    async fn take_inputs(&mut self, projects: &Projects, inputs: &SavedInputs, given: &Given) -> Result<(), KeepError> {
        let of_ancestor: Vec<_> = inputs.ancestor.iter().map(|file| of_hex(&file.sha256)).collect();
        if !of_ancestor.is_empty() && (self.ancestor.is_none() || of_ancestor != self.keeper.ancestor) {
            let mut files = Vec::new();
            for file in &inputs.ancestor {
                files.push(match given.get(&file.sha256) {
                    Some(Source::File(given)) => given.clone(),
                    _ => stored_file(projects, file).await?,
                });
            }
            self.ancestor = None;
            self.open_ancestor(&files).await;
            if self.ancestor.is_none() {
                return Err(KeepError::Unfit("its ancestor could not be opened".into()));
            }
            self.keeper.ancestor = of_ancestor;
        }
        if let (Some(ancestor), Some(preparation)) = (&mut self.ancestor, inputs.preparation)
            && ancestor.summary.preparation != preparation
        {
            ancestor.normalise = Normalise { mean: preparation.mean, std: preparation.std };
            ancestor.summary.preparation = preparation;
            let summary = ancestor.summary.clone();
            self.say(Event::Ancestor(summary));
        }
        let mut known = Vec::new();
        for picture in &inputs.pictures {
            let file = &picture.file;
            let source = match given.get(&file.sha256) {
                Some(source) => source.clone(),
                None => Source::File(projects.storage.file(&Projects::blob_path(&file.sha256), &file.path).await?),
            };
            let hash = of_hex(&file.sha256).unwrap_or_default();
            known.push(KnownPicture { path: file.path.clone(), class: picture.class.clone(), source, hash });
        }
        self.keeper.pictures = known.iter().map(|picture| picture.hash).collect();
        self.take_back_pictures(known, &inputs.refused, inputs.split).await.map_err(KeepError::Unfit)?;
        self.condensed.clone_from(&inputs.condensed);
        if let Some(report) = &self.condensed {
            self.say(Event::Condensed(report.clone()));
        }
        match &inputs.heads {
            Some(heads) => self.restore_heads(heads.clone()).await.map_err(KeepError::Unfit),
            None => Ok(()),
        }
    }

    async fn take_up_race(&mut self, projects: &Projects, race: SavedRace, sealed: Sealed) -> Result<(), KeepError> {
        let SavedRace { queue, is_paused, header, trained, inputs } = race;
        let fresh = self.begin_race(queue, Forecast::new(self.flops_per_second)).map_err(KeepError::Unfit)?;
        let mut tensors = self.kept_tensors(projects, sealed, "trained", &trained);
        let mut job = fresh.resume(header, &mut tensors).await?;
        for (run, part) in trained {
            *job.kept(run).borrow_mut() = Some(part);
        }
        job.inputs = inputs;
        job.is_paused = is_paused || self.keeper.calm;
        job.rested();
        self.keeper.passes = job.passes();
        let state = if job.is_paused() { RaceState::Paused } else { RaceState::Running };
        self.pace.begin(0);
        let report = job.report(state);
        self.say(Event::Race(report.clone()));
        if job.queue.is_experiment() {
            self.say(Event::Experiment(job.queue.report(Some(report))));
        }
        self.job = Some(Job::Race(Box::new(job)));
        Ok(())
    }

    async fn take_up_pool(&mut self, projects: &Projects, pool: SavedPoolJob, sealed: Sealed) -> Result<(), KeepError> {
        let SavedPoolJob { header, inputs, distilled } = pool;
        let mut tensors = self.kept_tensors(projects, sealed, "distilled", &distilled);
        let mut job = self.resume_pool(header, &mut tensors).await.map_err(KeepError::Unfit)?;
        for (model, part) in distilled {
            *job.kept(model).borrow_mut() = Some(part);
        }
        job.inputs = inputs;
        job.is_paused |= self.keeper.calm;
        self.keeper.passes = job.passes();
        self.begin_pool(job);
        Ok(())
    }

    /// A pool that ended, with its weights.
    async fn load_pool(&mut self, projects: &Projects, saved: SavedPool) -> Result<(), KeepError> {
        let Some(acquired) = &self.acquired else { return Err(KeepError::Unfit("there is no device".into())) };
        let mut tensors = match &saved.part {
            Some(part) => SealedTensors(Some(open_part(projects, &self.keeper.id, part).await?)),
            None => SealedTensors(None),
        };
        let made = Made::restore(saved, &mut tensors, &acquired.device.clone().inner()).await?;
        let report = made.report.clone();
        *self.pools.of(report.settings.method) = Some(made);
        self.say(Event::Pool(Box::new(report)));
        Ok(())
    }

    fn kept_tensors(&self, projects: &Projects, sealed: Sealed, kind: &str, parts: &[(usize, Part)]) -> KeptTensors {
        let parts = parts.iter().map(|(at, part)| (format!("{kind}.{at}."), part.clone())).collect();
        KeptTensors {
            projects: projects.clone(),
            id: self.keeper.id.clone(),
            sealed: SealedTensors(Some(sealed)),
            parts,
        }
    }

    async fn load_trained(&self, projects: &Projects, saved: SavedModel) -> Result<Trained, KeepError> {
        let Some(acquired) = &self.acquired else { return Err(KeepError::Unfit("there is no device".into())) };
        let Some(part) = saved.part else { return Err(KeepError::Unfit("a trained model was not saved".into())) };
        let sealed = open_part(projects, &self.keeper.id, &part).await?;
        let device = acquired.device.clone().inner();
        let model = Model::load(&saved.config, &mut &sealed, &device).await?;
        let normalise = Normalise { mean: saved.mean, std: saved.std };
        let SavedModel { classes, arm, seed, cut, .. } = saved;
        Ok(Trained { model, classes, normalise, arm, seed, cut, kept: std::rc::Rc::new(Some(part).into()) })
    }
}

/// A file of the store, after its checksum was compared.
async fn stored_file(projects: &Projects, file: &StoredFile) -> Result<FileHandle, KeepError> {
    let handle = projects.storage.file(&Projects::blob_path(&file.sha256), &file.path).await?;
    match sha256(&handle).await? == file.sha256 {
        true => Ok(handle),
        false => Err(KeepError::Unfit(format!("`{}` was damaged in the store: its checksum is wrong", file.path))),
    }
}

/// The checksum of a file in hexadecimal.
pub(super) async fn sha256(file: &FileHandle) -> Result<String, KeepError> {
    let mut hash = Sha256::new();
    for start in (0..file.len()).step_by(SLICE as usize) {
        let read = file.read(start..(start + SLICE).min(file.len())).await;
        hash.update(read.map_err(|error| KeepError::Unfit(error.to_string()))?);
        yield_now().await;
    }
    Ok(hex(&hash.finalize()))
}

/// A part whose seal holds and is the one that was noted.
async fn open_part(projects: &Projects, id: &str, part: &Part) -> Result<Sealed, KeepError> {
    let sealed = Sealed::open(projects.storage.file(&Projects::part_path(id, &part.name), &part.name).await?).await?;
    match hex(&sealed.verify().await?) == part.sha256 {
        true => Ok(sealed),
        false => Err(KeepError::Unfit(format!("`{}` is another model than the one that was saved", part.name))),
    }
}

/// The tensors of a job: those in training in the generation, those of models that are done in their parts.
struct KeptTensors {
    projects: Projects,
    id: String,
    sealed: SealedTensors,
    /// Parts by the prefix that their tensors are asked for under.
    parts: Vec<(String, Part)>,
}

impl SavedTensors for KeptTensors {
    async fn take(&mut self, prefix: &str) -> Result<HostTensors, TrainError> {
        let Some((_, part)) = self.parts.iter().find(|(named, _)| named == prefix) else {
            return self.sealed.take(prefix).await;
        };
        let opened = open_part(&self.projects, &self.id, part).await;
        SealedTensors(Some(opened.map_err(|error| TrainError::State(error.to_string()))?)).take("").await
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
