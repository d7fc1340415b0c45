//! Ancestors that ship with the page: what their cards say, and how their files come.
//!
//! The cards are part of the program, so that a file is checked against what this very page was built with. The files,
//! megabytes, are fetched when somebody wants one. What the engine once kept of them for a project is taken from the
//! browser's store instead of being fetched again.

use std::sync::OnceLock;

use js_sys::Array;
use leptos::prelude::*;
use serde::Deserialize;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use web_sys::{AbortController, AbortSignal, File};

use super::fetch::{self, Expected, Fault};
use super::files::Picked;
use super::state::App;
use super::store;
use super::strings::text;

/// A shipped ancestor; its files are in `static/ancestors`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shipped {
    /// Small, trained for this page.
    Classroom,
    /// The size that papers use.
    VitS14,
}

/// What is said of a shipped ancestor.
#[derive(Clone, Debug, Deserialize)]
pub struct Card {
    pub name: String,
    pub image_size: usize,
    pub patch_size: usize,
    pub width: usize,
    pub heads: usize,
    pub layers: usize,
    pub parameters: u64,
    /// Of the file.
    pub bytes: u64,
    /// Of the file, hexadecimal.
    pub sha256: String,
    /// Classes it names; none without a classifier.
    #[serde(default)]
    pub classes: Vec<String>,
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
    pub const ALL: [Self; 2] = [Self::Classroom, Self::VitS14];

    /// The `data-testid` of its button.
    pub fn handle(self) -> &'static str {
        match self {
            Self::Classroom => "shipped-classroom",
            Self::VitS14 => "shipped-vit-s14",
        }
    }

    /// Its weights below `static/ancestors`.
    pub fn file(self) -> &'static str {
        match self {
            Self::Classroom => "classroom.safetensors",
            Self::VitS14 => "vit_s14.safetensors",
        }
    }

    /// `config.json` of its family, where the file does not describe itself.
    fn config(self) -> Option<&'static str> {
        (self == Self::VitS14).then_some(include_str!("../static/ancestors/configs/vit_s14.json"))
    }

    /// Its card; `None` when the program was built with one that cannot be read.
    pub fn card(self) -> Option<&'static Card> {
        static CARDS: OnceLock<[Option<Card>; 2]> = OnceLock::new();
        let cards = CARDS.get_or_init(|| {
            let cards =
                [include_str!("../static/ancestors/classroom.json"), include_str!("../static/ancestors/vit_s14.json")];
            cards.map(|card| {
                let card = serde_json::from_str(card);
                card.map_err(|error| log::error!("the card of a shipped ancestor is not readable: {error}")).ok()
            })
        });
        cards[self as usize].as_ref()
    }
}

impl Card {
    fn expected(&self) -> Expected<'_> {
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
#[derive(Clone, Copy)]
pub struct ShippedState {
    pub fetching: RwSignal<Option<Fetching>>,
    /// Sample pictures are on their way; the engine knows nothing of them yet.
    pub has_samples_coming: RwSignal<bool>,
    aborter: StoredValue<Option<AbortController>, LocalStorage>,
    /// Counts what was begun, so that a fetch that was overtaken is known as such.
    turn: StoredValue<usize>,
}

impl ShippedState {
    pub fn new() -> Self {
        Self {
            fetching: RwSignal::new(None),
            has_samples_coming: RwSignal::new(false),
            aborter: StoredValue::new_local(None),
            turn: StoredValue::new(0),
        }
    }

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

impl App {
    /// Opens a shipped ancestor as if the person had chosen its file. Another choice in the meantime goes before it.
    pub fn open_shipped(self, which: Shipped) {
        let shipped = self.shipped;
        shipped.cancel();
        let (Some(card), Ok(aborter)) = (which.card(), AbortController::new()) else {
            return self.complain((text().shipped.missing)(which.file()));
        };
        let (turn, signal) = (shipped.turn.get_value(), aborter.signal());
        shipped.aborter.set_value(Some(aborter));
        shipped.fetching.set(Some(Fetching { which, bytes: 0, seconds_left: None }));
        spawn_local(async move {
            let got = get(self, which, card, &signal, turn).await;
            if shipped.turn.get_value() != turn {
                return;
            }
            // Also ends the connection of a file that turned out to be another one.
            shipped.cancel();
            let t = &text().shipped;
            match got {
                Ok(picked) => self.open_ancestor(picked),
                Err(Fault::Missing) => self.complain((t.missing)(which.file())),
                Err(Fault::Short(bytes)) => self.complain((t.short)(which.file(), bytes, card.bytes)),
                Err(Fault::Changed) => self.complain((t.changed)(which.file())),
            }
        });
    }
}

/// The weights, and beside them the description that they need.
async fn get(app: App, which: Shipped, card: &Card, signal: &AbortSignal, turn: usize) -> Result<Vec<Picked>, Fault> {
    let weights = match store::blob(&card.sha256).await {
        Some(stored) if fetch::is_whole(&stored, card.expected()).await => {
            File::new_with_blob_sequence(&Array::of1(&stored), which.file())
        }
        _ => {
            let begun = js_sys::Date::now();
            let heard = |bytes: u64| {
                if app.shipped.turn.get_value() == turn {
                    let seconds = (js_sys::Date::now() - begun) / 1e3;
                    let seconds_left = (bytes > 0).then(|| seconds * (card.bytes as f64 / bytes as f64 - 1.0));
                    app.shipped.fetching.set(Some(Fetching { which, bytes, seconds_left }));
                }
            };
            let address = format!("static/ancestors/{}", which.file());
            let pieces = fetch::fetch(&address, card.expected(), signal, heard).await?;
            File::new_with_blob_sequence(&pieces, which.file())
        }
    };
    let config = which
        .config()
        .map(|config| File::new_with_str_sequence(&Array::of1(&JsValue::from_str(config)), "config.json"));
    let files = [Some(weights), config].into_iter().flatten();
    let picked = files.map(|file| file.map(|file| Picked { path: file.name(), file }));
    picked.collect::<Result<_, _>>().map_err(|_| Fault::Missing)
}
