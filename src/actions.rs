//! What the person does, as commands to the engine.

use leptos::prelude::*;

use super::files::Picked;
use super::layers::layers_and_patch;
use super::state::{App, EngineState};
use super::strings::text;
use heirloom_plan::protocol::{
    Command, ExperimentSettings, FileRef, JobKind, Method, Preparation, RaceState, SplitSettings,
};

/// A question that is answered at once when the engine is idle, but late when it trains. Asking again before the answer
/// would let questions queue up behind a dragged slider, so only the latest one is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Asked {
    #[default]
    No,
    Waiting,
    /// Something changed since the question was sent.
    Stale,
}

impl App {
    pub fn send(self, command: Command, files: Vec<web_sys::File>) {
        self.link.with_value(|link| {
            if let Some(link) = link {
                link.send(command, files);
            }
        });
    }

    pub fn restart_engine(self) {
        let link = self.link.get_value();
        if let Some(link) = link {
            self.engine.set(EngineState::Loading);
            link.restart(text().engine.asked_restart);
        }
    }

    pub fn open_ancestor(self, picked: Vec<Picked>) {
        if picked.is_empty() {
            return;
        }
        // A shipped one on its way must not take the place of what the person chose meanwhile.
        self.shipped.cancel();
        self.begin_job(JobKind::Open);
        let (files, handles) = hand_over(picked);
        self.send(Command::OpenAncestor { files }, handles);
    }

    pub fn set_preparation(self, preparation: Preparation) {
        self.send(Command::SetPreparation(preparation), Vec::new());
    }

    pub fn add_pictures(self, picked: Vec<Picked>, class: Option<String>) {
        if picked.is_empty() {
            return self.complain(text().pictures.nothing_inside.to_owned());
        }
        self.begin_job(JobKind::Pictures);
        let (files, handles) = hand_over(picked);
        self.send(Command::AddPictures { files, class }, handles);
    }

    pub fn clear_pictures(self) {
        self.pictures.set(None);
        self.trial.forget_pictures();
        self.send(Command::ClearPictures, Vec::new());
    }

    pub fn set_split(self, split: SplitSettings) {
        self.settings.update(|settings| settings.split = split);
        self.send(Command::SetSplit(split), Vec::new());
    }

    pub fn measure(self) {
        self.begin_job(JobKind::Measure);
        self.send(Command::MeasureHeads(self.settings.with_untracked(|settings| settings.measure)), Vec::new());
    }

    pub fn ask_attention(self, layer: usize, head: usize, picture: usize) {
        self.looking.set((layer, head, picture));
        let patch = self.looking_from.get_untracked();
        self.send(Command::ShowAttention { layer, head, picture, patch }, Vec::new());
    }

    /// The same head on the same picture, from another patch.
    pub fn look_from(self, patch: usize) {
        self.looking_from.set(Some(patch));
        let (layer, head, picture) = self.looking.get_untracked();
        self.ask_attention(layer, head, picture);
    }

    /// Clusters again when the heads or the settings changed.
    pub fn ask_clusters(self) {
        if self.clusters_asked.get_value() != Asked::No {
            return self.clusters_asked.set_value(Asked::Stale);
        }
        let size = self.heads.with_untracked(|heads| heads.as_ref().map(|heads| heads.image_size));
        if let Some(size) = size {
            self.clusters_asked.set_value(Asked::Waiting);
            let clusters = self.settings.with_untracked(|settings| settings.clusters(size));
            self.send(Command::SetClusters(clusters), Vec::new());
        }
    }

    pub(super) fn clusters_answered(self) {
        let stale = self.clusters_asked.get_value() == Asked::Stale;
        self.clusters_asked.set_value(Asked::No);
        if stale {
            self.ask_clusters();
        }
    }

    /// Plans again when the clusters, the classes or the settings changed.
    pub fn ask_descendant(self) {
        if self.descendant_asked.get_value() != Asked::No {
            return self.descendant_asked.set_value(Asked::Stale);
        }
        let shape = self.ancestor.with_untracked(|ancestor| ancestor.as_ref().map(layers_and_patch));
        let is_condensed = self.settings.with_untracked(|settings| match settings.method {
            Method::Layers => !settings.chosen.is_empty(),
            Method::Cluster | Method::Pool | Method::Stitch => self.clusters.with_untracked(Option::is_some),
        });
        if !is_condensed && self.settings.with_untracked(|settings| settings.method == Method::Layers) {
            // Nothing is chosen any more: what was planned before must not be trained by mistake.
            self.descendant.set(None);
        }
        if let (Some((depth, patch)), true) = (shape, is_condensed) {
            self.descendant_asked.set_value(Asked::Waiting);
            let descendant = self.settings.with_untracked(|settings| settings.descendant(depth, patch));
            self.send(Command::PlanDescendant(descendant), Vec::new());
        }
    }

    pub(super) fn descendant_answered(self) {
        let stale = self.descendant_asked.get_value() == Asked::Stale;
        self.descendant_asked.set_value(Asked::No);
        if stale {
            self.ask_descendant();
        }
    }

    /// After an error or a restart no answer may come: the next change asks afresh.
    pub(super) fn forget_answers(self) {
        self.clusters_asked.set_value(Asked::No);
        self.descendant_asked.set_value(Asked::No);
    }

    pub fn train(self) {
        let settings = untrack(|| self.chosen_experiment());
        if let Some(settings) = settings {
            self.begin_job(JobKind::Train);
            self.forget_answers_of_namer();
            self.start_experiment(settings);
        }
    }

    /// Asks how long that would take.
    pub fn ask_forecast(self, settings: ExperimentSettings) {
        self.send(Command::PredictTraining(settings), Vec::new());
    }

    pub fn pause_or_continue(self) {
        let paused = self.race.with_untracked(|race| race.as_ref().is_some_and(|r| r.state == RaceState::Paused));
        self.send(if paused { Command::Continue } else { Command::Pause }, Vec::new());
    }

    pub fn stop(self) {
        self.send(Command::Stop, Vec::new());
    }

    pub fn predict(self, picked: Vec<Picked>) {
        if picked.is_empty() {
            return;
        }
        self.predictions.set(Vec::new());
        self.begin_job(JobKind::Evaluate);
        let (files, handles) = hand_over(picked);
        self.send(Command::Predict { run: self.namer(), files }, handles);
    }

    /// Has pictures named that were kept for checking, one of each class in turn; others each time.
    pub fn predict_validation(self, count: usize) {
        self.predictions.set(Vec::new());
        self.begin_job(JobKind::Evaluate);
        let skip = self.trial.next_validation.get_value();
        self.trial.next_validation.set_value(skip + count);
        self.send(Command::PredictValidation { run: self.namer(), skip, count }, Vec::new());
    }

    pub fn ask_confusion(self) {
        self.begin_job(JobKind::Evaluate);
        self.send(Command::Confusion { run: self.namer() }, Vec::new());
    }

    pub fn export_safetensors(self, run: Option<usize>) {
        self.send(Command::ExportSafetensors { run }, Vec::new());
    }

    pub fn export_onnx(self, run: Option<usize>) {
        self.send(Command::ExportOnnx { run }, Vec::new());
    }

    pub fn export_package(self, run: Option<usize>) {
        self.send(Command::ExportPackage { run }, Vec::new());
    }

    pub fn export_curves(self) {
        self.send(Command::ExportCurves, Vec::new());
    }

    /// Where dropped files go: checkpoints are told by their ending, all else is pictures. A zip is taken for a model
    /// where it was dropped on the first step.
    pub fn sort_dropped(self, picked: Vec<Picked>, on_ancestor: bool) {
        let is_model = |picked: &Picked| {
            let name = picked.path.to_lowercase();
            let is_zip = on_ancestor && name.ends_with(".zip");
            let endings = [".safetensors", ".pth", ".pt", ".bin", ".onnx", ".json"];
            is_zip || endings.iter().any(|ending| name.ends_with(ending))
        };
        let (models, pictures): (Vec<_>, Vec<_>) = picked.into_iter().partition(is_model);
        let has_weights = models.iter().any(|picked| !picked.path.to_lowercase().ends_with(".json"));
        if has_weights {
            self.open_ancestor(models);
        }
        if !pictures.is_empty() || !has_weights {
            self.add_pictures(pictures, None);
        }
    }
}

pub(super) fn hand_over(picked: Vec<Picked>) -> (Vec<FileRef>, Vec<web_sys::File>) {
    let refs = picked.iter().enumerate();
    let refs = refs.map(|(index, p)| FileRef { index, path: p.path.clone(), size: p.file.size() as u64 }).collect();
    (refs, picked.into_iter().map(|picked| picked.file).collect())
}
