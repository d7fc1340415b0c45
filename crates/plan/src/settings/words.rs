//! Settings that are more than a number: how each is written in an address, and what is understood.

use std::collections::BTreeSet;

use crate::protocol::{Design, Engine, Init, SmallModel};

/// Most blocks of a small model.
pub const MOST_BLOCKS: usize = 24;
/// Its largest width.
pub const MOST_WIDTH: usize = 1_024;
/// Most items of a list: so many races, at most, are an experiment.
const MOST: usize = 32;
/// Layers that an ancestor may have.
const MOST_LAYERS: usize = 1_000;

/// What the races of an experiment differ in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Experiment {
    /// Nothing: there is one.
    #[default]
    Race,
    /// Sizes of the descendant.
    Family,
    /// Learning rates and batch sizes.
    Sweep,
    /// Shares of the training pictures.
    Shares,
    /// Depths of the ancestor as it is; no setting, for its depths are the ancestor's.
    Depths,
}

impl Experiment {
    /// All kinds that a person sets up.
    pub const ALL: [Self; 4] = [Self::Race, Self::Family, Self::Sweep, Self::Shares];

    /// Its name in the address.
    pub fn name(self) -> &'static str {
        match self {
            Self::Race => "race",
            Self::Family => "family",
            Self::Sweep => "sweep",
            Self::Shares => "shares",
            Self::Depths => "depths",
        }
    }

    /// The kind of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The kind of an experiment.
    pub fn of(design: &Design) -> Self {
        match design {
            Design::Race => Self::Race,
            Design::Family(_) => Self::Family,
            Design::Sweep { .. } => Self::Sweep,
            Design::Shares(_) => Self::Shares,
            Design::Depths { .. } => Self::Depths,
        }
    }
}

pub(super) fn engine(engine: &Option<Engine>) -> String {
    engine.map_or("auto", Engine::name).to_owned()
}

pub(super) fn read_engine(name: &str) -> Option<Option<Engine>> {
    if name == "auto" { Some(None) } else { Engine::from_name(name).map(Some) }
}

pub(super) fn layers(chosen: &[usize]) -> String {
    join(chosen.iter().map(|layer| (layer + 1).to_string()))
}

pub(super) fn read_layers(text: &str) -> Option<Vec<usize>> {
    let layer = |layer: &str| layer.parse::<usize>().ok()?.checked_sub(1).filter(|layer| *layer < MOST_LAYERS);
    let layers = items(text).map(layer).collect::<Option<BTreeSet<_>>>()?;
    Some(layers.into_iter().collect())
}

pub(super) fn arms(arms: &[Init]) -> String {
    join(arms.iter().map(|arm| arm.name().to_owned()))
}

/// In the order in which they are shown.
pub(super) fn read_arms(text: &str) -> Option<Vec<Init>> {
    let arms = items(text).map(Init::from_name).collect::<Option<Vec<_>>>()?;
    Some(Init::ALL.into_iter().filter(|arm| arms.contains(arm)).collect())
}

/// The small models of the usual settings.
pub(super) const SMALL: [SmallModel; 3] =
    [SmallModel { blocks: 4, width: 96 }, SmallModel { blocks: 4, width: 192 }, SmallModel { blocks: 0, width: 384 }];

pub(super) fn small(models: &[SmallModel; 3]) -> String {
    join(models.iter().map(|model| format!("{}x{}", model.blocks, model.width)))
}

/// Two or three; where there are two, the third has no blocks.
pub(super) fn read_small(text: &str) -> Option<[SmallModel; 3]> {
    let size = |size: &str| {
        let (blocks, width) = size.split_once('x')?;
        let model = SmallModel { blocks: blocks.parse().ok()?, width: width.parse().ok()? };
        (model.blocks <= MOST_BLOCKS && (1..=MOST_WIDTH).contains(&model.width)).then_some(model)
    };
    let given = items(text).map(size).collect::<Option<Vec<_>>>()?;
    let mut models = SMALL;
    let is_enough = (2..=models.len()).contains(&given.len());
    models[..given.len().min(3)].copy_from_slice(&given[..given.len().min(3)]);
    is_enough.then_some(models)
}

/// Heads and layers: `6x3`.
pub(super) fn read_size(text: &str) -> Option<(usize, usize)> {
    let (heads, layers) = text.split_once(['x', '×', 'X', '*'])?;
    Some((within(heads, 64)?, within(layers, 64)?))
}

pub(super) fn read_rate(text: &str) -> Option<f64> {
    number(text).filter(|rate| *rate > 0.0 && *rate <= 1.0)
}

pub(super) fn read_batch(text: &str) -> Option<usize> {
    within(text, 1_024)
}

/// Per cent.
pub(super) fn read_share(text: &str) -> Option<f64> {
    number(text).filter(|share| *share > 0.0 && *share <= 100.0)
}

fn number(text: &str) -> Option<f64> {
    text.trim_end_matches('%').parse::<f64>().ok().filter(|number| number.is_finite())
}

fn within(text: &str, most: usize) -> Option<usize> {
    text.trim().parse::<usize>().ok().map(|number| number.clamp(1, most))
}

pub(super) fn join(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join("+")
}

/// Items of an address, or of a field that people type into.
fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(['+', ' ', ',', ';']).map(str::trim).filter(|one| !one.is_empty())
}

/// Replaces a list by what stands there, each item once. An address has to be understood as a whole; of what is typed,
/// what can be used is. Whether there was anything.
pub(super) fn set_list<T: PartialEq>(
    list: &mut Vec<T>,
    text: &str,
    is_typed: bool,
    read: fn(&str) -> Option<T>,
) -> bool {
    let mut found: Vec<T> = Vec::new();
    for item in items(text).take(MOST).map(read) {
        match item {
            Some(item) if !found.contains(&item) => found.push(item),
            None if !is_typed => return false,
            _ => {}
        }
    }
    let is_any = !found.is_empty();
    if is_any {
        *list = found;
    }
    is_any
}
