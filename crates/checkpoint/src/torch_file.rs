//! PyTorch checkpoints: `.pth`, `.pt`, `.bin`, both the zip archive since 1.6 and the older stream of pickles.
//!
//! As with safetensors only the description is read, here a pickle; tensors stay in the file until they are wanted.

mod unpacked;
mod walk;

use super::error::CheckpointError;
use super::packed;
use super::pickle::{Node, Pickle, PickleError, StorageRef, TensorRef};
use super::stored::{Dtype, Place, Stored};
use super::zip_directory::{self, Entry};
use heirloom_platform::file::FileHandle;
use std::collections::HashMap;
pub(super) use unpacked::{name_of_unpacked, parts_of_unpacked, read_unpacked};
pub(super) use walk::is_training_state;
use walk::{Walk, labels};

/// Longest pickle that is read.
const MAX_PICKLE: u64 = 32 << 20;

/// First guess at how long an old file's pickles are.
const FIRST_PICKLE: u64 = 256 << 10;

/// What a PyTorch file holds.
pub(super) struct Contents {
    /// Keys (nested ones dotted) and where the tensors lie.
    pub tensors: Vec<(String, Stored)>,
    /// Names of the classes, where a training program put them beside the weights.
    pub labels: Option<Vec<String>>,
}

/// Reads what a PyTorch file with index `file` holds.
pub(super) async fn read(file: usize, handle: &FileHandle, is_zip: bool) -> Result<Contents, CheckpointError> {
    let (pickle, places) = if is_zip { zip(file, handle).await? } else { legacy(file, handle).await? };
    contents(handle, &pickle, &places)
}

fn contents(handle: &FileHandle, pickle: &Pickle, places: &Places) -> Result<Contents, CheckpointError> {
    let walk = Walk::over(pickle);
    if let Some(found) = walk.refusal(pickle) {
        return Err(CheckpointError::NotWeights { name: handle.name().into(), found });
    }
    let labels = labels(pickle);
    let tensors = walk.tensors.into_iter().map(|(key, tensor)| stored(handle, places, key, tensor));
    Ok(Contents { tensors: tensors.collect::<Result<_, _>>()?, labels })
}

/// Where a storage begins.
#[derive(Clone, Copy, Debug)]
struct Storage {
    /// Index of its file.
    file: usize,
    place: Place,
    /// Bytes it has.
    bytes: u64,
    /// Bytes of the whole file.
    file_len: u64,
}

/// Storages by their name.
type Places = HashMap<String, Storage>;

async fn zip(index: usize, file: &FileHandle) -> Result<(Pickle, Places), CheckpointError> {
    let entries = zip_directory::read(file).await?;
    let roots = entries.iter().filter_map(|entry| entry.name.strip_suffix("data.pkl"));
    let root = roots.filter(|root| root.is_empty() || root.ends_with('/')).min_by_key(|root| root.len());
    let Some(root) = root else { return Err(packed::refusal(file, &entries)) };
    let find = |name: &str| entries.iter().find(|entry| entry.name.strip_prefix(root) == Some(name));
    if let Some(order) = find("byteorder")
        && content(file, order, 16).await?.starts_with(b"big")
    {
        return Err(damaged(file, "it is in big-endian byte order, which no present machine writes".into()));
    }
    let bytes = match find("data.pkl") {
        Some(entry) => content(file, entry, MAX_PICKLE).await?,
        None => Vec::new(),
    };
    let pickle = Pickle::read(&bytes).map_err(|error| explain(file, error))?;
    let data = format!("{root}data/");
    let mut places = Places::new();
    for entry in &entries {
        let Some(key) = entry.name.strip_prefix(&data) else { continue };
        if !entry.is_plain {
            return Err(damaged(
                file,
                format!("`{}` is compressed, which PyTorch does not do; unpack and save it again", entry.name),
            ));
        }
        let place = Place::ZipEntry { header: entry.header, skip: 0 };
        places.insert(key.into(), Storage { file: index, place, bytes: entry.size, file_len: file.len() });
    }
    Ok((pickle, places))
}

/// The bytes of a small entry.
async fn content(file: &FileHandle, entry: &Entry, most: u64) -> Result<Vec<u8>, CheckpointError> {
    if !entry.is_plain || entry.size > most {
        let how = if entry.is_plain { "too long" } else { "compressed" };
        return Err(damaged(file, format!("its entry `{}` is {how}", entry.name)));
    }
    let start = zip_directory::data_start(file, entry.header).await?;
    Ok(file.read(start..start.saturating_add(entry.size)).await?)
}

/// Magic number, protocol version, system, the dictionary, the storages' keys; then the storages, each after its
/// number of elements.
async fn legacy(index: usize, file: &FileHandle) -> Result<(Pickle, Places), CheckpointError> {
    let mut length = file.len().min(FIRST_PICKLE);
    let (pickles, mut at) = loop {
        let bytes = file.read(0..length).await?;
        match pickles(&bytes) {
            Err(PickleError::CutOff) if length < file.len().min(MAX_PICKLE) => {
                length = (length * 4).min(file.len()).min(MAX_PICKLE);
            }
            read => break read.map_err(|error| explain(file, error))?,
        }
    };
    let [.., saved, keys] = <[Pickle; 5]>::try_from(pickles).map_err(|_| damaged(file, "parts are missing".into()))?;
    let sizes: HashMap<&str, &StorageRef> = saved.storages().map(|storage| (storage.key.as_str(), storage)).collect();
    let mut places = Places::new();
    if let Node::Sequence(items) = keys.node(keys.root) {
        for &item in items {
            let Node::Text(key) = keys.node(item) else { continue };
            let storage = sizes
                .get(key.as_str())
                .ok_or_else(|| damaged(file, format!("nobody describes its storage `{key}`")))?;
            let (_, size) = dtype(&storage.class);
            let bytes = (storage.elements as u64).saturating_mul(size);
            let place = Place::At(at.saturating_add(8));
            places.insert(key.clone(), Storage { file: index, place, bytes, file_len: file.len() });
            at = at.saturating_add(8).saturating_add(bytes);
        }
    }
    drop(sizes);
    Ok((saved, places))
}

/// The five pickles at the beginning of an old file, and where they end.
fn pickles(bytes: &[u8]) -> Result<(Vec<Pickle>, u64), PickleError> {
    let (mut read, mut at) = (Vec::with_capacity(5), 0);
    for _ in 0..5 {
        let pickle = Pickle::read(&bytes[at..])?;
        at += pickle.length;
        read.push(pickle);
    }
    Ok((read, at as u64))
}

/// Element type and bytes of one element, by PyTorch's class of storage.
fn dtype(class: &str) -> (Dtype, u64) {
    let class = class.rsplit('.').next().unwrap_or(class);
    let other = |name: &str, size: u64| (Dtype::Other(name.into()), size);
    match class {
        "DoubleStorage" => (Dtype::F64, 8),
        "FloatStorage" => (Dtype::F32, 4),
        "HalfStorage" => (Dtype::F16, 2),
        "BFloat16Storage" => (Dtype::Bf16, 2),
        "LongStorage" => other("I64", 8),
        "IntStorage" => other("I32", 4),
        "ShortStorage" => other("I16", 2),
        "CharStorage" => other("I8", 1),
        "ByteStorage" => other("U8", 1),
        "BoolStorage" => other("BOOL", 1),
        "ComplexFloatStorage" => other("C64", 8),
        "ComplexDoubleStorage" => other("C128", 16),
        _ => other(class, 1),
    }
}

fn stored(
    handle: &FileHandle,
    places: &Places,
    key: String,
    tensor: &TensorRef,
) -> Result<(String, Stored), CheckpointError> {
    let (dtype, size) = dtype(&tensor.storage.class);
    let Some(&Storage { file, place, bytes, file_len }) = places.get(&tensor.storage.key) else {
        return Err(damaged(handle, format!("`{key}` lies in storage `{}`, which is missing", tensor.storage.key)));
    };
    let first = (tensor.storage.view.start as u64).saturating_mul(size).min(bytes);
    // A storage that is a view of another ends where the view does.
    let bytes = bytes.min((tensor.storage.view.end as u64).saturating_mul(size)).saturating_sub(first);
    let skip = (tensor.offset as u64).saturating_mul(size);
    let start = first.saturating_add(skip);
    let place = match place {
        Place::At(at) => Place::At(at.saturating_add(start)),
        Place::ZipEntry { header, .. } => Place::ZipEntry { header, skip: start },
    };
    let strides = (!is_row_major(&tensor.shape, &tensor.strides)).then(|| tensor.strides.clone());
    let stored = Stored { file, dtype, shape: tensor.shape.clone(), strides, place };
    let needed = stored.extent().and_then(|extent| (extent as u64).checked_mul(size)?.checked_add(skip));
    let Some(needed) = needed.filter(|&needed| needed <= bytes) else {
        return Err(damaged(
            handle,
            format!("`{key}` of shape {:?} does not fit its storage of {bytes} bytes", stored.shape),
        ));
    };
    let end = match place {
        Place::At(start) => start.saturating_add(needed - skip),
        Place::ZipEntry { header, .. } => header.saturating_add(first).saturating_add(bytes),
    };
    if end > file_len {
        return Err(damaged(
            handle,
            format!("`{key}` should end at byte {end}, but the file stops after {file_len}; it is cut off"),
        ));
    }
    Ok((key, stored))
}

fn is_row_major(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1_usize;
    for (&axis, &stride) in shape.iter().zip(strides).rev() {
        if axis > 1 && stride != expected {
            return false;
        }
        expected = expected.saturating_mul(axis);
    }
    true
}

fn explain(file: &FileHandle, error: PickleError) -> CheckpointError {
    let problem = match error {
        PickleError::CutOff => "its description (a pickle) is cut off".into(),
        PickleError::Wrong(problem) => problem,
    };
    damaged(file, problem)
}

fn damaged(file: &FileHandle, problem: String) -> CheckpointError {
    CheckpointError::Damaged { name: file.name().into(), problem }
}
