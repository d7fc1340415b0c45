//! Presets for lessons. Each is nothing but a fragment of an address: what a teacher could also write by hand.

use super::settings::{Setting, Settings};

/// A preset; its words are `strings::Lessons::preset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// Its name in `data-testid`s and in the strings.
    pub id: &'static str,
    /// The settings.
    pub fragment: &'static str,
}

/// The usual settings first.
pub const PRESETS: [Preset; 5] = [
    Preset { id: "usual", fragment: "" },
    Preset { id: "quick", fragment: "measure=4&heads=4&layers=3&steps=40&batch=8" },
    Preset { id: "fair", fragment: "heads=4&layers=4&seeds=3&steps=60&batch=8" },
    Preset { id: "small", fragment: "eps=20&heads=2&layers=2&steps=120" },
    Preset { id: "few", fragment: "share=0.8&heads=4&layers=4&seeds=2&steps=60&batch=8" },
];

impl Preset {
    /// Its settings, on the engine in use.
    pub fn settings(self, now: &Settings) -> Settings {
        Settings { engine: now.engine, ..Settings::from_fragment(self.fragment) }
    }
}

/// The preset that is nearest to some settings, and what differs from it. The engine is nobody's lesson.
pub fn nearest(settings: &Settings) -> (Preset, Vec<&'static Setting>) {
    let difference = |preset: Preset| (preset, settings.differing(&preset.settings(settings)));
    let usual = difference(PRESETS[0]);
    PRESETS[1..]
        .iter()
        .map(|preset| difference(*preset))
        .fold(usual, |best, one| if one.1.len() < best.1.len() { one } else { best })
}
