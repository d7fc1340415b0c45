//! Starting races and experiments, and following them.

use crate::descendant::follow::tell_engine;
use crate::prelude::*;
use crate::training::runs::chosen_experiment;
use crate::training::small::limits;
use heirloom_plan::config::ModelConfig;
use heirloom_plan::layers::layer_names;
use heirloom_plan::protocol::{
    Command, Design, ExperimentReport, ExperimentSettings, Init, JobKind, LayersSettings, RaceReport, RaceState,
    TrainOn, TrainSettings, is_out_of_memory,
};

/// Trains what is chosen.
pub fn train(store: Store) {
    let settings = untrack(|| chosen_experiment(store));
    if let Some(settings) = settings {
        tell_engine(store);
        begin_job(store, JobKind::Train);
        store.trial.forget_answers();
        start_experiment(store, settings);
    }
}

/// Fits a classifier to the ancestor as it is: the quickest way from pictures to a model, without heads or a descendant.
pub fn fit_head(store: Store) {
    fit_heads(store, |_, _| Design::Race);
}

/// The same at every depth that is worth trying, the whole ancestor last: how small may a model be? For minutes of
/// training the one that is small and large enough is trained on then.
pub fn find_small(store: Store) {
    fit_heads(store, |ancestor, then| Design::Depths { cuts: ancestor.cuts().into_iter().chain([0]).collect(), then });
}

fn fit_heads(store: Store, design: impl Fn(&ModelConfig, Option<TrainOn>) -> Design) {
    let settings = untrack(|| {
        let minutes = store.settings.with(|settings| settings.minutes);
        let then = (minutes > 0.0).then(|| TrainOn { limits: limits(store), seconds: 60.0 * minutes });
        let design =
            store.ancestor.with(|ancestor| ancestor.as_ref().map(|ancestor| design(&ancestor.config, then)))?;
        let (depth, patch) =
            store.ancestor.with(|a| a.as_ref().map(|a| (layer_names(&a.config).len(), a.config.patch_size())))?;
        store.settings.with(|settings| {
            let whole = LayersSettings {
                chosen: (0..depth).collect(),
                layers: depth,
                image_size: settings.whole_patches(patch),
                freeze_epochs: 0.0,
            };
            let race =
                TrainSettings { arms: vec![Init::Frozen], steps: 1, seeds: 1, ..settings.training(whole.into()) };
            Some(ExperimentSettings { race, design })
        })
    });
    if let Some(settings) = settings {
        tell_engine(store);
        begin_job(store, JobKind::Train);
        store.trial.forget_answers();
        start_experiment(store, settings);
    }
}

/// Rests the race, or goes on.
pub fn pause_or_continue(store: Store) {
    let paused = store.training.race.with_untracked(|race| race.as_ref().is_some_and(|r| r.state == RaceState::Paused));
    send(store, if paused { Command::Continue } else { Command::Pause });
}

/// Starts what is chosen.
pub fn start_experiment(store: Store, settings: ExperimentSettings) {
    store.training.report.set(None);
    store.training.shown.set(None);
    let command = match settings.design {
        Design::Race => Command::Train(settings.race),
        _ => Command::Experiment(settings),
    };
    send(store, command);
}

/// Keeps the experiment's report in step with the race under way.
fn experiment_moved(store: Store, race: &RaceReport) {
    if store.training.report.with_untracked(Option::is_some) {
        store.training.report.update(|report| {
            if let Some(report) = report {
                report.update(race);
            }
        });
    }
}

/// After an engine that died of too little memory in the middle of training: remembers to train again with half as
/// many pictures at a time. Returns how many these are.
pub fn plan_retry(store: Store, last_words: &str) -> Option<usize> {
    let is_fit = is_out_of_memory(last_words);
    let report = store.training.report.get_untracked().filter(ExperimentReport::is_going);
    let settings = match (report, store.training.race.get_untracked()) {
        (Some(report), Some(race)) => ExperimentSettings {
            race: TrainSettings { micro_batch: race.settings.micro_batch, ..report.settings.race },
            ..report.settings
        },
        (None, Some(race)) => ExperimentSettings { race: race.settings, design: Design::Race },
        _ => return None,
    };
    let halved = settings.halved().filter(|_| is_fit)?;
    let pictures = halved.race.micro_batch;
    store.training.retry.set_value(Some(halved));
    Some(pictures)
}

/// What was to be trained again goes on instead.
pub fn forget_retry(store: Store) {
    store.training.retry.set_value(None);
}

/// Trains again what [`plan_retry`] remembered, now that a descendant is planned.
pub fn retry_training(store: Store) {
    let retry = store.training.retry.try_update_value(Option::take).flatten();
    if let Some(settings) = retry {
        begin_job(store, JobKind::Train);
        start_experiment(store, settings);
    }
}

/// Where the race stands.
pub fn race_moved(store: Store, report: RaceReport) {
    store.training.models_lost.set(false);
    if report.runs.iter().all(|run| run.step == 0) {
        // A race that begins takes the place of all models there were.
        store.pools.cuts.set(Vec::new());
    }
    experiment_moved(store, &report);
    store.training.race.set(Some(report));
}
