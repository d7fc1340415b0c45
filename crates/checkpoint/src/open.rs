//! A checkpoint: what was recognised, and its tensors one by one under our keys.

use super::description::Preprocessing;
use super::error::CheckpointError;
use super::foreign;
use super::gather::{Gathered, gather};
use super::infer::{Found, Inferred, family, infer};
use super::naming::{self, Naming, Style};
use super::nearest::nearest;
use super::sorted::{Recipe, Sorted, flat_shape, lifted};
use super::stored::Stored;
use heirloom_plan::config::ModelConfig;
use heirloom_plan::weights::{HostTensor, Weights};
use heirloom_platform::file::FileHandle;
use std::collections::{BTreeMap, HashSet};

/// Unexpected keys for which a nearest name is looked up; beyond that the list helps nobody.
const MAX_NEAREST: usize = 200;

/// An opened checkpoint. Its headers are read; its tensors are still in the files.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The model.
    pub config: ModelConfig,
    /// Name of the file (the first one, of several shards) or of the package.
    pub name: String,
    /// Family and naming style, e.g. `ViT (Hugging Face names)`.
    pub family: String,
    /// Element types of the model's tensors, the commonest first, e.g. `F16` or `F32, F16`.
    pub dtype: String,
    /// All parameters of the model.
    pub parameters: u64,
    /// timm keys the model needs and the files lack, each with the nearest name that nobody uses.
    pub missing: Vec<(String, Option<String>)>,
    /// Keys the files have and the model does not know, each with the nearest timm key.
    pub unexpected: Vec<(String, Option<String>)>,
    /// What was assumed, chosen or left out, as sentences.
    pub assumptions: Vec<String>,
    /// Names of the classes, if there is a classifier and they are known.
    pub labels: Option<Vec<String>>,
    /// How pictures are prepared, if the files say it.
    pub preprocessing: Option<Preprocessing>,
    /// Free text of the safetensors files.
    pub metadata: BTreeMap<String, String>,
    /// The files it was opened from, without those that say nothing of it: enough to open it again.
    pub sources: Vec<FileHandle>,
    files: Vec<FileHandle>,
    recipes: BTreeMap<String, Recipe>,
    stored: BTreeMap<String, Stored>,
}

impl Checkpoint {
    /// Recognises what was dropped: one `.safetensors`, several shards, a `.pth`/`.pt`/`.bin` state dict, with or
    /// without the JSON files that describe it, or a package as it was exported. Kinds are told by content, not by name. Only headers are read.
    ///
    /// # Errors
    /// When there are no weights, they are damaged, or belong to a model that is none of those
    /// [`ModelConfig`] describes. Missing keys are no error here: see [`Checkpoint::missing`].
    pub async fn open(files: &[FileHandle]) -> Result<Self, CheckpointError> {
        let gathered = gather(files).await?;
        let keys: Vec<&str> = gathered.tensors.keys().map(String::as_str).collect();
        let naming = naming::recognise(&gathered.name, &keys)?;
        let mut sorted = Sorted::new(&gathered, &naming)?;
        let found = Found { style: naming.style, is_keyless: sorted.is_keyless };
        let inferred = infer(&gathered.name, &sorted.shapes(&gathered), &gathered.hints, found)?;
        sorted.apply(&inferred);
        sorted.check_shapes(&gathered, &inferred)?;
        let checkpoint = build(gathered, &naming, sorted, inferred);
        checkpoint.check_claimed(&naming)?;
        Ok(checkpoint)
    }

    /// Reads one tensor of the model by its timm key, as `f32`. Nothing else is kept in memory.
    ///
    /// # Errors
    /// When the tensor is missing, holds NaN or infinity, is of a type that is not read, or the file cannot be read.
    pub async fn tensor(&self, key: &str) -> Result<HostTensor, CheckpointError> {
        let Some(recipe) = self.recipes.get(key) else { return Err(self.missing_error(key)) };
        let tensor = match recipe {
            Recipe::Whole(raw) => self.read(raw).await?,
            Recipe::Flat(raw) => {
                let tensor = self.read(raw).await?;
                HostTensor { shape: flat_shape(tensor.shape), ..tensor }
            }
            Recipe::Lifted(raw) => {
                let HostTensor { shape, values } = self.read(raw).await?;
                HostTensor { shape: lifted(shape), values }
            }
            Recipe::Stacked(parts) => self.read_stacked(parts).await?,
            Recipe::Sum([own, shared]) => {
                let (mut own, shared) = (self.read(own).await?, self.read(shared).await?);
                own.values.iter_mut().zip(shared.values).for_each(|(own, shared)| *own += shared);
                own
            }
            Recipe::Grouped { parts, head_dim } => self.read_grouped(parts, *head_dim).await?,
            Recipe::OfLayer { all, layer } => {
                let HostTensor { mut shape, values } = self.read(all).await?;
                let layers = shape.remove(1);
                let one = shape[1..].iter().product::<usize>();
                let halves = values.chunks(layers * one).flat_map(|half| &half[layer * one..(layer + 1) * one]);
                HostTensor { values: halves.copied().collect(), shape }
            }
            Recipe::KeyMasked(raw) => {
                let mut biases = self.read(raw).await?;
                let third = biases.values.len() / 3;
                biases.values[third..2 * third].fill(0.0);
                biases
            }
            Recipe::Rows { whole, first, count } => {
                let HostTensor { mut shape, values } = self.read(whole).await?;
                let width = values.len() / shape[0].max(1);
                shape[0] = *count;
                HostTensor { shape, values: values[first * width..(first + count) * width].to_vec() }
            }
            Recipe::RegistersWithPositions { registers, positions, first } => {
                let (mut registers, positions) = (self.read(registers).await?, self.read(positions).await?);
                let rows = &positions.values[first * registers.shape[2]..];
                registers.values.iter_mut().zip(rows).for_each(|(value, position)| *value += position);
                registers
            }
            Recipe::PositionsWithoutRegisters { positions, first, count } => {
                let mut positions = self.read(positions).await?;
                let width = positions.shape[2];
                positions.values.drain(first * width..(first + count) * width);
                positions.shape[1] -= count;
                positions
            }
        };
        let (total, finite) = (tensor.values.len(), tensor.values.iter().filter(|value| value.is_finite()).count());
        if finite < total {
            return Err(CheckpointError::NotFinite { key: key.into(), count: total - finite, total });
        }
        Ok(tensor)
    }

    /// Whether every tensor of the model is there.
    ///
    /// # Errors
    /// Names the first one that is not.
    pub fn check_complete(&self) -> Result<(), CheckpointError> {
        self.missing.first().map_or(Ok(()), |(key, _)| Err(self.missing_error(key)))
    }

    fn missing_error(&self, key: &str) -> CheckpointError {
        let nearest = self.missing.iter().find(|(missing, _)| missing == key).and_then(|(_, nearest)| nearest.clone());
        CheckpointError::Missing { key: key.into(), nearest }
    }

    async fn read(&self, raw: &str) -> Result<HostTensor, CheckpointError> {
        let (stored, mut values) = (&self.stored[raw], Vec::new());
        stored.read(raw, &self.files[stored.file], &mut values).await?;
        Ok(HostTensor { shape: stored.shape.clone(), values })
    }

    async fn read_stacked(&self, parts: &[Option<String>]) -> Result<HostTensor, CheckpointError> {
        let shape = parts.iter().flatten().next().map(|raw| self.stored[raw].shape.clone()).unwrap_or_default();
        let (rows, one) = (shape.first().copied().unwrap_or(0), shape.iter().product::<usize>());
        let mut stacked = HostTensor { shape, values: Vec::new() };
        if let Some(first) = stacked.shape.first_mut() {
            *first = rows * parts.len();
        }
        // All the room at once: growing would hold a copy beside it.
        stacked.values.reserve_exact(one * parts.len());
        for part in parts {
            match part {
                Some(part) => {
                    let stored = &self.stored[part];
                    stored.read(part, &self.files[stored.file], &mut stacked.values).await?;
                }
                None => stacked.values.resize(stacked.values.len() + one, 0.0),
            }
        }
        Ok(stacked)
    }

    /// Every head gets the key and the value that its group shares.
    async fn read_grouped(&self, parts: &[String; 3], head_dim: usize) -> Result<HostTensor, CheckpointError> {
        let mut stacked = self.read(&parts[0]).await?;
        let rows = stacked.shape[0];
        for part in &parts[1..] {
            let part = self.read(part).await?;
            let heads = part.values.chunks((part.values.len() / part.shape[0]) * head_dim);
            let group = rows / part.shape[0];
            stacked.values.extend(heads.flat_map(|head| head.repeat(group)));
        }
        stacked.shape[0] = 3 * rows;
        Ok(stacked)
    }

    /// Refuses a Vision Transformer with tensors in its stem, layers or head that it has no place for: it would compute
    /// something else than the model it was saved from. What is missing is told by [`Checkpoint::check_complete`].
    fn check_claimed(&self, naming: &Naming) -> Result<(), CheckpointError> {
        if self.config.vit().is_none() || !self.missing.is_empty() {
            return Ok(());
        }
        let keys: Vec<&str> =
            self.unexpected.iter().map(|(raw, _)| raw.as_str()).filter(|raw| naming.is_part(raw)).collect();
        let Some(first) = keys.first() else { return Ok(()) };
        let some = keys.iter().take(3).map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
        let what = foreign::part(first).unwrap_or("a Vision Transformer of a form that is not known here");
        let found = format!("{what}: {} of its tensors have no place here ({some})", keys.len());
        Err(CheckpointError::OtherModel { name: self.name.clone(), found })
    }
}

fn build(gathered: Gathered, naming: &Naming, mut sorted: Sorted, inferred: Inferred) -> Checkpoint {
    let Inferred { config, mut assumptions, .. } = inferred;
    let known: Vec<String> = config.tensors().into_iter().map(|(key, _)| key).collect();
    let known_set: HashSet<&str> = known.iter().map(String::as_str).collect();
    for (key, recipe) in &sorted.recipes {
        if !known_set.contains(key.as_str()) {
            sorted.unknown.extend(recipe.sources().into_iter().cloned());
        }
    }
    sorted.unknown.sort();
    sorted.unknown.dedup();
    sorted.recipes.retain(|key, _| known_set.contains(key.as_str()));
    let lacks = known.iter().filter(|key| !sorted.recipes.contains_key(*key));
    let near = |key: &String| nearest(key, sorted.unknown.iter().map(String::as_str)).map(String::from);
    let missing: Vec<_> = lacks.map(|key| (key.clone(), near(key))).collect();
    let unexpected = sorted.unknown.iter().enumerate().map(|(at, raw)| {
        let near = (at < MAX_NEAREST).then(|| nearest(raw, known.iter().map(String::as_str))).flatten();
        (raw.clone(), near.map(String::from))
    });
    let preprocessing = preprocessing(&gathered, &config);
    assumptions.extend(unsaid(&gathered, &config));
    assumptions.extend(notes(&gathered, naming, &sorted));
    let labels = gathered.hints.own.as_ref().map_or(gathered.hints.labels.clone(), |own| own.labels.clone());
    let has_mask_token = sorted.unused.iter().any(|key| key.ends_with("mask_token"));
    Checkpoint {
        family: family(&config, &gathered.hints, naming.style, has_mask_token),
        dtype: dtypes(&gathered, &sorted),
        parameters: config.parameters(),
        missing,
        unexpected: unexpected.collect(),
        assumptions,
        labels: labels.filter(|labels| Some(labels.len()) == config.classes()),
        preprocessing,
        name: gathered.name,
        metadata: gathered.metadata,
        sources: gathered.sources,
        files: gathered.files,
        recipes: sorted.recipes,
        stored: gathered.tensors,
        config,
    }
}

fn notes(gathered: &Gathered, naming: &Naming, sorted: &Sorted) -> Vec<String> {
    let mut notes = gathered.notes.clone();
    if !naming.others.is_empty() {
        let others = naming.others.iter().map(|other| format!("`{other}`")).collect::<Vec<_>>().join(", ");
        notes.push(format!("the file holds several models; `{}` is used, not {others}", naming.prefix));
    } else if sorted.outside > 0 && matches!(naming.style, Style::Clip | Style::OpenAiClip) {
        notes.push(format!("the tower of pictures is taken, {} tensors beside it are left alone", sorted.outside));
    } else if sorted.outside > 0 {
        let (count, prefix) = (sorted.outside, &naming.prefix);
        let what = match sorted.surprises.as_slice() {
            [] => ", an optimiser's most likely".to_owned(),
            some => format!(" ({}, …)", some.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")),
        };
        notes.push(format!("left alone outside `{prefix}`: {count} tensors{what}"));
    }
    if sorted.is_grouped {
        notes.push("keys and values that several heads share are written out for each head".into());
    }
    if sorted.unused.iter().any(|key| key.contains("pooler.")) {
        notes.push("`pooler` is left out: the model's feature is the CLS token after its last norm".into());
    }
    if sorted.unused.iter().any(|key| key.ends_with("visual.proj")) {
        notes.push("`visual.proj` is left out: the model's feature is what it projects".into());
    }
    notes
}

fn dtypes(gathered: &Gathered, sorted: &Sorted) -> String {
    let mut elements: BTreeMap<&str, usize> = BTreeMap::new();
    let mut count = |raw: &str| {
        let stored = &gathered.tensors[raw];
        *elements.entry(stored.dtype.name()).or_default() += stored.elements().unwrap_or(0);
    };
    sorted.recipes.values().flat_map(Recipe::sources).for_each(|raw| count(raw));
    let mut names: Vec<_> = elements.into_iter().collect();
    names.sort_by_key(|(_, elements)| std::cmp::Reverse(*elements));
    names.into_iter().map(|(name, _)| name).collect::<Vec<_>>().join(", ")
}

fn preprocessing(gathered: &Gathered, config: &ModelConfig) -> Option<Preprocessing> {
    if let Some(own) = &gathered.hints.own {
        return own.preprocessing.clone();
    }
    let image_size = config.image_size();
    let plain = is_small(config).then_some(([0.0; 3], [1.0; 3]));
    let (mean, std) = said_normalisation(gathered).or(plain)?;
    Some(Preprocessing { mean, std, image_size })
}

/// Mean and deviation, where the descriptions say some that make sense.
fn said_normalisation(gathered: &Gathered) -> Option<([f32; 3], [f32; 3])> {
    gathered.hints.normalisation.filter(|(_, std)| std.iter().all(|&std| std > 0.0))
}

/// Convolutional networks for CIFAR and its like, which have no common mean and deviation.
fn is_small(config: &ModelConfig) -> bool {
    config.cnn().is_some_and(|cnn| cnn.image_size <= 64)
}

/// What is taken for mean and deviation where the files are silent.
fn unsaid(gathered: &Gathered, config: &ModelConfig) -> Option<String> {
    let taken = if is_small(config) {
        "colours from 0 to 1 as they are, neither mean nor deviation taken away"
    } else {
        "ImageNet's mean and deviation of the colours"
    };
    // Both are common, and the wrong one costs accuracy without a word.
    let other = if config.vit().is_some() { " (many Vision Transformers were trained with 0.5 for both)" } else { "" };
    let is_silent = gathered.hints.own.is_none() && said_normalisation(gathered).is_none();
    is_silent.then(|| format!("{taken}: nothing says how its pictures were prepared{other}"))
}

/// A model loads straight from its checkpoint, one tensor at a time.
impl Weights for &Checkpoint {
    type Error = CheckpointError;

    async fn tensor(&mut self, key: &str, _shape: &[usize]) -> Result<HostTensor, CheckpointError> {
        Checkpoint::tensor(self, key).await
    }
}
