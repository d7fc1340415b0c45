//! The file's keys, sorted by what they are to the model.

use super::error::CheckpointError;
use super::gather::Gathered;
use super::infer::{Inferred, Shapes};
use super::naming::{Naming, Role, layer_of};
use super::torch_file::is_training_state;
use std::collections::{BTreeMap, BTreeSet};

/// How a tensor of the model comes from those of the file.
#[derive(Clone, Debug)]
pub(super) enum Recipe {
    /// As it is.
    Whole(String),
    /// All axes but the first made one.
    Flat(String),
    /// With axes of length 1 in front, until there are three.
    Lifted(String),
    /// Tensors of one shape one below the other: query, key and value, or gate and value. What is `None` is 0.
    Stacked(Vec<Option<String>>),
    /// The sum of two tensors of one shape.
    Sum([String; 2]),
    /// Biases of query, key and value, of which the key's count for nothing.
    KeyMasked(String),
    /// Queries, keys and values of heads of so many channels one below the other; several heads share a key and a value.
    Grouped { parts: [String; 3], head_dim: usize },
    /// One entry of the second axis.
    OfLayer { all: String, layer: usize },
    /// `count` rows from `first` on.
    Rows { whole: String, first: usize, count: usize },
    /// `reg_token` plus its rows of `pos_embed`, which begin at row `first`.
    RegistersWithPositions { registers: String, positions: String, first: usize },
    /// `pos_embed` without the rows of the registers.
    PositionsWithoutRegisters { positions: String, first: usize, count: usize },
}

impl Recipe {
    /// The tensors that it takes, each once.
    pub(super) fn sources(&self) -> Vec<&String> {
        match self {
            Self::Whole(raw)
            | Self::Flat(raw)
            | Self::Lifted(raw)
            | Self::KeyMasked(raw)
            | Self::OfLayer { all: raw, .. }
            | Self::Rows { whole: raw, .. } => vec![raw],
            Self::Stacked(parts) => parts.iter().flatten().collect(),
            Self::Grouped { parts, .. } => parts.iter().collect(),
            Self::Sum(parts) => parts.iter().collect(),
            Self::RegistersWithPositions { registers, .. } => vec![registers],
            Self::PositionsWithoutRegisters { positions, .. } => vec![positions],
        }
    }
}

/// The file's keys by what they are to the model.
pub(super) struct Sorted {
    /// Recipes by timm key.
    pub recipes: BTreeMap<String, Recipe>,
    /// Keys nobody knows.
    pub unknown: Vec<String>,
    /// Keys of the family that this model has no use for.
    pub unused: Vec<String>,
    /// How many tensors lie outside the model.
    pub outside: usize,
    /// Some of those that are no optimiser's.
    pub surprises: Vec<String>,
    /// Whether queries and values have biases and keys have none.
    pub is_keyless: bool,
    /// Whether heads share keys and values.
    pub is_grouped: bool,
    /// A tensor of the model that two of the file want to be, and these.
    twice: Option<[String; 3]>,
}

/// More layers than a model has.
const MAX_LAYERS: usize = 1 << 10;
/// How many tensors outside the model are named.
const MAX_SURPRISES: usize = 3;

impl Sorted {
    /// # Errors
    /// When two tensors of the file are the same one of the model, as where only some copies are wrapped.
    pub(super) fn new(gathered: &Gathered, naming: &Naming) -> Result<Self, CheckpointError> {
        let mut parts: BTreeMap<String, BTreeMap<usize, String>> = BTreeMap::new();
        let (mut shared, mut masks) = (Vec::new(), Vec::new());
        let mut sorted = Self {
            recipes: BTreeMap::new(),
            unknown: vec![],
            unused: vec![],
            outside: 0,
            surprises: vec![],
            is_keyless: false,
            is_grouped: false,
            twice: None,
        };
        for raw in gathered.tensors.keys() {
            match naming.role(raw) {
                Role::Whole(key) => sorted.claim(key, Recipe::Whole(raw.clone())),
                Role::Flat(key) => sorted.claim(key, Recipe::Flat(raw.clone())),
                Role::Lifted(key) => sorted.claim(key, Recipe::Lifted(raw.clone())),
                Role::Part(key, part) => {
                    if let Some(first) = parts.entry(key.clone()).or_default().insert(part, raw.clone()) {
                        sorted.twice = Some([key, first, raw.clone()]);
                    }
                }
                Role::Rows(keys) => sorted.share_out(gathered, raw, &keys),
                Role::EveryLayer(tail) => shared.push((tail, raw.clone())),
                Role::ByLayer(tail) => sorted.share_among_layers(gathered, raw, &tail),
                Role::KeyMask(key) => masks.push(key),
                Role::Unused => sorted.unused.push(raw.clone()),
                Role::Unknown => sorted.unknown.push(raw.clone()),
                Role::Outside => {
                    sorted.outside += 1;
                    if sorted.surprises.len() < MAX_SURPRISES && !is_training_state(raw) {
                        sorted.surprises.push(raw.clone());
                    }
                }
            }
        }
        sorted.stack(gathered, parts);
        for key in masks {
            if let Some(Recipe::Whole(raw)) = sorted.recipes.get(&key) {
                let masked = Recipe::KeyMasked(raw.clone());
                sorted.recipes.insert(key, masked);
                sorted.is_keyless = true;
            }
        }
        for (tail, raw) in shared {
            sorted.spread(&tail, &raw);
        }
        match sorted.twice.take() {
            Some([key, first, second]) => {
                Err(CheckpointError::Twice { name: gathered.name.clone(), key, first, second })
            }
            None => Ok(sorted),
        }
    }

    fn claim(&mut self, key: String, recipe: Recipe) {
        let second = recipe.sources().first().map(|raw| (*raw).clone());
        if let Some(other) = self.recipes.insert(key.clone(), recipe) {
            let first = other.sources().first().map(|raw| (*raw).clone());
            self.twice = Some([key, first.unwrap_or_default(), second.unwrap_or_default()]);
        }
    }

    /// Stacks parts. All have to be there but for the key's bias where no layer has one.
    fn stack(&mut self, gathered: &Gathered, parts: BTreeMap<String, BTreeMap<usize, String>>) {
        let is_bias = |key: &str| key.ends_with("attn.qkv.bias");
        let mut biases = parts.iter().filter(|(key, _)| is_bias(key)).map(|(_, parts)| parts).peekable();
        self.is_keyless = biases.peek().is_some() && biases.all(|parts| !parts.contains_key(&1));
        for (key, mut found) in parts {
            let count = if key.contains("attn.qkv.") { 3 } else { 2 };
            let parts: Vec<Option<String>> = (0..count).map(|part| found.remove(&part)).collect();
            let is_whole = parts
                .iter()
                .enumerate()
                .all(|(at, part)| part.is_some() || at == 1 && self.is_keyless && is_bias(&key));
            // transformers' DINOv3 names the only first layer and the half behind a gate alike.
            let is_ungated = matches!(&parts[..], [None, Some(raw)] if raw.contains(".up_proj."));
            match is_whole || is_ungated {
                true if is_ungated => {
                    parts.into_iter().flatten().for_each(|raw| self.claim(key.clone(), Recipe::Whole(raw)))
                }
                true => {
                    let recipe = self.grouped(gathered, &key, &parts).unwrap_or(Recipe::Stacked(parts));
                    self.claim(key, recipe);
                }
                false => self.unknown.extend(parts.into_iter().flatten()),
            }
        }
    }

    /// Queries, keys and values where several heads share a key and a value: their norm tells the channels of a head.
    fn grouped(&mut self, gathered: &Gathered, key: &str, parts: &[Option<String>]) -> Option<Recipe> {
        let [Some(query), Some(keys), Some(values)] = parts else { return None };
        let rows = |raw: &String| gathered.tensors[raw].shape.first().copied();
        let (all, shared) = (rows(query)?, rows(keys)?);
        let Recipe::Whole(norm) = self.recipes.get(&format!("{}.q_norm.weight", key.split(".qkv.").next()?))? else {
            return None;
        };
        let head_dim = rows(norm).filter(|&size| size > 0 && shared.is_multiple_of(size))?;
        if shared == 0 || shared >= all || !all.is_multiple_of(shared) || rows(values)? != shared {
            return None;
        }
        self.is_grouped = true;
        Some(Recipe::Grouped { parts: [query.clone(), keys.clone(), values.clone()], head_dim })
    }

    /// Gives every layer its part of a tensor `[2, layers, ..]`.
    fn share_among_layers(&mut self, gathered: &Gathered, raw: &str, tail: &str) {
        match gathered.tensors[raw].shape.as_slice() {
            &[_, layers, _, _] if layers < MAX_LAYERS => (0..layers).for_each(|layer| {
                self.claim(format!("blocks.{layer}.{tail}"), Recipe::OfLayer { all: raw.into(), layer })
            }),
            _ => self.unknown.push(raw.into()),
        }
    }

    /// Shares the rows of a tensor evenly out to several.
    fn share_out(&mut self, gathered: &Gathered, raw: &str, keys: &[(String, usize)]) {
        let rows = gathered.tensors[raw].shape.first().copied().unwrap_or(0);
        let parts: usize = keys.iter().map(|(_, parts)| parts).sum();
        if rows == 0 || !rows.is_multiple_of(parts) {
            self.unknown.push(raw.into());
            return;
        }
        let mut first = 0;
        for (key, parts_of_it) in keys {
            let count = rows / parts * parts_of_it;
            self.claim(key.clone(), Recipe::Rows { whole: raw.into(), first, count });
            first += count;
        }
    }

    /// Gives every layer a tensor that all share; one that has such a tensor of its own adds both.
    fn spread(&mut self, tail: &str, raw: &str) {
        let layers: BTreeSet<usize> = self.recipes.keys().filter_map(|key| Some(layer_of(key, "blocks.")?.0)).collect();
        let keys: Vec<String> = layers.iter().map(|layer| format!("blocks.{layer}.{tail}")).collect();
        if keys.is_empty() {
            self.unknown.push(raw.into());
        }
        for key in keys {
            let recipe = match self.recipes.remove(&key) {
                Some(Recipe::Whole(own)) => Recipe::Sum([own, raw.into()]),
                _ => Recipe::Whole(raw.into()),
            };
            self.recipes.insert(key, recipe);
        }
    }

    /// Shapes by timm key.
    pub(super) fn shapes(&self, gathered: &Gathered) -> Shapes {
        let shape = |raw: &String| gathered.tensors[raw].shape.clone();
        let of = |recipe: &Recipe| match recipe {
            Recipe::Whole(raw) | Recipe::KeyMasked(raw) => shape(raw),
            Recipe::Sum([own, shared]) if shape(own) == shape(shared) => shape(own),
            Recipe::Sum(_) => Vec::new(),
            Recipe::Flat(raw) => flat_shape(shape(raw)),
            Recipe::Lifted(raw) => lifted(shape(raw)),
            Recipe::Stacked(parts) => {
                let shapes: Vec<Vec<usize>> = parts.iter().flatten().map(shape).collect();
                stacked_shape(&shapes, parts.len())
            }
            Recipe::Grouped { parts, .. } => stacked_shape(&[shape(&parts[0])], 3),
            Recipe::OfLayer { all, .. } => {
                let mut shape = shape(all);
                shape.remove(1);
                shape
            }
            Recipe::Rows { whole, count, .. } => {
                let mut shape = shape(whole);
                shape[0] = *count;
                shape
            }
            Recipe::RegistersWithPositions { registers, .. } => shape(registers),
            Recipe::PositionsWithoutRegisters { positions, count, .. } => {
                let mut shape = shape(positions);
                shape[1] -= count;
                shape
            }
        };
        self.recipes.iter().map(|(key, recipe)| (key.clone(), of(recipe))).collect()
    }

    /// Leaves out what the model leaves out, and splits positions that registers have of their own.
    pub(super) fn apply(&mut self, inferred: &Inferred) {
        self.recipes.retain(|key, _| !inferred.left_out.contains(key));
        self.rename(&inferred.renamed);
        if !inferred.registers_have_positions {
            return;
        }
        let raw = |recipe: Option<Recipe>| match recipe {
            Some(Recipe::Whole(raw)) => raw,
            _ => String::new(),
        };
        let (registers, positions) = (raw(self.recipes.remove("reg_token")), raw(self.recipes.remove("pos_embed")));
        let Some(config) = inferred.config.vit() else { return };
        let (first, count) = (config.pos_embed_prefix_rows(), config.register_tokens);
        let with = Recipe::RegistersWithPositions { registers, positions: positions.clone(), first };
        self.recipes.insert("reg_token".into(), with);
        self.recipes.insert("pos_embed".into(), Recipe::PositionsWithoutRegisters { positions, first, count });
    }

    /// Gives modules the names they have here; of those that are not listed, only ones nobody knows are left, under
    /// names that cannot be mistaken for others'.
    fn rename(&mut self, renamed: &[(String, String)]) {
        if renamed.is_empty() {
            return;
        }
        let names: BTreeMap<&str, &str> = renamed.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
        let recipes = std::mem::take(&mut self.recipes).into_iter();
        self.recipes = recipes
            .map(|(key, recipe)| {
                let (module, kind) = key.rsplit_once('.').unwrap_or((&key, ""));
                let name = names.get(module).map_or(format!("?{key}"), |name| format!("{name}.{kind}"));
                (name, recipe)
            })
            .collect();
    }

    /// Compares the shapes with those that the configuration asks for.
    pub(super) fn check_shapes(&self, gathered: &Gathered, inferred: &Inferred) -> Result<(), CheckpointError> {
        let shapes = self.shapes(gathered);
        for (key, expected) in inferred.config.tensors() {
            match shapes.get(&key) {
                Some(found) if *found != expected => {
                    return Err(CheckpointError::Shape { key, found: found.clone(), expected });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// All axes but the first made one; of a shape that is too large to count, no shape that fits anything.
pub(super) fn flat_shape(shape: Vec<usize>) -> Vec<usize> {
    let Some((&first, rest)) = shape.split_first().filter(|(_, rest)| rest.len() > 1) else { return shape };
    let product = rest.iter().try_fold(1_usize, |product, &axis| product.checked_mul(axis));
    product.map_or_else(Vec::new, |product| vec![first, product])
}

/// With axes of length 1 in front, until there are three.
pub(super) fn lifted(mut shape: Vec<usize>) -> Vec<usize> {
    while shape.len() < 3 {
        shape.insert(0, 1);
    }
    shape
}

/// Shape of `count` tensors one below the other, of which these are some; of unequal ones no shape that fits anything.
fn stacked_shape(shapes: &[Vec<usize>], count: usize) -> Vec<usize> {
    let Some(first) = shapes.first().filter(|first| shapes.iter().all(|shape| shape == *first)) else {
        return Vec::new();
    };
    let mut stacked = first.clone();
    if let Some(rows) = stacked.first_mut() {
        *rows = rows.saturating_mul(count);
    }
    stacked
}
