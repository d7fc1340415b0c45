//! Which models there are, and which of them names pictures and is saved.

use crate::pools::chosen::cut_name;
use crate::prelude::*;
use crate::training::runs::trained_runs;
use heirloom_plan::protocol::{CutReport, JobKind};

/// Whether some model was trained that can name pictures.
pub fn has_model(store: Store) -> bool {
    let has_cut = store.pools.cuts.with(|cuts| !cuts.is_empty());
    has_cut || has_trained(store)
}

/// What a model is called, whether trained or cut out.
pub fn model_name(store: Store, run: usize) -> String {
    let t = &text().trial;
    let cut = store.pools.cuts.with(|cuts| cuts.iter().find(|cut| cut.run == run).map(name_of_cut));
    let trained = || {
        let run = trained_runs(store).into_iter().find(|one| one.number == run)?;
        Some((t.model_name)((text().training.arm)(run.arm), run.seed, run.step))
    };
    cut.or_else(trained).unwrap_or_default()
}

/// What a model that was cut out is called.
pub fn name_of_cut(cut: &CutReport) -> String {
    let right = cut.configuration.known_accuracy().map(|right| percent(f64::from(right)));
    (text().pool.cut_name)(cut.method, &cut_name(cut), right.as_deref())
}

fn has_trained(store: Store) -> bool {
    // While races run the engine is busy with them; what they have trained can be used once they are over.
    let is_over = !has_job(store, JobKind::Train);
    is_over && !trained_runs(store).is_empty()
}

/// Which model names pictures: a run of the race, or (`None`) the ancestor itself.
pub fn namer(store: Store) -> Option<usize> {
    let is_trained = untrack(|| has_model(store) && !store.training.models_lost.get());
    (is_trained && !store.trial.is_ancestor.get_untracked()).then(|| store.trial.run.get_untracked())
}
