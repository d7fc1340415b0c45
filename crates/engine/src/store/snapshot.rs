//! What there is to save: the workspace and the job under way as [`SavedWork`], and the files that are to be written
//! before it and with it.

use std::collections::VecDeque;

use super::copy::Stored;
use crate::jobs::{Job, JobTensors};
use crate::saved::{
    Part, SavedInputs, SavedModel, SavedPool, SavedTied, SavedWork, StoredFile, StoredPicture, VERSION, hex,
};
use crate::workspace::{FinishedPool, Id, LearnedTied, Trained, Workspace};
use heirloom_nn::model::Model;
use heirloom_plan::protocol::Method;
use heirloom_platform::clock::unix_ms;
use heirloom_train::{DeviceTensor, TrainError, parts_of_model};

/// Everything that is open, at one moment.
pub struct Snapshot {
    pub work: SavedWork,
    /// What is to be written for it, in this order.
    pub pieces: VecDeque<Piece>,
}

/// A file that is still to be written.
pub enum Piece {
    /// Weights that never change again.
    Part { place: Place, tensors: Vec<DeviceTensor>, id: Id },
    /// A trained model.
    Model { index: usize, model: Box<Model>, id: Id },
    /// The generation itself, the last one.
    Generation { tensors: Vec<DeviceTensor> },
}

/// What a part belongs to.
#[derive(Clone, Copy)]
pub enum Place {
    /// A model of the job under way that never changes again.
    Job(usize),
    /// A trained model.
    Model(usize),
    /// A pool that ended.
    Pool(Method),
    /// Learned tied layers.
    Tied,
}

impl Place {
    /// Its name among the parts of a project.
    pub fn file_name(self, work: &SavedWork) -> String {
        let generation = work.generation;
        match self {
            Self::Job(at) => format!("{generation}-{}{at}", work.job().map_or("", |job| job.file_name)),
            Self::Model(index) => format!("{generation}-model{index}"),
            Self::Pool(method) => format!("{generation}-{}", method.name()),
            Self::Tied => format!("{generation}-tied"),
        }
    }

    /// Notes a written part where the generation will look for it.
    pub fn note(self, work: &mut SavedWork, part: Part) {
        match self {
            Self::Job(at) => work.job_parts_mut().into_iter().for_each(|parts| parts.push((at, part.clone()))),
            Self::Model(index) => {
                if let Some(Some(model)) = work.models.get_mut(index) {
                    model.part = Some(part);
                }
            }
            Self::Pool(method) => {
                if let Some(pool) = work.pools.iter_mut().find(|pool| pool.report.settings.method == method) {
                    pool.part = Some(part);
                }
            }
            Self::Tied => work.tied.iter_mut().for_each(|tied| tied.part = Some(part.clone())),
        }
    }
}

impl Stored {
    /// The workspace and the job as they stand. Page and number of the generation are left to whoever writes it.
    ///
    /// # Errors
    /// When a step of the job broke off half-way.
    pub fn snapshot(&self, workspace: &Workspace, job: Option<&dyn Job>) -> Result<Snapshot, TrainError> {
        let mut work = SavedWork {
            version: VERSION,
            generation: 0,
            saved_at: unix_ms(),
            page: String::new(),
            inputs: self.inputs(workspace),
            descendant: workspace.planned.as_ref().map(|planned| planned.settings.clone()),
            race: None,
            models: Vec::new(),
            last_race: workspace.last_race.clone(),
            last_queue: workspace.last_queue.clone(),
            pool_job: None,
            pools: Vec::new(),
            tied_job: None,
            tied: None,
            flops_per_second: workspace.flops_per_second,
        };
        let (mut pieces, mut live) = (VecDeque::new(), Vec::new());
        if let Some((job, lasting)) = job.and_then(|job| Some((job, job.lasting()?))) {
            let JobTensors { live: changing, parts } = job.snapshot(&mut work)?;
            live = changing;
            for (at, tensors) in parts {
                let (place, id) = (Place::Job(at), lasting.parts[at]);
                match self.parts.get(&id) {
                    Some(part) => place.note(&mut work, part.clone()),
                    None => pieces.push_back(Piece::Part { place, tensors, id }),
                }
            }
        }
        let models = workspace.trained.iter().enumerate();
        work.models = models.map(|(at, trained)| Some(self.model(at, trained.as_ref()?, &mut pieces))).collect();
        work.pools = workspace.pools.all().map(|pool| self.pool(pool, &mut pieces)).collect();
        work.tied = workspace.tied.as_ref().map(|tied| self.tied(tied, &mut pieces));
        pieces.push_back(Piece::Generation { tensors: live });
        Ok(Snapshot { work, pieces })
    }

    /// What the person brought and measured, as far as it is copied.
    pub fn inputs(&self, workspace: &Workspace) -> SavedInputs {
        let file = |path: &str, len: u64, sha: &[u8; 32]| StoredFile { path: path.into(), len, sha256: hex(sha) };
        let (ancestor, dataset) = (workspace.ancestor.as_ref(), &workspace.dataset);
        let of_ancestor = ancestor.into_iter().flat_map(|one| one.files.iter().zip(self.checksums(one.id)));
        let pictures = dataset.set.pictures().iter().zip(self.checksums(dataset.id));
        let pictures = pictures.map(|(picture, sha)| StoredPicture {
            file: file(&picture.path, picture.source.len(), sha),
            class: picture.class.clone(),
        });
        let refused = dataset.set.refused().iter();
        SavedInputs {
            ancestor: of_ancestor.map(|(one, sha)| file(one.path(), one.len(), sha)).collect(),
            pictures: pictures.collect(),
            refused: refused.map(|one| (one.path.clone(), one.reason.to_string())).collect(),
            split: dataset.settings,
            preparation: ancestor.map(|ancestor| ancestor.summary.preparation),
            condensed: workspace.condensed.clone(),
            heads: workspace.heads.as_ref().map(|heads| heads.saved.clone()),
        }
    }

    fn model(&self, index: usize, trained: &Trained, pieces: &mut VecDeque<Piece>) -> SavedModel {
        let part = self.parts.get(&trained.id).cloned();
        if part.is_none() {
            pieces.push_back(Piece::Model { index, model: Box::new(trained.model.clone()), id: trained.id });
        }
        SavedModel {
            part,
            config: trained.model.config(),
            classes: trained.classes.clone(),
            mean: trained.normalise.mean,
            std: trained.normalise.std,
            arm: trained.arm,
            seed: trained.seed,
            cut: trained.cut.clone(),
        }
    }

    fn tied(&self, tied: &LearnedTied, pieces: &mut VecDeque<Piece>) -> SavedTied {
        let part = self.parts.get(&tied.id).cloned();
        if part.is_none() {
            pieces.push_back(Piece::Part { place: Place::Tied, tensors: parts_of_model(&tied.stored), id: tied.id });
        }
        SavedTied { report: tied.report.clone(), config: tied.stored.config.clone(), part }
    }

    fn pool(&self, pool: &FinishedPool, pieces: &mut VecDeque<Piece>) -> SavedPool {
        let (part, configs) = (self.parts.get(&pool.id).cloned(), pool.configs());
        if part.is_none() && !configs.is_empty() {
            let place = Place::Pool(pool.report.settings.method);
            pieces.push_back(Piece::Part { place, tensors: pool.tensors(), id: pool.id });
        }
        SavedPool {
            report: pool.report.clone(),
            mean: pool.normalise.mean,
            std: pool.normalise.std,
            configs,
            is_net: pool.net.is_some(),
            part,
        }
    }
}
