//! A pool whose small models share a basis: it is found on some pictures, small models are distilled in its
//! coordinates, and stitch layers begin from it.

use burn::nn::Linear;

use super::{
    AuxiliaryPlan, BasisPlan, DistillTargets, Features, PoolAdvance, PoolTrainer, SharedBasis, place_of, watch,
};
use crate::stitch::{AffineFit, Configuration, StitchNet};
use heirloom_nn::kernels::linear;
use heirloom_plan::pool::Basis;
use heirloom_train::{Batches, TrainError};

impl<B: Batches, F: Features> PoolTrainer<B, F> {
    /// Whether the shared basis has still to be found.
    pub fn needs_basis(&self) -> bool {
        self.basis.is_none() && self.plan.has_shared_basis()
    }

    /// The shared basis, once it is found.
    pub fn basis(&self) -> Option<&SharedBasis> {
        self.basis.as_ref()
    }

    pub(super) fn basis_plan(&self) -> BasisPlan {
        let widths = self.plan.auxiliaries.iter().map(|one| one.config.embed_dim);
        BasisPlan {
            coordinates: self.plan.coordinates,
            seed: self.plan.seed,
            ancestor_width: self.teacher.width(),
            widest: widths.max().unwrap_or(0),
        }
    }

    /// Looks at a batch for the basis, or finds it on those that were looked at.
    pub(super) async fn find_basis(&mut self) -> Result<PoolAdvance, TrainError> {
        let (seen, sums) = &mut self.measured;
        if *seen < self.plan.fit_batches.max(1) {
            let batch = self.batches.training(self.plan.seed, *seen).await?;
            let ancestor = self.teacher.ancestor();
            let blocks: Vec<usize> = (0..ancestor.config.depth).collect();
            let tokens = watch(ancestor, &blocks, batch.images(&self.device)?).tokens;
            sums.add(tokens, self.plan.coordinates.basis == Basis::Pca).await?;
            *seen += 1;
            return Ok(PoolAdvance::Fitted);
        }
        let measured = std::mem::take(sums).finish().await?;
        let basis = SharedBasis::find(self.basis_plan(), measured);
        self.basis = Some(basis.map_err(|error| TrainError::Source(error.to_string()))?);
        self.start_distilling();
        Ok(PoolAdvance::Fitted)
    }

    /// A lesson in the coordinates of the auxiliary model; as it is where that has maps of its own.
    pub(super) fn in_coordinates(&mut self, auxiliary: usize, lesson: DistillTargets) -> DistillTargets {
        let Some(basis) = &self.basis else { return lesson };
        let maps = match self.listening.take().filter(|(of, _)| *of == auxiliary) {
            Some((_, maps)) => maps,
            None => {
                let AuxiliaryPlan { config, positions } = &self.plan.auxiliaries[auxiliary];
                let pairs = positions.pairs(config.depth, self.teacher.ancestor().config.depth);
                let map = |(_, block): (usize, usize)| basis.listening(config.embed_dim, block).linear(&self.device);
                pairs.into_iter().map(map).collect::<Vec<Linear>>()
            }
        };
        let tokens = maps.iter().zip(lesson.tokens).map(|(map, tokens)| linear(map, tokens)).collect();
        self.listening = Some((auxiliary, maps));
        DistillTargets { tokens, ..lesson }
    }

    /// Starts of all stitch layers from the basis: the mean over the pairs that share one. A front's block stands for
    /// the ancestor's block it is compared with; what enters the end's block is what the one before should give.
    pub(super) fn basis_starts(&self, net: &StitchNet, basis: &SharedBasis) -> Vec<AffineFit> {
        let depth = self.teacher.ancestor().config.depth;
        let place =
            |model: usize, block: usize| place_of(block, self.plan.auxiliaries[model].config.depth, depth).unwrap_or(0);
        let widths = net.widths();
        let mut fits = vec![Vec::new(); widths.len()];
        for configuration in net.configurations() {
            if let Configuration::Stitched { front, end, pair } = *configuration {
                let places = [place(front, pair.front), place(end, pair.end.saturating_sub(1))];
                fits[pair.stitch].push(basis.stitch(widths[pair.stitch], places));
            }
        }
        let mean = |(fits, [input, output]): (Vec<AffineFit>, [usize; 2])| {
            AffineFit::mean(&fits).unwrap_or_else(|| AffineFit::zero(input, output))
        };
        fits.into_iter().zip(widths).map(mean).collect()
    }
}
