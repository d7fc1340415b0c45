//! Which pictures are trained on and which judge the result.
//!
//! Identical files always stay on one side: a model that has seen the validation picture is not judged by it.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use super::error::DataError;
use super::place::Side;
use super::set::PictureSet;
use super::split_note::SplitNote;

/// How pictures without a given side are divided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SplitPlan {
    /// Share of each class that goes to validation, 0..1.
    pub validation_share: f32,
    /// Seed of the shuffle.
    pub seed: u64,
}

impl Default for SplitPlan {
    fn default() -> Self {
        Self { validation_share: 0.2, seed: 1 }
    }
}

/// A picture and its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Labelled {
    /// Index into [`PictureSet::pictures`].
    pub picture: usize,
    /// Index into [`Split::classes`].
    pub label: usize,
}

/// The division of a [`PictureSet`], reproducible from the seed and independent of the order in which files came.
///
/// Folders decide when some say `train` and others `val` or `test`; pictures outside such folders are still divided by
/// the plan. When only one of `val` and `test` is there, it is the validation; when both are, `test` is set aside
/// ([`Split::held_out`]), because a test set that was looked at all along tests nothing. Folders of one side only
/// (all `train`) decide nothing.
///
/// Otherwise each class is shuffled on its own (seeded by plan and class name, so that adding a class leaves the
/// others as they were) and gives its share, at least one picture when it has two that differ, and never its last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Split {
    /// Class names in alphabetical order.
    pub classes: Vec<String>,
    /// Pictures to train on, by class and path.
    pub train: Vec<Labelled>,
    /// Pictures to judge on, by class and path.
    pub validation: Vec<Labelled>,
    /// Pictures in `test` folders beside `val` folders.
    pub held_out: Vec<Labelled>,
    /// Whether folders decided.
    pub is_by_folder: bool,
    /// What is good to know.
    pub notes: Vec<SplitNote>,
}

/// Pictures with the same bytes; one alone in most cases.
struct Unit {
    members: Vec<Labelled>,
    side: Option<Side>,
}

impl Unit {
    /// The label, when all copies agree on it.
    fn label(&self) -> Option<usize> {
        let label = self.members[0].label;
        self.members.iter().all(|member| member.label == label).then_some(label)
    }
}

impl Split {
    pub(super) fn new(set: &PictureSet, plan: SplitPlan) -> Result<Self, DataError> {
        let (pictures, classes) = (set.pictures(), set.classes());
        match (pictures, classes.as_slice()) {
            ([], _) => return Err(DataError::NoFiles),
            ([one], _) => return Err(DataError::OnePicture { path: one.path.clone() }),
            (_, [class]) => return Err(DataError::OneClass { class: class.clone(), pictures: pictures.len() }),
            _ => {}
        }
        let has = |side| pictures.iter().any(|picture| picture.side == Some(side));
        let is_by_folder = has(Side::Train) && (has(Side::Validation) || has(Side::Test));
        let mut split = Self { classes, is_by_folder, ..Self::default() };
        let mut units = split.units(set);
        if is_by_folder && !has(Side::Validation) {
            for unit in units.iter_mut().filter(|unit| unit.side == Some(Side::Test)) {
                unit.side = Some(Side::Validation);
            }
        }
        split.note_ambiguous(&units);
        split.divide(&mut units, plan);
        split.collect(set, &units);
        split.note_counts();
        split.note_names();
        Ok(split)
    }

    /// Groups identical pictures, in an order that depends on paths and bytes only.
    fn units(&mut self, set: &PictureSet) -> Vec<Unit> {
        let pictures = set.pictures();
        let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        let mut order: Vec<_> = (0..pictures.len()).collect();
        order.sort_by_cached_key(|&i| {
            let picture = &pictures[i];
            (picture.class.clone(), picture.path.clone(), picture.source.len(), picture.hash)
        });
        for (position, &i) in order.iter().enumerate() {
            let key = pictures[i].hash.map_or((Some(position), None), |hash| (None, Some(hash)));
            groups.entry(key).or_default().push(i);
        }
        let mut straddling = 0;
        let mut units: Vec<_> = groups
            .into_values()
            .map(|group| {
                let sides = || group.iter().filter_map(|&i| pictures[i].side).filter(|_| self.is_by_folder);
                straddling += usize::from(sides().min() == Some(Side::Train) && sides().max() != Some(Side::Train));
                let label = |class: &String| self.classes.binary_search(class).unwrap_or_default();
                let members = group.iter().map(|&i| Labelled { picture: i, label: label(&pictures[i].class) });
                Unit { members: members.collect(), side: sides().min() }
            })
            .collect();
        let mut rank: Vec<_> = vec![0; pictures.len()];
        order.iter().enumerate().for_each(|(position, &i)| rank[i] = position);
        units.sort_by_key(|unit| rank[unit.members[0].picture]);
        if straddling > 0 {
            self.notes.push(SplitNote::Straddling { count: straddling });
        }
        units
    }

    /// Gives every unit a side.
    fn divide(&self, units: &mut [Unit], plan: SplitPlan) {
        for label in 0..self.classes.len() {
            let mut open: Vec<&mut Unit> =
                units.iter_mut().filter(|unit| unit.side.is_none() && unit.label() == Some(label)).collect();
            open.shuffle(&mut generator(plan.seed, &self.classes[label]));
            let total: usize = open.iter().map(|unit| unit.members.len()).sum();
            let share = (plan.validation_share.clamp(0.0, 1.0) * total as f32).round() as usize;
            let mut room = share.clamp(1, total.saturating_sub(1).max(1));
            let is_splittable = open.len() > 1;
            let mut has_validation = false;
            for unit in open.iter_mut().filter(|_| is_splittable) {
                if unit.members.len() <= room {
                    room -= unit.members.len();
                    unit.side = Some(Side::Validation);
                    has_validation = true;
                }
            }
            if is_splittable && !has_validation {
                // Every unit is larger than the share: the smallest one is the least that can be had.
                if let Some(unit) = open.iter_mut().min_by_key(|unit| unit.members.len()) {
                    unit.side = Some(Side::Validation);
                }
            }
        }
        // The rest, and what is filed under two classes at once, judges nothing.
        units.iter_mut().for_each(|unit| unit.side = unit.side.or(Some(Side::Train)));
    }

    fn collect(&mut self, set: &PictureSet, units: &[Unit]) {
        for unit in units {
            let side = match unit.side {
                Some(Side::Validation) => &mut self.validation,
                Some(Side::Test) => &mut self.held_out,
                Some(Side::Train) | None => &mut self.train,
            };
            side.extend(&unit.members);
        }
        let path = |labelled: &Labelled| set.pictures()[labelled.picture].path.as_str();
        for side in [&mut self.train, &mut self.validation, &mut self.held_out] {
            side.sort_by(|a, b| (a.label, path(a)).cmp(&(b.label, path(b))));
        }
    }

    fn note_ambiguous(&mut self, units: &[Unit]) {
        let ambiguous = units.iter().filter(|unit| unit.label().is_none()).count();
        if ambiguous > 0 {
            self.notes.push(SplitNote::Ambiguous { count: ambiguous });
        }
    }

    fn note_counts(&mut self) {
        if !self.held_out.is_empty() {
            self.notes.push(SplitNote::SetAside { count: self.held_out.len() });
        }
        for (class, (train, validation)) in self.classes.iter().zip(self.counts()) {
            if train == 0 {
                self.notes.push(SplitNote::NoTraining { class: class.clone() });
            } else if validation == 0 {
                self.notes.push(SplitNote::NoValidation { class: class.clone() });
            }
        }
    }

    fn note_names(&mut self) {
        let mut alike: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for class in &self.classes {
            let key = class.chars().filter(|letter| !letter.is_whitespace()).flat_map(char::to_lowercase).collect();
            alike.entry(key).or_default().push(class.clone());
        }
        let several = alike.into_values().filter(|names| names.len() > 1);
        self.notes.extend(several.map(|names| SplitNote::Alike { names }));
    }

    /// Training and validation pictures of each class.
    pub fn counts(&self) -> Vec<(usize, usize)> {
        let mut counts = vec![(0, 0); self.classes.len()];
        self.train.iter().for_each(|labelled| counts[labelled.label].0 += 1);
        self.validation.iter().for_each(|labelled| counts[labelled.label].1 += 1);
        counts
    }

    /// At most `count` training pictures, evenly over the classes: the first of each class by path, then the second, …
    pub fn spread(&self, count: usize) -> Vec<Labelled> {
        let mut train = self.in_turn(&self.train);
        train.truncate(count);
        train
    }

    /// At most `count` validation pictures in the same order, after `skip` others; past the last one it begins again.
    pub fn spread_validation(&self, skip: usize, count: usize) -> Vec<Labelled> {
        let all = self.in_turn(&self.validation);
        let skip = skip % all.len().max(1);
        all.iter().cycle().skip(skip).take(count.min(all.len())).copied().collect()
    }

    /// The first of each class by path, then the second, …
    fn in_turn(&self, side: &[Labelled]) -> Vec<Labelled> {
        let mut turns = vec![0; self.classes.len()];
        let turn = |&labelled: &Labelled| {
            let turn = turns[labelled.label];
            turns[labelled.label] += 1;
            (turn, labelled)
        };
        let mut ranked: Vec<_> = side.iter().map(turn).collect();
        ranked.sort_by_key(|(turn, labelled)| (*turn, labelled.label));
        ranked.into_iter().map(|(_, labelled)| labelled).collect()
    }
}

/// The generator of (seed, class).
pub(super) fn generator(seed: u64, class: &str) -> ChaCha8Rng {
    let key = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(class).finalize();
    ChaCha8Rng::from_seed(key.into())
}
