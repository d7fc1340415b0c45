//! The file's keys, sorted by what they are to the model.

use super::error::CheckpointError;
use super::gather::Gathered;
use super::infer::{Inferred, Shapes};
use super::naming::{Naming, Role};
use std::collections::BTreeMap;

/// How a tensor of the model comes from those of the file.
#[derive(Clone, Debug)]
pub(super) enum Recipe {
    /// As it is.
    Whole(String),
    /// Query, key and value, one below the other.
    Fused([String; 3]),
    /// `reg_token` plus its rows of `pos_embed`, which begin at row `first`.
    RegistersWithPositions { registers: String, positions: String, first: usize },
    /// `pos_embed` without the rows of the registers.
    PositionsWithoutRegisters { positions: String, first: usize, count: usize },
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
}

impl Sorted {
    pub(super) fn new(gathered: &Gathered, naming: &Naming) -> Self {
        let mut parts: BTreeMap<String, [Option<String>; 3]> = BTreeMap::new();
        let mut sorted = Self { recipes: BTreeMap::new(), unknown: vec![], unused: vec![], outside: 0 };
        for raw in gathered.tensors.keys() {
            match naming.role(raw) {
                Role::Whole(key) => _ = sorted.recipes.insert(key, Recipe::Whole(raw.clone())),
                Role::Part(key, part) => parts.entry(key).or_default()[part] = Some(raw.clone()),
                Role::Unused => sorted.unused.push(raw.clone()),
                Role::Unknown => sorted.unknown.push(raw.clone()),
                Role::Outside => sorted.outside += 1,
            }
        }
        for (key, parts) in parts {
            match parts {
                [Some(query), Some(k), Some(value)] => {
                    _ = sorted.recipes.insert(key, Recipe::Fused([query, k, value]));
                }
                parts => sorted.unknown.extend(parts.into_iter().flatten()),
            }
        }
        sorted
    }

    /// Shapes by timm key.
    pub(super) fn shapes(&self, gathered: &Gathered) -> Shapes {
        let shape = |raw: &String| gathered.tensors[raw].shape.clone();
        let of = |recipe: &Recipe| match recipe {
            Recipe::Whole(raw) => shape(raw),
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
