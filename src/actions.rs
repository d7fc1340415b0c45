//! What the person does, as commands to the engine.

use leptos::prelude::*;

use super::files::Picked;
use super::state::{App, EngineState};
use super::strings::text;
use heirloom_plan::protocol::{Command, FileRef, JobKind, Preparation, RaceState, SplitSettings};
use heirloom_plan::settings::Settings;

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
        self.send(Command::SetSplit(split), Vec::new());
    }

    pub fn measure(self) {
        self.begin_job(JobKind::Measure);
        self.send(Command::MeasureHeads(self.settings.with_untracked(Settings::measuring)), Vec::new());
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

    pub fn train(self) {
        let settings = untrack(|| self.chosen_experiment());
        if let Some(settings) = settings {
            self.tell_engine();
            self.begin_job(JobKind::Train);
            self.forget_answers_of_namer();
            self.start_experiment(settings);
        }
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
