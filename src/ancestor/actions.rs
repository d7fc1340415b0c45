//! Opening an ancestor, and what follows once it is there.

use crate::browser::files::Picked;
use crate::descendant::follow::knows_nothing;
use crate::prelude::*;
use crate::trial::model::namer;
use heirloom_plan::config::ModelConfig;
use heirloom_plan::protocol::{AncestorSummary, Command, JobKind, Method, Preparation};
use heirloom_plan::settings::Settings;

/// Opens chosen files as the ancestor.
pub fn open_ancestor(store: Store, picked: Vec<Picked>) {
    if picked.is_empty() {
        return;
    }
    // A shipped one on its way must not take the place of what the person chose meanwhile.
    store.shipped.cancel();
    begin_job(store, JobKind::Open);
    let (files, handles) = hand_over(picked);
    send_files(store, Command::OpenAncestor { files }, handles);
}

/// Prepares pictures otherwise than the file says.
pub fn set_preparation(store: Store, preparation: Preparation) {
    send(store, Command::SetPreparation(preparation));
}

/// An ancestor is there; what was found with the one before goes.
pub fn ancestor_opened(store: Store, summary: AncestorSummary) {
    end_job(store, JobKind::Open);
    store.says.spoken.set(match &summary.config {
        ModelConfig::Vit(vit) => (text().ancestor.spoken)(&summary.family, vit.depth, vit.num_heads),
        ModelConfig::Cnn(cnn) => (text().cnn.spoken)(&summary.family, cnn.stages.len()),
        ModelConfig::Stitched(_) => summary.family.clone(),
    });
    knows_nothing(store, false);
    store.heads.report.set(None);
    store.heads.attention.set(None);
    // The same ancestor again, after an engine died: what was found of it still holds.
    if store.ancestor.with_untracked(|before| before.as_ref() != Some(&summary)) {
        store.layers.report.set(None);
    }
    if namer(store).is_none() {
        store.trial.forget_answers();
    }
    if let ModelConfig::Cnn(cnn) = &summary.config {
        suit_cnn(store, cnn.image_size);
    }
    store.ancestor.set(Some(summary));
}

/// Side that a network for larger pictures is given them at, px: half the work of 224 px, and of the shipped MobileNetV2
/// with a new head as right (docs/evidence/yardstick.md).
const MOST_PIXELS: usize = 160;

/// Settings that suit a CNN: it has no heads to cluster, and no size that its positions were learned at. What the person
/// chose stays.
fn suit_cnn(store: Store, image_size: usize) {
    let usual = Settings::default();
    store.settings.update(|settings| {
        if settings.method == Method::Cluster {
            settings.method = Method::Layers;
        }
        if settings.image_size == usual.image_size {
            settings.image_size = image_size.min(MOST_PIXELS);
        }
    });
}
