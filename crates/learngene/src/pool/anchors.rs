//! SN-Net of models that were trained elsewhere: instead of distilling anchors, each gets a linear head on the person's
//! classes, fitted on its frozen features. The largest one is the teacher.

use burn::module::Module;

use super::{Auxiliary, AuxiliaryPlan, Features, PoolAdvance, PoolPlan, PoolTrainer, Positions, Probe};
use heirloom_nn::vit::{Hooks, Vit, VitConfig};
use heirloom_train::{Batches, Run, RunSettings, TrainError};

impl<B: Batches, F: Features> PoolTrainer<B, F> {
    /// A net of given anchors, smallest first, of equal or different depth, without classifiers
    /// (`learngene::pool::frozen`). They take the place of the plan's auxiliary models.
    ///
    /// # Errors
    /// When there are fewer than two anchors, or one has a distillation token, whose second classifier has no place here.
    pub fn from_anchors(
        plan: PoolPlan,
        anchors: Vec<Vit>,
        classes: usize,
        batches: B,
        features: F,
    ) -> Result<Self, TrainError> {
        let mismatch = |found: String, expected: &str| {
            Err(TrainError::Mismatch { what: "anchors of a net".into(), found, expected: expected.into() })
        };
        if anchors.iter().any(|anchor| anchor.config.distilled) {
            return mismatch("one with a distillation token".into(), "models with one classifier");
        }
        let Some(largest) = anchors.last().cloned() else { return mismatch("0".into(), "at least 2") };
        let config = |anchor: &Vit| VitConfig { classes: Some(classes), ..anchor.config.clone() };
        let auxiliary = |anchor: &Vit| AuxiliaryPlan { config: config(anchor), positions: Positions::None };
        let auxiliaries = anchors.iter().map(auxiliary).collect();
        let mut pool = Self::new(PoolPlan { auxiliaries, ..plan }, largest, batches, features)?;
        pool.given = anchors;
        Ok(pool)
    }

    /// Steps that an auxiliary model or anchor takes before it is stitched.
    pub(super) fn steps_before_stitching(&self, auxiliary: usize) -> usize {
        match self.given.len() {
            0 => self.plan.distil_steps,
            // The largest is the teacher, whose head is fitted first.
            count if auxiliary + 1 == count => 0,
            _ => self.plan.head_steps,
        }
    }

    /// A step of the head of the next given anchor.
    pub(super) async fn fit_anchor(&mut self) -> Result<PoolAdvance, TrainError> {
        let auxiliary = self.distilled.len();
        let steps = self.steps_before_stitching(auxiliary);
        let Some(anchor) = self.given.get(auxiliary) else { return Err(TrainError::ModelLost) };
        if steps == 0 {
            let head = self.head.model()?;
            self.keep_anchor(auxiliary, head);
            return Ok(PoolAdvance::Judged);
        }
        if self.live_head.is_none() {
            let classes = self.plan.auxiliaries[auxiliary].config.classes.unwrap_or(1);
            let probe = Probe::start([anchor.config.pooled_dim(), classes], self.plan.seed, &self.device);
            self.live_head = Some(Run::new(probe, RunSettings { seed: self.plan.seed, ..self.plan.head.clone() }));
        }
        let Some(run) = self.live_head.as_mut() else { return Err(TrainError::ModelLost) };
        let batch = self.batches.training(self.plan.seed, run.steps_taken()).await?;
        let pooled = anchor.logits(batch.images(&self.device)?, &mut Hooks::default());
        let [count, width] = pooled.dims();
        let loss = run.step(pooled.reshape([count, width, 1, 1]), batch.targets(&self.device)).await?.loss;
        self.report.distil_losses[auxiliary].push(loss);
        if run.steps_taken() >= steps {
            let head = run.model()?;
            self.live_head = None;
            self.keep_anchor(auxiliary, head);
        }
        Ok(PoolAdvance::Distilled { auxiliary, loss })
    }

    fn keep_anchor(&mut self, auxiliary: usize, Probe { head }: Probe) {
        let config = self.plan.auxiliaries[auxiliary].config.clone();
        let student = Vit { head: Some(head), config, ..self.given[auxiliary].valid() };
        let (token_maps, attention_maps, pairs) = (Vec::new(), Vec::new(), Vec::new());
        self.distilled.push(Auxiliary { student, token_maps, attention_maps, pairs });
    }
}
