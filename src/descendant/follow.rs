//! Keeping the engine in step with what the person decided.

use crate::descendant::plans::Told;
use crate::prelude::*;
use heirloom_plan::descendant::Basis;
use heirloom_plan::protocol::{ClusterReport, Command, DescendantSummary, ExperimentSettings, TrainingForecast};

/// How long an experiment would take; `None` when it cannot be run.
pub fn forecast(store: Store, settings: &ExperimentSettings) -> Option<TrainingForecast> {
    let clusters = store.plans.clusters.with(|clusters| clusters.as_ref().map(ClusterReport::clusters));
    let (pictures, flops_per_second) = (store.plans.classes.get(), store.engine.speed.get());
    store.ancestor.with(|ancestor| {
        let ancestor = ancestor.as_ref().map(|ancestor| &ancestor.config);
        Basis { ancestor, clusters: clusters.as_ref(), pictures: &pictures, flops_per_second }.forecast(settings)
    })
}

/// Keeps the engine in step with what is decided, and says what cannot be planned.
pub fn follow_plans(store: Store) {
    let plans = store.plans;
    Effect::new(move |_| {
        // An ancestor or heads that come again, the same as before, come from an engine that knows nothing yet.
        store.ancestor.track();
        store.heads.report.track();
        // Read, not only tracked: a memo that was never read does not listen to its own sources.
        let _ = plans.decided.get();
        if store.projects.is_open.get() && !plans.is_sliding.get() {
            tell_engine(store);
        }
    });
    Effect::new(move |_| {
        if let Some(fault) = plans.fault.get() {
            complain(store, fault);
        }
    });
}

/// Tells the engine what is decided and it does not know yet.
pub fn tell_engine(store: Store) {
    let (decided, mut told) = (store.plans.decided.get_untracked(), store.plans.told.get_value());
    if let Some(clusters) = decided.clusters.filter(|clusters| told.clusters.as_ref() != Some(clusters)) {
        told.clusters = Some(clusters);
        send(store, Command::SetClusters(clusters));
    }
    if let Some(plan) = decided.plan.filter(|plan| told.plan.as_ref() != Some(plan)) {
        told.plan = Some(plan.clone());
        send(store, Command::PlanDescendant(plan.0));
    }
    store.plans.told.set_value(told);
}

/// While a project is brought back, the engine knows what it says itself.
pub fn knows_clusters(store: Store, report: &ClusterReport) {
    if !store.projects.is_open.get_untracked() {
        store.plans.told.update_value(|told| told.clusters = Some(report.settings));
    }
}

/// As [`knows_clusters`], of the planned descendant.
pub fn knows_plan(store: Store, planned: DescendantSummary) {
    if !store.projects.is_open.get_untracked() {
        let classes = store.plans.classes.with_untracked(Vec::len);
        store.plans.told.update_value(|told| told.plan = Some((planned.settings, classes)));
    }
}

/// The engine knows nothing of the plan, or at least nothing of the clusters.
pub fn knows_nothing(store: Store, only_clusters: bool) {
    store.plans.told.update_value(|told| match only_clusters {
        true => told.clusters = None,
        false => *told = Told::default(),
    });
}
