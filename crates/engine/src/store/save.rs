//! Writing a generation: first the models that were trained since the last one, each as a part of its own, then the
//! state of the job under way, tensor by tensor. The job rests meanwhile, so nothing is copied on the device; commands
//! are heard between two turns.

use std::collections::VecDeque;

use super::copy::Stored;
use super::project_store::ProjectStore;
use super::snapshot::{Piece, Place, Snapshot};
use crate::error::EngineError;
use crate::saved::{Part, SavedWork, hex};
use crate::workspace::Id;
use heirloom_checkpoint::SealedWriter;
use heirloom_nn::device::read;
use heirloom_nn::vit::HostTensor;
use heirloom_platform::clock::now_ms;
use heirloom_platform::storage::StorageError;
use heirloom_train::DeviceTensor;

/// Longest time spent at once, ms; one tensor is not divided.
const TURN: f64 = 30.0;

/// A save under way.
pub struct Saving {
    pub work: SavedWork,
    pub slot: usize,
    pieces: VecDeque<Piece>,
    writing: Option<Writing>,
}

/// A file being written.
struct Writing {
    writer: SealedWriter,
    tensors: VecDeque<Values>,
    name: String,
    /// What becomes of it; `None` for the generation itself.
    place: Option<(Place, Id)>,
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

impl Saving {
    /// Writes `snapshot` as the generation of this number, which lies in `slot`.
    pub fn new(snapshot: Snapshot, generation: u64, slot: usize, page: &str) -> Self {
        let Snapshot { work, pieces } = snapshot;
        Self { work: SavedWork { generation, page: page.into(), ..work }, slot, pieces, writing: None }
    }

    /// Writes for a moment what `stored` does not have yet; `true` when everything is written. What was written half is
    /// removed on an error.
    pub async fn write_for_a_moment(
        &mut self,
        store: &ProjectStore,
        id: &str,
        stored: &mut Stored,
    ) -> Result<bool, EngineError> {
        let until = now_ms() + TURN;
        loop {
            match self.write_next(store, id, stored).await {
                Ok(false) if now_ms() < until => {}
                Ok(is_done) => return Ok(is_done),
                Err(error) => {
                    self.give_up(store, id).await;
                    return Err(error);
                }
            }
        }
    }

    /// Writes one tensor, or begins or ends a file; `true` when the last one is written.
    async fn write_next(&mut self, store: &ProjectStore, id: &str, stored: &mut Stored) -> Result<bool, EngineError> {
        let Some(writing) = &mut self.writing else {
            let Some(piece) = self.pieces.pop_front() else { return Ok(true) };
            self.writing = Some(self.begin(store, id, piece).await?);
            return Ok(false);
        };
        match writing.tensors.pop_front() {
            Some(Values::Device(tensor)) => writing.writer.tensor(&read(tensor.tensor).await?)?,
            Some(Values::Host(_, tensor)) => writing.writer.tensor(&tensor.values)?,
            None => {
                let Some(Writing { writer, name, place, .. }) = self.writing.take() else { return Ok(false) };
                let (len, seal) = writer.finish()?;
                if let Some((place, id)) = place {
                    let part = Part { name, len, sha256: hex(&seal) };
                    stored.parts.insert(id, part.clone());
                    place.note(&mut self.work, part);
                }
            }
        }
        Ok(false)
    }

    async fn begin(&self, store: &ProjectStore, id: &str, piece: Piece) -> Result<Writing, EngineError> {
        let device = |tensors: Vec<DeviceTensor>| tensors.into_iter().map(Values::Device).collect::<VecDeque<_>>();
        let (place, tensors) = match piece {
            Piece::Part { place, tensors, id } => (Some((place, id)), device(tensors)),
            Piece::Model { index, model, id } => {
                let state = model.state().await?.into_iter().map(|(name, tensor)| Values::Host(name, tensor));
                (Some((Place::Model(index), id)), state.collect())
            }
            Piece::Generation { tensors } => (None, device(tensors)),
        };
        let (name, path, metadata) = match &place {
            None => {
                let metadata = serde_json::to_string(&self.work);
                let metadata = metadata.map_err(|error| EngineError::Unfit(error.to_string()))?;
                (String::new(), ProjectStore::slot_path(id, self.slot), metadata)
            }
            Some((place, _)) => {
                let name = place.file_name(&self.work);
                let path = ProjectStore::part_path(id, &name);
                (name, path, String::new())
            }
        };
        let shapes = tensors.iter().map(Values::name_and_shape);
        match SealedWriter::create(&store.storage, &path, &metadata, shapes).await {
            Ok(writer) => Ok(Writing { writer, tensors, name, place }),
            Err(error) => {
                // Not even its header had room; what there is of it would be taken for a damaged generation.
                store.storage.remove(&path).await?;
                Err(error.into())
            }
        }
    }

    /// Removes the file that broke off, so that it takes no room.
    async fn give_up(&mut self, store: &ProjectStore, id: &str) {
        let Some(Writing { writer, name, place, .. }) = self.writing.take() else { return };
        drop(writer);
        let path = match place {
            None => ProjectStore::slot_path(id, self.slot),
            Some(_) => ProjectStore::part_path(id, &name),
        };
        if let Err(StorageError::Denied { reason }) = store.storage.remove(&path).await {
            log::warn!("`{path}` broke off and could not be removed: {reason}");
        }
    }
}
