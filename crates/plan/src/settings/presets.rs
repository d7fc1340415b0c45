//! Presets for lessons. Each is nothing but a fragment of an address: what a teacher could also write by hand.

use super::{Setting, Settings};

/// A preset; its words are the page's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// Its name in `data-testid`s and in the strings.
    pub id: &'static str,
    /// The settings.
    pub fragment: &'static str,
}

/// What Show me sets where the person has chosen nothing, so that its story ends within two minutes on two cores
/// without a GPU. Work is counted in billions of floating-point operations (GFLOP) of the classroom ancestor (64 px, 65
/// tokens, width 192) and reckoned with 12 GFLOP a second; natively a race of this shape made 20 per second of processor
/// time.
///
/// * `measure=10`: one pass of 0.4 GFLOP a picture, two pictures of each of five classes;
/// * `size=64`: as many tokens as the ancestor knows, so nothing is resampled;
/// * `heads=6&layers=3`: 0.18 GFLOP forward, 0.55 with the way back. The ancestor's heads differ, so that three of them
///   leave out too much: here they came to 45 %, six to 52 %, scratch with as many to 43 and 40 %;
/// * `steps=60&batch=8`, two starts: 960 pictures, 530 GFLOP, 44 s. From random numbers 40 steps at half the rate stayed
///   at chance, 100 steps at this rate came to twice chance;
/// * `share=0.1&validate=15`: 40 drawings judged at five moments by two models, 74 GFLOP, 6 s. With 40, one picture more
///   or less is 2.5 %: enough to see a difference that is large, and the verdict below the curves says how sure it is;
/// * `augment=0`: so few steps hardly see a picture twice.
pub const STORY: Preset = Preset {
    id: "story",
    fragment: "measure=10&share=0.1&size=64&heads=6&layers=3&steps=60&batch=8&validate=15&augment=0",
};

/// The usual settings first. Those for lessons are for the classroom ancestor; 56 px is a whole number of patches of 8
/// and of 14.
pub const PRESETS: [Preset; 6] = [
    Preset { id: "usual", fragment: "" },
    STORY,
    Preset { id: "quick", fragment: "measure=4&size=56&heads=4&layers=3&steps=40&batch=8" },
    Preset { id: "fair", fragment: "size=56&heads=4&layers=4&seeds=3&steps=60&batch=8" },
    Preset { id: "small", fragment: "eps=20&size=56&heads=2&layers=2&steps=120" },
    Preset { id: "few", fragment: "share=0.8&size=56&heads=4&layers=4&seeds=2&steps=60&batch=8" },
];

impl Preset {
    /// Its settings, on the engine in use.
    pub fn settings(self, now: &Settings) -> Settings {
        Settings { engine: now.engine, ..Settings::read_pieces(self.fragment).0 }
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
