//! What there is to save: the session as [`SavedWork`], and the files that are to be written before it and with it.

use std::collections::VecDeque;

use super::store::KeepError;
use super::work::{
    Kept, Part, SavedHeads, SavedInputs, SavedModel, SavedPool, SavedPoolJob, SavedRace, SavedWork, StoredFile,
    StoredPicture, VERSION, hex,
};
use crate::pool::made::Made;
use crate::race::Trained;
use crate::runner::{Job, Runner};
use heirloom_nn::model::Model;
use heirloom_plan::protocol::Method;
use heirloom_platform::clock::unix_ms;
use heirloom_train::DeviceTensor;

/// A file that is still to be written.
pub(super) enum Piece {
    /// Weights that never change again.
    Part { place: Place, tensors: Vec<DeviceTensor>, kept: Kept },
    /// A trained model.
    Model { index: usize, model: Box<Model>, kept: Kept },
    /// The generation itself, the last one.
    Generation { tensors: Vec<DeviceTensor> },
}

/// What a part belongs to.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// A finished run of the race under way.
    Run(usize),
    /// A distilled model of the pool under way.
    Distilled(usize),
    /// A trained model.
    Model(usize),
    /// A pool that ended.
    Pool(Method),
}

impl Place {
    /// Its name among the parts of a project.
    pub fn file_name(self, generation: u64) -> String {
        match self {
            Self::Run(run) => format!("{generation}-run{run}"),
            Self::Distilled(model) => format!("{generation}-distilled{model}"),
            Self::Model(index) => format!("{generation}-model{index}"),
            Self::Pool(method) => format!("{generation}-{}", method.name()),
        }
    }

    /// Notes a written part where the generation will look for it.
    pub fn note(self, work: &mut SavedWork, part: Part) {
        match self {
            Self::Run(run) => {
                if let Some(race) = &mut work.race {
                    race.trained.push((run, part));
                }
            }
            Self::Distilled(model) => {
                if let Some(pool) = &mut work.pool_job {
                    pool.distilled.push((model, part));
                }
            }
            Self::Model(index) => {
                if let Some(Some(model)) = work.models.get_mut(index) {
                    model.part = Some(part);
                }
            }
            Self::Pool(method) => {
                let pool = work.pools.iter_mut().find(|pool| pool.report.settings.method == method);
                if let Some(pool) = pool {
                    pool.part = Some(part);
                }
            }
        }
    }
}

/// The pieces of a save, as they are found.
#[derive(Default)]
struct Pieces {
    waiting: VecDeque<Piece>,
    /// Tensors of the job under way.
    live: Vec<DeviceTensor>,
}

impl Pieces {
    /// Parts of weights that never change again: those kept already, and the others wait to be written.
    fn parts(
        &mut self,
        all: Vec<(usize, Vec<DeviceTensor>)>,
        place: fn(usize) -> Place,
        kept: impl Fn(usize) -> Kept,
    ) -> Vec<(usize, Part)> {
        let mut there = Vec::new();
        for (at, tensors) in all {
            let kept = kept(at);
            let part = kept.borrow().clone();
            match part {
                Some(part) => there.push((at, part)),
                None => self.waiting.push_back(Piece::Part { place: place(at), tensors, kept }),
            }
        }
        there
    }

    fn model(&mut self, index: usize, trained: &Trained) -> SavedModel {
        let part = trained.kept.borrow().clone();
        if part.is_none() {
            let (model, kept) = (Box::new(trained.model.clone()), trained.kept.clone());
            self.waiting.push_back(Piece::Model { index, model, kept });
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

    fn pool(&mut self, made: &Made) -> SavedPool {
        let (part, configs) = (made.kept.borrow().clone(), made.configs());
        if part.is_none() && !configs.is_empty() {
            let place = Place::Pool(made.report.settings.method);
            self.waiting.push_back(Piece::Part { place, tensors: made.tensors(), kept: made.kept.clone() });
        }
        SavedPool {
            report: made.report.clone(),
            mean: made.normalise.mean,
            std: made.normalise.std,
            configs,
            is_net: made.net.is_some(),
            part,
        }
    }

    /// The job under way, if it is one that is kept.
    fn job(
        &mut self,
        job: Option<&Job>,
        inputs: &SavedInputs,
    ) -> Result<(Option<SavedRace>, Option<SavedPoolJob>), KeepError> {
        let before = |before: &Option<SavedInputs>| before.clone().filter(|before| before != inputs);
        match job {
            Some(Job::Race(job)) => {
                let parts = job.race.parts()?;
                self.live = parts.live;
                let trained = self.parts(parts.trained, Place::Run, |run| job.kept(run));
                let (queue, is_paused, inputs) = (job.queue.clone(), job.is_paused(), before(&job.inputs));
                Ok((Some(SavedRace { queue, is_paused, header: parts.header, inputs, trained }), None))
            }
            Some(Job::Pool(job)) => {
                let (header, parts) = job.parts()?;
                self.live = parts.live;
                let distilled = self.parts(parts.distilled, Place::Distilled, |model| job.kept(model));
                Ok((None, Some(SavedPoolJob { header, inputs: before(&job.inputs), distilled })))
            }
            _ => Ok((None, None)),
        }
    }
}

impl Runner {
    /// What the person brought and measured, as it is kept.
    pub(super) fn saved_inputs(&self) -> SavedInputs {
        let file = |path: &str, len: u64, sha: &[u8; 32]| StoredFile { path: path.into(), len, sha256: hex(sha) };
        let of_ancestor = self.ancestor.iter().flat_map(|ancestor| &ancestor.files).zip(&self.keeper.ancestor);
        let of_ancestor = of_ancestor.filter_map(|(one, sha)| Some(file(one.path(), one.len(), sha.as_ref()?)));
        let pictures = self.pictures.set.pictures().iter().zip(&self.keeper.pictures);
        let pictures = pictures.map(|(picture, sha)| StoredPicture {
            file: file(&picture.path, picture.source.len(), sha),
            class: picture.class.clone(),
        });
        let refused = self.pictures.set.refused().iter();
        SavedInputs {
            ancestor: of_ancestor.collect(),
            pictures: pictures.collect(),
            refused: refused.map(|one| (one.path.clone(), one.reason.to_string())).collect(),
            split: self.pictures.settings,
            preparation: self.ancestor.as_ref().map(|ancestor| ancestor.summary.preparation),
            condensed: self.condensed.clone(),
            heads: self.heads.as_ref().map(|heads| SavedHeads {
                report: heads.report.clone(),
                shown: heads.shown.clone(),
                clusters: heads.settings,
            }),
        }
    }

    /// Before inputs change under a job that is kept: keeps those it was started with.
    pub(super) async fn hold_job_inputs(&mut self) {
        let is_held = self.job.as_mut().and_then(Job::inputs).is_none_or(|inputs| inputs.is_some());
        if self.keeper.projects.is_none() || is_held {
            return;
        }
        while self.copy_next().await {}
        let now = self.saved_inputs();
        if let Some(inputs) = self.job.as_mut().and_then(Job::inputs) {
            *inputs = Some(now);
        }
    }

    /// The session as it stands, and what is to be written for it.
    pub(super) fn take_down(&self) -> Result<(SavedWork, VecDeque<Piece>), KeepError> {
        let (mut pieces, inputs) = (Pieces::default(), self.saved_inputs());
        let (race, pool_job) = pieces.job(self.job.as_ref(), &inputs)?;
        let models = self.trained.iter().enumerate();
        let models = models.map(|(index, trained)| Some(pieces.model(index, trained.as_ref()?))).collect();
        let pools = self.pools.all().map(|made| pieces.pool(made)).collect();
        let Pieces { mut waiting, live } = pieces;
        waiting.push_back(Piece::Generation { tensors: live });
        let work = SavedWork {
            version: VERSION,
            generation: self.keeper.newest.0 + 1,
            saved_at: unix_ms(),
            page: self.keeper.page.clone(),
            inputs,
            descendant: self.planned.as_ref().map(|planned| planned.settings.clone()),
            race,
            models,
            last_race: self.last_race.clone(),
            last_queue: self.last_queue.clone(),
            pool_job,
            pools,
            flops_per_second: self.flops_per_second,
        };
        Ok((work, waiting))
    }
}
