//! Condensing an ancestor to whole layers, and choosing among them.

use crate::ancestor::shape::{layer_count, patch_size};
use crate::prelude::*;
use heirloom_plan::protocol::{Command, CondenseReport, JobKind};

/// Compares the layers of the ancestor.
pub fn condense(store: Store) {
    let patch = patch_size(store);
    // Classes that went with their pictures are no longer meant.
    let has = |class: &String| {
        store.pictures.with_untracked(|p| p.as_ref().is_some_and(|p| p.classes.iter().any(|c| c.name == *class)))
    };
    let classes = store.layers.classes.with_untracked(|all| all.iter().filter(|class| has(class)).cloned().collect());
    let settings = store.settings.with_untracked(|settings| settings.condensing(patch, classes));
    begin_job(store, JobKind::Condense);
    send(store, Command::Condense(settings));
}

/// All layers are compared: the best are ticked.
pub fn condensed(store: Store, report: CondenseReport) {
    store.layers.report.set(Some(report));
    choose_best(store);
    let names = store.layers.report.with_untracked(|report| {
        let names = report.as_ref().map(|report| report.ancestor_layers.clone()).unwrap_or_default();
        let chosen = store.settings.with_untracked(|settings| settings.chosen.clone());
        chosen.into_iter().filter_map(|layer| names.get(layer).cloned()).collect::<Vec<_>>()
    });
    store.says.spoken.set((text().layers.found)(&names.join(", ")));
}

/// Ticks the best layers by the score in use.
pub fn choose_best(store: Store) {
    let best = store.layers.report.with_untracked(|report| {
        let report = report.as_ref()?;
        let (count, by_max) = store.settings.with_untracked(|settings| (settings.best_layers, settings.by_max));
        let mut best: Vec<usize> = report.scores(by_max).order.iter().copied().take(count).collect();
        best.sort_unstable();
        Some(best)
    });
    if let Some(best) = best {
        store.settings.update(|settings| settings.chosen = best);
    }
}

/// Inherits a layer, or not.
pub fn toggle_layer(store: Store, layer: usize, on: bool) {
    store.settings.update(|settings| {
        settings.chosen.retain(|other| *other != layer);
        if on {
            settings.chosen.push(layer);
            settings.chosen.sort_unstable();
        }
    });
}

/// Names of the ancestor's layers.
pub fn names_of_layers(store: Store) -> Vec<String> {
    let found = store.layers.report.with(|report| report.as_ref().map(|report| report.ancestor_layers.clone()));
    found.unwrap_or_else(|| (1..=layer_count(store)).map(text().layers.layer_number).collect())
}
