//! Ancestors that ship with the page: what their cards say, and how their files come.
//!
//! The cards are part of the program, so that a file is checked against what this very page was built with. The files,
//! megabytes, are fetched when somebody wants one. What the engine once kept of them for a project is taken from the
//! browser's store instead of being fetched again.

use std::sync::OnceLock;

use leptos::prelude::*;
use serde::Deserialize;
use web_sys::AbortController;

use crate::browser::fetch::Expected;

/// A shipped ancestor; its files are in `static/ancestors`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shipped {
    /// Small, trained for this page.
    Classroom,
    /// A convolutional network that names ImageNet's classes.
    MobileNetV2,
    /// The size that papers use.
    VitS14,
}

/// What is said of a shipped ancestor.
#[derive(Clone, Debug, Deserialize)]
pub struct Card {
    pub name: String,
    pub image_size: usize,
    /// 0 of a convolutional network, as its heads are.
    #[serde(default)]
    pub patch_size: usize,
    /// Of a convolutional network the channels that are pooled.
    pub width: usize,
    #[serde(default)]
    pub heads: usize,
    /// Of a convolutional network its stages.
    pub layers: usize,
    pub parameters: u64,
    /// Of the file.
    pub bytes: u64,
    /// Of the file, hexadecimal.
    pub sha256: String,
    /// Classes it names; none without a classifier.
    #[serde(default)]
    pub classes: Vec<String>,
    /// How many it names where they are too many to be listed.
    #[serde(default)]
    pub class_count: usize,
    /// What it got right of pictures that it was not trained on.
    #[serde(default)]
    pub accuracy: Option<Accuracy>,
    pub trained_on: String,
    pub recipe: String,
    pub licence: String,
    pub limits: String,
}

/// A measured accuracy.
#[derive(Clone, Debug, Deserialize)]
pub struct Accuracy {
    /// On what.
    pub data: String,
    /// On how many pictures.
    pub pictures: u64,
    /// 0..1.
    pub value: f64,
}

impl Shipped {
    /// The smaller one first.
    pub const ALL: [Self; 3] = [Self::Classroom, Self::MobileNetV2, Self::VitS14];

    /// The `data-testid` of its button.
    pub fn handle(self) -> &'static str {
        match self {
            Self::Classroom => "shipped-classroom",
            Self::MobileNetV2 => "shipped-mobilenet-v2",
            Self::VitS14 => "shipped-vit-s14",
        }
    }

    /// Its weights below `static/ancestors`.
    pub fn file(self) -> &'static str {
        match self {
            Self::Classroom => "classroom.safetensors",
            Self::MobileNetV2 => "mobilenet_v2.safetensors",
            Self::VitS14 => "vit_s14.safetensors",
        }
    }

    /// `config.json` of its family, where the file does not describe itself.
    pub fn config(self) -> Option<&'static str> {
        match self {
            Self::Classroom => None,
            Self::MobileNetV2 => Some(include_str!("../../static/ancestors/configs/mobilenet_v2.json")),
            Self::VitS14 => Some(include_str!("../../static/ancestors/configs/vit_s14.json")),
        }
    }

    /// Its card; `None` when the program was built with one that cannot be read.
    pub fn card(self) -> Option<&'static Card> {
        static CARDS: OnceLock<[Option<Card>; 3]> = OnceLock::new();
        let cards = CARDS.get_or_init(|| {
            let cards = [
                include_str!("../../static/ancestors/classroom.json"),
                include_str!("../../static/ancestors/mobilenet_v2.json"),
                include_str!("../../static/ancestors/vit_s14.json"),
            ];
            cards.map(|card| {
                let card = serde_json::from_str(card);
                card.map_err(|error| log::error!("the card of a shipped ancestor is not readable: {error}")).ok()
            })
        });
        cards[self as usize].as_ref()
    }
}

impl Card {
    /// What its file must be.
    pub fn expected(&self) -> Expected<'_> {
        Expected { bytes: self.bytes, sha256: &self.sha256 }
    }
}

/// A file on its way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fetching {
    pub which: Shipped,
    pub bytes: u64,
    /// Predicted time left, s.
    pub seconds_left: Option<f64>,
}

/// What is being fetched. Copies are handles of the same state.
#[derive(Clone, Copy, Default)]
pub struct ShippedState {
    pub fetching: RwSignal<Option<Fetching>>,
    /// Sample pictures are on their way; the engine knows nothing of them yet.
    pub has_samples_coming: RwSignal<bool>,
    pub aborter: StoredValue<Option<AbortController>, LocalStorage>,
    /// Counts what was begun, so that a fetch that was overtaken is known as such.
    pub turn: StoredValue<usize>,
}

impl ShippedState {
    /// Breaks off what is being fetched, if anything is.
    pub fn cancel(self) {
        self.turn.update_value(|turn| *turn += 1);
        if let Some(aborter) = self.aborter.try_update_value(Option::take).flatten() {
            aborter.abort();
        }
        if self.fetching.with_untracked(Option::is_some) {
            self.fetching.set(None);
        }
    }
}
