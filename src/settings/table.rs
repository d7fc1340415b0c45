//! The table of settings: one line each, with the key in the address, the name on the screen, what values are
//! understood, and where the value is kept.
//!
//! * `count(key, name, (least, most), get, set)`: a whole number;
//! * `number(key, name, (least, most), get, set)`: any number;
//! * `flag(key, name, get, set)`: 1 or 0;
//! * `word(key, name, get, set)`: anything else; `set` says whether it understood.
//!
//! Keys stay for ever: they stand in addresses that people have handed out.

use std::collections::BTreeSet;

use super::{MOST_EPS, Settings};
use crate::format::plain;
use crate::strings::{Strings, text};
use heirloom_plan::protocol::{Engine, Method};

/// One setting.
pub struct Setting {
    /// Its name in the address.
    pub key: &'static str,
    name: Name,
    kind: Kind,
}

type Name = fn(&'static Strings) -> &'static str;

enum Kind {
    Number { is_whole: bool, range: (f64, f64), get: fn(&Settings) -> f64, set: fn(&mut Settings, f64) },
    Flag { get: fn(&Settings) -> bool, set: fn(&mut Settings, bool) },
    Word { get: fn(&Settings) -> String, set: fn(&mut Settings, &str) -> bool },
}

#[rustfmt::skip]
pub(super) static TABLE: &[Setting] = &[
    word("engine", |t| t.lessons.engine, |s| engine_name(s.engine).to_owned(), set_engine),
    word("method", |t| t.descendant.method, |s| s.method.name().to_owned(), |s, v| Method::of_name(v).map(|m| s.method = m).is_some()),
    number("share", |t| t.pictures.share, (0.0, 0.9), |s| round(f64::from(s.split.validation_share)), |s, v| s.split.validation_share = v as f32),
    count("seed", |t| t.pictures.seed, (0.0, 1e6), |s| s.split.seed as f64, |s, v| s.split.seed = v as u64),
    count("measure", |t| t.heads.count, (1.0, 512.0), |s| s.measure.pictures as f64, |s, v| s.measure.pictures = v as usize),
    flag("renormalise", |t| t.heads.renormalise, |s| s.measure.renormalise, |s, v| s.measure.renormalise = v),
    number("eps", |t| t.heads.eps_term, (0.0, MOST_EPS), |s| s.eps, |s, v| s.eps = v),
    count("min", |t| t.heads.min_heads, (1.0, 64.0), |s| s.min_heads as f64, |s, v| s.min_heads = v as usize),
    number("eps_ffn", |t| t.heads.eps_ffn, (0.0, MOST_EPS), |s| s.eps_ffn, |s, v| s.eps_ffn = v),
    flag("strict", |t| t.heads.strict, |s| s.strict, |s, v| s.strict = v),
    count("heads", |t| t.descendant.heads, (1.0, 64.0), |s| s.heads as f64, |s, v| s.heads = v as usize),
    count("layers", |t| t.descendant.layers, (1.0, 64.0), |s| s.layers as f64, |s, v| s.layers = v as usize),
    count("size", |t| t.descendant.size, (16.0, 1024.0), |s| s.image_size as f64, |s, v| s.image_size = v as usize),
    flag("even", |t| t.descendant.even, |s| s.even, |s, v| s.even = v),
    flag("scale", |t| t.descendant.scale, |s| s.scale_projection, |s, v| s.scale_projection = v),
    flag("maps", |t| t.descendant.maps, |s| s.ffn_maps, |s, v| s.ffn_maps = v),
    word("chosen", |t| t.lessons.chosen, chosen, set_chosen),
    number("freeze", |t| t.layers.freeze, (0.0, 1e3), |s| s.freeze_epochs, |s, v| s.freeze_epochs = v),
    count("k", |t| t.layers.k, (1.0, 64.0), |s| s.by_layers.k as f64, |s, v| s.by_layers.k = v as usize),
    flag("max", |t| t.layers.max, |s| s.by_layers.by_max, |s, v| s.by_layers.by_max = v),
    flag("learned", |t| t.layers.learned, |s| s.by_layers.learned, |s, v| s.by_layers.learned = v),
    count("pseudo", |t| t.layers.pseudo_layers, (1.0, 64.0), |s| s.by_layers.condense.layers as f64, |s, v| s.by_layers.condense.layers = v as usize),
    count("pseudo_steps", |t| t.layers.steps, (1.0, 1e5), |s| s.by_layers.condense.steps as f64, |s, v| s.by_layers.condense.steps = v as usize),
    number("pseudo_lr", |t| t.layers.lr, (0.0, 1.0), |s| s.by_layers.condense.lr, |s, v| s.by_layers.condense.lr = v),
    number("slice", |t| t.layers.share, (0.0, 1.0), |s| s.by_layers.condense.share, |s, v| s.by_layers.condense.share = v),
    count("probe", |t| t.layers.probe, (1.0, 4096.0), |s| s.by_layers.condense.probe as f64, |s, v| s.by_layers.condense.probe = v as usize),
    word("experiment", |t| t.race.experiment, |s| s.race.word("experiment"), |s, v| s.race.set_word("experiment", v)),
    word("arms", |t| t.race.compare, |s| s.race.word("arms"), |s, v| s.race.set_word("arms", v)),
    word("sizes", |t| t.race.sizes, |s| s.race.word("sizes"), |s, v| s.race.set_word("sizes", v)),
    word("rates", |t| t.race.rates, |s| s.race.word("rates"), |s, v| s.race.set_word("rates", v)),
    word("batches", |t| t.race.batches, |s| s.race.word("batches"), |s, v| s.race.set_word("batches", v)),
    word("shares", |t| t.race.shares, |s| s.race.word("shares"), |s, v| s.race.set_word("shares", v)),
    word("order", |t| t.race.interleaved, |s| s.race.word("order"), |s, v| s.race.set_word("order", v)),
    count("micro", |t| t.race.micro_batch, (0.0, 1024.0), |s| s.race.micro_batch as f64, |s, v| s.race.micro_batch = v as usize),
    number("accuracy", |t| t.race.accuracy, (0.0, 100.0), |s| s.race.accuracy, |s, v| s.race.accuracy = v),
    word("small", |t| t.pool.set_up.title, |s| s.pool.sizes(), |s, v| s.pool.set_sizes(v)),
    word("stitches", |t| t.pool.stitch_start, |s| s.pool.start_name().to_owned(), |s, v| s.pool.set_start(v)),
    count("head_steps", |t| t.pool.head_steps, (1.0, 1e6), |s| s.pool.head_steps as f64, |s, v| s.pool.head_steps = v as usize),
    count("distil_steps", |t| t.pool.distil_steps, (1.0, 1e6), |s| s.pool.distil_steps as f64, |s, v| s.pool.distil_steps = v as usize),
    count("pool_steps", |t| t.pool.pool_steps, (1.0, 1e6), |s| s.pool.pool_steps as f64, |s, v| s.pool.pool_steps = v as usize),
    number("distil_lr", |t| t.pool.lr, (0.0, 1.0), |s| s.pool.lr, |s, v| s.pool.lr = v),
    number("pool_lr", |t| t.pool.pool_lr, (0.0, 1.0), |s| s.pool.pool_lr, |s, v| s.pool.pool_lr = v),
    flag("anchor_teacher", |t| t.pool.anchor_teacher, |s| s.pool.is_anchor_teacher, |s, v| s.pool.is_anchor_teacher = v),
    flag("pool_augment", |t| t.pool.augment, |s| s.pool.augment, |s, v| s.pool.augment = v),
    count("pool_seed", |t| t.pool.seed, (0.0, 1e9), |s| s.pool.seed as f64, |s, v| s.pool.seed = v as u64),
    count("seeds", |t| t.training.seeds, (1.0, 20.0), |s| s.seeds as f64, |s, v| s.seeds = v as usize),
    count("steps", |t| t.training.steps, (1.0, 1e6), |s| s.steps as f64, |s, v| s.steps = v as usize),
    count("batch", |t| t.training.batch, (1.0, 1024.0), |s| s.batch as f64, |s, v| s.batch = v as usize),
    number("lr", |t| t.training.lr, (0.0, 1.0), |s| s.lr, |s, v| s.lr = v),
    number("warmup", |t| t.training.warmup, (0.0, 1.0), |s| s.warmup, |s, v| s.warmup = v),
    number("decay", |t| t.training.decay, (0.0, 1.0), |s| s.weight_decay, |s, v| s.weight_decay = v),
    number("smoothing", |t| t.training.smoothing, (0.0, 0.9), |s| s.label_smoothing, |s, v| s.label_smoothing = v),
    number("drop", |t| t.training.drop_path, (0.0, 0.9), |s| s.drop_path, |s, v| s.drop_path = v),
    number("clip", |t| t.training.clip, (0.0, 1e3), |s| s.clip_norm, |s, v| s.clip_norm = v),
    flag("augment", |t| t.training.augment, |s| s.augment, |s, v| s.augment = v),
    count("validate", |t| t.training.validate, (0.0, 1e6), |s| s.validate_every as f64, |s, v| s.validate_every = v as usize),
];

const fn count(
    key: &'static str,
    name: Name,
    range: (f64, f64),
    get: fn(&Settings) -> f64,
    set: fn(&mut Settings, f64),
) -> Setting {
    Setting { key, name, kind: Kind::Number { is_whole: true, range, get, set } }
}

const fn number(
    key: &'static str,
    name: Name,
    range: (f64, f64),
    get: fn(&Settings) -> f64,
    set: fn(&mut Settings, f64),
) -> Setting {
    Setting { key, name, kind: Kind::Number { is_whole: false, range, get, set } }
}

const fn flag(key: &'static str, name: Name, get: fn(&Settings) -> bool, set: fn(&mut Settings, bool)) -> Setting {
    Setting { key, name, kind: Kind::Flag { get, set } }
}

const fn word(
    key: &'static str,
    name: Name,
    get: fn(&Settings) -> String,
    set: fn(&mut Settings, &str) -> bool,
) -> Setting {
    Setting { key, name, kind: Kind::Word { get, set } }
}

impl Setting {
    /// Its name on the screen.
    pub fn name(&self) -> &'static str {
        (self.name)(text())
    }

    /// Its value as the address has it.
    pub fn write(&self, settings: &Settings) -> String {
        match &self.kind {
            Kind::Number { get, .. } => plain(get(settings)),
            Kind::Flag { get, .. } => u8::from(get(settings)).to_string(),
            Kind::Word { get, .. } => get(settings),
        }
    }

    /// Its value as people read it.
    pub fn shown(&self, settings: &Settings) -> String {
        let t = &text().lessons;
        match &self.kind {
            Kind::Flag { get, .. } if get(settings) => t.on.to_owned(),
            Kind::Flag { .. } => t.off.to_owned(),
            _ => Some(self.write(settings)).filter(|value| !value.is_empty()).unwrap_or_else(|| t.nothing.to_owned()),
        }
    }

    /// Takes a value from an address.
    ///
    /// # Errors
    /// Says what would have been understood.
    pub fn read(&self, settings: &mut Settings, value: &str) -> Result<(), String> {
        let t = &text().lessons;
        match &self.kind {
            Kind::Number { is_whole, range, set, .. } => {
                let number = value.parse::<f64>().ok().filter(|number| (range.0..=range.1).contains(number));
                let number = number.filter(|number| !is_whole || number.fract() == 0.0);
                let expected = || (t.expected_number)(*is_whole, &plain(range.0), &plain(range.1));
                number.map(|number| set(settings, number)).ok_or_else(expected)
            }
            Kind::Flag { set, .. } => match value {
                "0" | "1" => {
                    set(settings, value == "1");
                    Ok(())
                }
                _ => Err(t.expected_flag.to_owned()),
            },
            Kind::Word { set, .. } => {
                let value = js_sys::decode_uri_component(value).map_or_else(|_| value.to_owned(), String::from);
                set(settings, &value).then_some(()).ok_or_else(|| (t.expected_word)(self.key).to_owned())
            }
        }
    }
}

/// An f32 share without the digits that f64 adds.
fn round(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

/// Name of an engine in the address.
pub fn engine_name(engine: Option<Engine>) -> &'static str {
    match engine {
        None => "auto",
        Some(Engine::Cpu) => "cpu",
        Some(Engine::WebGpu) => "webgpu",
    }
}

fn set_engine(settings: &mut Settings, value: &str) -> bool {
    let known = [None, Some(Engine::Cpu), Some(Engine::WebGpu)].into_iter().find(|one| engine_name(*one) == value);
    known.map(|engine| settings.engine = engine).is_some()
}

fn chosen(settings: &Settings) -> String {
    settings.chosen.iter().map(|layer| (layer + 1).to_string()).collect::<Vec<_>>().join("+")
}

fn set_chosen(settings: &mut Settings, value: &str) -> bool {
    let layers: Option<BTreeSet<usize>> = value
        .split('+')
        .map(|layer| layer.parse::<usize>().ok()?.checked_sub(1).filter(|layer| *layer < 1_000))
        .collect();
    layers.map(|layers| settings.chosen = layers.into_iter().collect()).is_some()
}
