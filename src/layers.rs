//! State and actions of Learngene by layers.

use leptos::prelude::*;

use super::state::App;
use super::strings::text;
use heirloom_plan::config::ModelConfig;
use heirloom_plan::protocol::{AncestorSummary, Command, CondenseReport, JobKind, Method};
use heirloom_plan::settings::Settings;

/// What is on the screen of it.
#[derive(Clone, Copy)]
pub struct LayersState {
    /// What condensing found last.
    pub report: RwSignal<Option<CondenseReport>>,
    /// Classes that the pseudo descendant learns; none = all.
    pub classes: RwSignal<Vec<String>>,
}

impl LayersState {
    pub fn new() -> Self {
        Self { report: RwSignal::new(None), classes: RwSignal::default() }
    }
}

impl App {
    pub fn condense(self) {
        let patch = self.patch_size();
        // Classes that went with their pictures are no longer meant.
        let has = |class: &String| {
            self.pictures.with_untracked(|p| p.as_ref().is_some_and(|p| p.classes.iter().any(|c| c.name == *class)))
        };
        let classes =
            self.layers.classes.with_untracked(|all| all.iter().filter(|class| has(class)).cloned().collect());
        let settings = self.settings.with_untracked(|settings| settings.condensing(patch, classes));
        self.begin_job(JobKind::Condense);
        self.send(Command::Condense(settings), Vec::new());
    }

    pub(super) fn condensed(self, report: CondenseReport) {
        self.layers.report.set(Some(report));
        self.choose_best();
        let names = self.layers.report.with_untracked(|report| {
            let names = report.as_ref().map(|report| report.ancestor_layers.clone()).unwrap_or_default();
            let chosen = self.settings.with_untracked(|settings| settings.chosen.clone());
            chosen.into_iter().filter_map(|layer| names.get(layer).cloned()).collect::<Vec<_>>()
        });
        self.spoken.set((text().layers.found)(&names.join(", ")));
    }

    /// Ticks the best layers by the score in use.
    pub fn choose_best(self) {
        let best = self.layers.report.with_untracked(|report| {
            let report = report.as_ref()?;
            let (count, by_max) = self.settings.with_untracked(|settings| (settings.best_layers, settings.by_max));
            let mut best: Vec<usize> = report.scores(by_max).order.iter().copied().take(count).collect();
            best.sort_unstable();
            Some(best)
        });
        if let Some(best) = best {
            self.settings.update(|settings| settings.chosen = best);
        }
    }

    pub fn toggle_layer(self, layer: usize, on: bool) {
        self.settings.update(|settings| {
            settings.chosen.retain(|other| *other != layer);
            if on {
                settings.chosen.push(layer);
                settings.chosen.sort_unstable();
            }
        });
    }

    /// Names of the ancestor's layers.
    pub fn layer_names(self) -> Vec<String> {
        let found = self.layers.report.with(|report| report.as_ref().map(|report| report.ancestor_layers.clone()));
        found.unwrap_or_else(|| (1..=self.layer_count()).map(text().layers.layer_number).collect())
    }

    /// Layers that the ancestor offers.
    pub fn layer_count(self) -> usize {
        self.ancestor.with(|ancestor| ancestor.as_ref().map_or(0, |ancestor| layers_and_patch(ancestor).0))
    }

    /// Side of a patch of the ancestor, px; 1 where it has none.
    pub fn patch_size(self) -> usize {
        self.ancestor.with(|ancestor| ancestor.as_ref().map_or(16, |ancestor| layers_and_patch(ancestor).1))
    }

    /// Settings that suit a CNN: it has no heads to cluster, its pictures are small, and its norms bear a higher learning
    /// rate than inherited attention does. What the person chose stays.
    pub(super) fn suit_cnn(self, image_size: usize) {
        let usual = Settings::default();
        self.settings.update(|settings| {
            if settings.method == Method::Cluster {
                settings.method = Method::Layers;
            }
            if settings.image_size == usual.image_size {
                settings.image_size = image_size;
            }
            if (settings.lr - usual.lr).abs() < f64::EPSILON {
                settings.lr = 1e-3;
            }
        });
    }
}

/// Layers that an ancestor offers, and the side of its patches, px; 1 where it has none.
pub(super) fn layers_and_patch(ancestor: &AncestorSummary) -> (usize, usize) {
    match &ancestor.config {
        ModelConfig::Vit(config) => (config.depth, config.patch_size),
        ModelConfig::Cnn(config) => (config.stages.len(), 1),
        // Its layers are of two widths, so that none are taken from it.
        ModelConfig::Stitched(_) => (0, 1),
    }
}
