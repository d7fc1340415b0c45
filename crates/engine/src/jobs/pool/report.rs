//! What the page hears of a pool, and how far it is.

use super::PoolJob;
use crate::jobs::teaching::thinned;
use heirloom_learngene::stitch::Configuration;
use heirloom_nn::model::ModelConfig;
use heirloom_nn::vit::VitConfig;
use heirloom_plan::protocol::{PathPart, PoolConfiguration, PoolModel, PoolReport, PoolStage, RaceState};
use heirloom_train::spearman;

/// Work of one training step against one forward pass.
const TRAINING_PASSES: f64 = 3.0;
/// Operations in the unit that work is counted in.
const UNIT: f64 = 1e6;

impl PoolJob {
    /// What it is at.
    pub(super) fn stage(&self) -> PoolStage {
        let (report, plan) = (self.pool.report(), self.pool.plan());
        let undistilled = report.distil_losses.iter().position(|losses| losses.len() < plan.distil_steps);
        match undistilled {
            _ if report.ancestor_accuracy.is_none() => PoolStage::Head,
            Some(_) if self.pool.needs_basis() => PoolStage::Basis,
            Some(model) => PoolStage::Distil { model },
            None if report.at_start.len() < plan.compared.len() => PoolStage::Stitch,
            None if report.tune_losses.len() < plan.tune_steps => PoolStage::Tune,
            None if !self.pool.is_finished() => PoolStage::Evaluate,
            None if self.times.len() < self.frame.ways.len() => PoolStage::Time,
            None => PoolStage::Done,
        }
    }

    /// Pieces of judging in all: the ancestor's head, then every configuration before and after training.
    fn judgements(&self) -> usize {
        self.judgements_of(1, self.pool.plan().compared.len() + 1)
    }

    /// Pieces of judging that are behind a job that is taken up again.
    pub(super) fn judged_before(&self) -> usize {
        let report = self.pool.report();
        let rounds = report.at_start.len() + usize::from(!report.accuracy.is_empty());
        self.judgements_of(usize::from(report.ancestor_accuracy.is_some()), rounds)
    }

    fn judgements_of(&self, heads: usize, rounds: usize) -> usize {
        let batches = self.frame.pictures[1].div_ceil(self.frame.settings.batch);
        batches * (heads + self.frame.ways.len() * rounds)
    }

    /// Pieces of work done and in all, for people: steps, judged batches, timed configurations.
    pub(super) fn pieces(&self) -> (usize, usize) {
        let ((done, total), judgements) = (self.pool.progress(), self.judgements());
        let done = done + self.judged.min(judgements) + self.times.len();
        (done, total + judgements + self.frame.ways.len())
    }

    /// Work done, in millions of operations: the stages' steps differ greatly, and the time left follows this.
    pub(super) fn work_done(&self) -> f64 {
        let report = self.pool.report();
        let distil: Vec<usize> = report.distil_losses.iter().map(Vec::len).collect();
        let looked = if self.pool.basis().is_some() { self.pool.plan().fit_batches } else { 0 };
        self.work([report.head_losses.len(), looked, report.tune_losses.len(), self.judged], &distil)
    }

    /// Work in all.
    pub(super) fn work_in_all(&self) -> f64 {
        let plan = self.pool.plan();
        let distil = vec![plan.distil_steps; self.frame.models.len()];
        let looked = if plan.has_shared_basis() { plan.fit_batches } else { 0 };
        self.work([plan.head_steps, looked, plan.tune_steps, self.judgements()], &distil)
    }

    fn work(&self, [head, looked, tune, judged]: [usize; 4], distil: &[usize]) -> f64 {
        let batch = self.frame.settings.batch as f64;
        let mean = self.mean_flops();
        let steps_of_epoch = self.frame.pictures[0] as f64 / batch;
        let tuned = tune as f64 * TRAINING_PASSES * mean;
        let distilled = self.frame.models.iter().zip(distil);
        let distilled: f64 = distilled.map(|(model, &n)| n as f64 * TRAINING_PASSES * model.flops() as f64).sum();
        // The ancestor looks at every picture once, or at every step; and once more for the shared basis.
        let seen = head + tune + distil.iter().sum::<usize>();
        let seen = if self.frame.settings.augment { seen as f64 } else { (seen as f64).min(steps_of_epoch) };
        let seen = seen + looked as f64;
        batch * (seen * self.frame.ancestor_flops as f64 + tuned + distilled + judged as f64 * mean) / UNIT
    }

    fn mean_flops(&self) -> f64 {
        let flops: f64 = self.frame.ways.iter().map(|(_, config)| config.flops() as f64).sum();
        flops / self.frame.ways.len() as f64
    }

    /// Everything the page is told.
    pub(super) fn report(&self, state: RaceState) -> PoolReport {
        let (report, frame) = (self.pool.report(), &self.frame);
        let (done, planned) = self.pool.progress();
        let model = |config: &VitConfig| PoolModel {
            blocks: config.depth,
            width: config.embed_dim,
            heads: config.num_heads,
            parameters: config.parameters(),
        };
        let models: Vec<PoolModel> = frame.models.iter().map(model).collect();
        let anchor_parameters = models.iter().map(|model| model.parameters).sum();
        let stitches = frame.stitches();
        let stored: u64 = stitches.iter().map(|[front, end]| ((front + 1) * end) as u64).sum();
        PoolReport {
            settings: frame.settings.clone(),
            state,
            stage: self.stage(),
            steps: [done, planned],
            models,
            stitches: stitches.len(),
            configurations: self.configurations(),
            head_loss: thinned(&report.head_losses),
            distil_loss: report.distil_losses.iter().map(|losses| thinned(losses)).collect(),
            tune_loss: thinned(&report.tune_losses),
            ancestor_accuracy: report.ancestor_accuracy,
            ancestor_parameters: frame.ancestor_parameters,
            stored_parameters: anchor_parameters + stored,
            anchor_parameters,
            classes: frame.classes.clone(),
            pictures: frame.pictures,
            spearman: self.spearman(),
        }
    }

    fn configurations(&self) -> Vec<PoolConfiguration> {
        let report = self.pool.report();
        let start = self.frame.settings.stitch_start;
        let at_start = report.at_start.iter().find(|(judged, _)| *judged == start).map(|(_, accuracy)| accuracy);
        let has_net = self.pool.has_net();
        let distilled = self.pool.distilled().len();
        let configuration = |(id, (way, config)): (usize, &(Configuration, ModelConfig))| {
            let path = self.path(way);
            let is_ready = has_net || path.len() == 1 && path[0].model < distilled;
            PoolConfiguration {
                id,
                stitch: match way {
                    Configuration::Anchor { .. } => None,
                    Configuration::Stitched { pair, .. } => Some(pair.stitch),
                },
                path,
                parameters: config.parameters(),
                flops: config.flops(),
                milliseconds: self.times.get(id).copied(),
                accuracy_at_start: at_start.and_then(|accuracy| accuracy.get(id)).copied(),
                accuracy: report.accuracy.get(id).copied(),
                is_ready,
            }
        };
        self.frame.ways.iter().enumerate().map(configuration).collect()
    }

    fn path(&self, way: &Configuration) -> Vec<PathPart> {
        let last = |model: usize| self.frame.models[model].depth - 1;
        match *way {
            Configuration::Anchor { anchor } => vec![PathPart { model: anchor, first: 0, last: last(anchor) }],
            Configuration::Stitched { front, end, pair } => vec![
                PathPart { model: front, first: 0, last: pair.front },
                PathPart { model: end, first: pair.end, last: last(end) },
            ],
        }
    }

    fn spearman(&self) -> Option<f64> {
        let accuracy: Vec<f64> = self.pool.report().accuracy.iter().map(|&value| f64::from(value)).collect();
        let flops: Vec<f64> = self.frame.ways.iter().map(|(_, config)| config.flops() as f64).collect();
        spearman(&flops, &accuracy)
    }
}

impl super::Frame {
    /// Widths that each stitch layer joins.
    fn stitches(&self) -> Vec<[usize; 2]> {
        let mut stitches = Vec::new();
        for (way, _) in &self.ways {
            if let Configuration::Stitched { front, end, pair } = way
                && pair.stitch == stitches.len()
            {
                stitches.push([*front, *end].map(|model| self.models[model].embed_dim));
            }
        }
        stitches
    }
}
