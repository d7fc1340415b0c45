//! The file's keys, sorted by what they are to the model.

use super::error::CheckpointError;
use super::gather::Gathered;
use super::infer::{Inferred, Shapes};
use super::naming::{Naming, Role};
use super::torch_file::is_training_state;
use std::collections::BTreeMap;

/// How a tensor of the model comes from those of the file.
#[derive(Clone, Debug)]
pub(super) enum Recipe {
    /// As it is.
    Whole(String),
    /// All axes but the first made one.
    Flat(String),
    /// Query, key and value, one below the other.
    Fused([String; 3]),
    /// `reg_token` plus its rows of `pos_embed`, which begin at row `first`.
    RegistersWithPositions { registers: String, positions: String, first: usize },
    /// `pos_embed` without the rows of the registers.
    PositionsWithoutRegisters { positions: String, first: usize, count: usize },
}

impl Recipe {
    /// The file's first key of it.
    pub(super) fn first_key(&self) -> &str {
        match self {
            Self::Whole(raw) | Self::Flat(raw) | Self::Fused([raw, ..]) => raw,
            Self::RegistersWithPositions { registers, .. } => registers,
            Self::PositionsWithoutRegisters { positions, .. } => positions,
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
}

/// How many tensors outside the model are named.
const MAX_SURPRISES: usize = 3;

impl Sorted {
    /// # Errors
    /// When two tensors of the file are the same one of the model, as where only some copies are wrapped.
    pub(super) fn new(gathered: &Gathered, naming: &Naming) -> Result<Self, CheckpointError> {
        let mut parts: BTreeMap<String, [Option<String>; 3]> = BTreeMap::new();
        let (recipes, surprises) = (BTreeMap::new(), Vec::new());
        let mut sorted = Self { recipes, unknown: vec![], unused: vec![], outside: 0, surprises };
        for raw in gathered.tensors.keys() {
            match naming.role(raw) {
                Role::Whole(key) => sorted.insert(gathered, key, Recipe::Whole(raw.clone()))?,
                Role::Flat(key) => sorted.insert(gathered, key, Recipe::Flat(raw.clone()))?,
                Role::Part(key, part) => {
                    if let Some(first) = parts.entry(key.clone()).or_default()[part].replace(raw.clone()) {
                        let (name, second) = (gathered.name.clone(), raw.clone());
                        return Err(CheckpointError::Twice { name, key, first, second });
                    }
                }
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
        for (key, parts) in parts {
            match parts {
                [Some(query), Some(k), Some(value)] => {
                    sorted.insert(gathered, key, Recipe::Fused([query, k, value]))?
                }
                parts => sorted.unknown.extend(parts.into_iter().flatten()),
            }
        }
        Ok(sorted)
    }

    fn insert(&mut self, gathered: &Gathered, key: String, recipe: Recipe) -> Result<(), CheckpointError> {
        let second = recipe.first_key().to_owned();
        match self.recipes.insert(key.clone(), recipe) {
            Some(before) => {
                let (name, first) = (gathered.name.clone(), before.first_key().to_owned());
                Err(CheckpointError::Twice { name, key, first, second })
            }
            None => Ok(()),
        }
    }

    /// Shapes by timm key.
    pub(super) fn shapes(&self, gathered: &Gathered) -> Shapes {
        let shape = |raw: &String| gathered.tensors[raw].shape.clone();
        let of = |recipe: &Recipe| match recipe {
            Recipe::Whole(raw) => shape(raw),
            Recipe::Flat(raw) => flat_shape(shape(raw)),
            Recipe::Fused(parts) => fused_shape(&parts.each_ref().map(shape)),
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

/// Shape of query, key and value one below the other; of unequal ones no shape that fits anything.
fn fused_shape(parts: &[Vec<usize>; 3]) -> Vec<usize> {
    let [query, key, value] = parts;
    let mut fused = query.clone();
    match fused.first_mut() {
        Some(rows) if query == key && query == value => *rows = rows.saturating_mul(3),
        _ => fused.clear(),
    }
    fused
}
