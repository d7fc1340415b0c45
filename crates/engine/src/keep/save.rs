//! Writing a generation: first the models that were trained since the last one, each as a part of its own, then the
//! state of the job under way, tensor by tensor. The job rests meanwhile, so nothing is copied on the device; commands
//! are heard between two turns.

use std::collections::{HashSet, VecDeque};

use super::store::{KeepError, Projects, bytes_of};
use super::take_down::{Piece, Place};
use super::work::{Kept, Part, SavedWork, hex};
use super::{Change, TRY_AGAIN};
use crate::runner::{Job, Runner};
use heirloom_checkpoint::SealedWriter;
use heirloom_nn::device::read;
use heirloom_nn::vit::HostTensor;
use heirloom_plan::protocol::{Event, ProjectEvent, Saved};
use heirloom_platform::clock::now_ms;
use heirloom_platform::storage::StorageError;
use heirloom_train::DeviceTensor;

/// Longest time spent at once, ms; one tensor is not divided.
const TURN: f64 = 30.0;

/// A save under way.
pub(super) struct Saving {
    work: SavedWork,
    slot: usize,
    pieces: VecDeque<Piece>,
    writing: Option<Writing>,
    began: f64,
    passes: usize,
}

/// A file being written.
struct Writing {
    writer: SealedWriter,
    tensors: VecDeque<Values>,
    name: String,
    /// What becomes of it; `None` for the generation itself.
    place: Option<(Place, Kept)>,
}

#[allow(clippy::large_enum_variant, reason = "a few hundred wait at a time; a box each would cost more")]
enum Values {
    Device(DeviceTensor),
    Host(String, HostTensor),
}

impl Values {
    fn name_and_shape(&self) -> (&str, &[usize]) {
        match self {
            Self::Device(tensor) => (&tensor.name, &tensor.shape),
            Self::Host(name, tensor) => (name, &tensor.shape),
        }
    }
}

impl Runner {
    /// Takes down what there is to save; [`Runner::save_next`] writes it.
    pub(super) fn begin_saving(&mut self) {
        let began = now_ms();
        self.keeper.change.set(Change::None);
        self.keeper.last.0 = began;
        match self.take_down() {
            Ok((work, _)) if work.is_empty() => {}
            Ok((work, pieces)) => {
                let (_, slot) = self.keeper.newest;
                let passes = self.job.as_ref().and_then(Job::passes).unwrap_or(0);
                self.keeper.saving = Some(Saving { work, slot: 1 - slot.min(1), pieces, writing: None, began, passes });
            }
            Err(error) => self.not_saved(&error),
        }
    }

    /// Writes for a moment.
    pub(super) async fn save_next(&mut self) {
        let (Some(projects), Some(mut saving)) = (self.keeper.projects.clone(), self.keeper.saving.take()) else {
            return;
        };
        let until = now_ms() + TURN;
        let id = self.keeper.id.clone();
        loop {
            match saving.write_next(&projects, &id).await {
                Ok(false) if now_ms() < until => {}
                Ok(false) => return self.keeper.saving = Some(saving),
                Ok(true) => break,
                Err(error) => {
                    saving.give_up(&projects, &id).await;
                    return self.not_saved(&error);
                }
            }
        }
        if let Err(error) = self.finish_saving(&projects, saving).await {
            self.not_saved(&error);
        }
    }

    async fn finish_saving(&mut self, projects: &Projects, saving: Saving) -> Result<(), KeepError> {
        let Saving { work, slot, began, passes, .. } = saving;
        let is_first = self.keeper.newest.0 == 0;
        (self.keeper.newest, self.keeper.passes) = ((work.generation, slot), passes);
        self.keeper.last = (began, now_ms() - began);
        self.keeper.trouble = None;
        if is_first {
            projects.set_name(&self.keeper.id, &self.keeper.name).await?;
            projects.set_last(&self.keeper.id).await?;
        }
        if self.keeper.is_quiet {
            return Ok(());
        }
        let bytes = bytes_of(&work) + projects.storage.size(&Projects::slot_path(&self.keeper.id, slot)).await?;
        self.say(Event::Project(ProjectEvent::Saved(Saved {
            at: work.saved_at,
            bytes,
            seconds: self.keeper.last.1 / 1e3,
            is_complete: self.keeper.change.get() == Change::None,
        })));
        // The other generation may still need its parts; what neither needs can go.
        let (generations, damaged) = projects.generations(&self.keeper.id).await?;
        if damaged.is_empty() {
            let named: HashSet<&str> =
                generations.iter().flat_map(|one| one.work.parts()).map(|part| part.name.as_str()).collect();
            for entry in projects.storage.list(&format!("projects/{}/parts", self.keeper.id)).await? {
                if !named.contains(entry.name.as_str()) {
                    projects.storage.remove(&Projects::part_path(&self.keeper.id, &entry.name)).await?;
                }
            }
        }
        if is_first {
            self.list_projects().await;
        }
        Ok(())
    }

    /// Said once; the work goes on in memory, and saving is tried again later.
    fn not_saved(&mut self, error: &KeepError) {
        let reason = error.to_string();
        if self.keeper.trouble.is_none() {
            self.inform(format!(
                "your work could not be saved ({reason}). It goes on in memory, and what was saved before stays; saving \
                 is tried again by itself"
            ));
        }
        self.say(Event::Project(ProjectEvent::Unsaved { reason: reason.clone() }));
        self.keeper.trouble = Some((reason, now_ms() + TRY_AGAIN));
        // It is still to be saved.
        self.keeper.note(Change::Soon);
    }
}

impl Saving {
    /// Writes one tensor, or begins or ends a file; `true` when the last one is written.
    async fn write_next(&mut self, projects: &Projects, id: &str) -> Result<bool, KeepError> {
        let Some(writing) = &mut self.writing else {
            let Some(piece) = self.pieces.pop_front() else { return Ok(true) };
            self.writing = Some(self.begin(projects, id, piece).await?);
            return Ok(false);
        };
        match writing.tensors.pop_front() {
            Some(Values::Device(tensor)) => writing.writer.tensor(&read(tensor.tensor).await?)?,
            Some(Values::Host(_, tensor)) => writing.writer.tensor(&tensor.values)?,
            None => {
                let Some(Writing { writer, name, place, .. }) = self.writing.take() else { return Ok(false) };
                let (len, seal) = writer.finish()?;
                if let Some((place, kept)) = place {
                    let part = Part { name, len, sha256: hex(&seal) };
                    *kept.borrow_mut() = Some(part.clone());
                    place.note(&mut self.work, part);
                }
            }
        }
        Ok(false)
    }

    async fn begin(&self, projects: &Projects, id: &str, piece: Piece) -> Result<Writing, KeepError> {
        let device = |tensors: Vec<DeviceTensor>| tensors.into_iter().map(Values::Device).collect::<VecDeque<_>>();
        let (place, tensors) = match piece {
            Piece::Part { place, tensors, kept } => (Some((place, kept)), device(tensors)),
            Piece::Model { index, model, kept } => {
                let state = model.state().await?.into_iter().map(|(name, tensor)| Values::Host(name, tensor));
                (Some((Place::Model(index), kept)), state.collect())
            }
            Piece::Generation { tensors } => (None, device(tensors)),
        };
        let (name, path, metadata) = match &place {
            None => {
                let metadata = serde_json::to_string(&self.work);
                let metadata = metadata.map_err(|error| KeepError::Unfit(error.to_string()))?;
                (String::new(), Projects::slot_path(id, self.slot), metadata)
            }
            Some((place, _)) => {
                let name = place.file_name(self.work.generation);
                let path = Projects::part_path(id, &name);
                (name, path, String::new())
            }
        };
        let shapes = tensors.iter().map(Values::name_and_shape);
        match SealedWriter::create(&projects.storage, &path, &metadata, shapes).await {
            Ok(writer) => Ok(Writing { writer, tensors, name, place }),
            Err(error) => {
                // Not even its header had room; what there is of it would be taken for a damaged generation.
                projects.storage.remove(&path).await?;
                Err(error.into())
            }
        }
    }

    /// Removes the file that broke off, so that it takes no room.
    async fn give_up(mut self, projects: &Projects, id: &str) {
        let Some(Writing { writer, name, place, .. }) = self.writing.take() else { return };
        drop(writer);
        let path = match place {
            None => Projects::slot_path(id, self.slot),
            Some(_) => Projects::part_path(id, &name),
        };
        if let Err(StorageError::Denied { reason }) = projects.storage.remove(&path).await {
            log::warn!("`{path}` broke off and could not be removed: {reason}");
        }
    }
}
