//! Settings in the part of an address after `#`.

use super::setting::{Expected, Setting};
use super::table::{Key, Settings, TABLE};
use crate::protocol::{Basis, Init, Method};

/// Anchors of the page, which are no settings: a step's address opened in a new tab has one.
const ANCHORS: [&str; 8] = ["main", "ancestor", "pictures", "heads", "descendant", "training", "trial", "home"];
/// Pieces of an address that are looked at: addresses come from anybody.
const MOST_PIECES: usize = 200;
/// Letters of a bad piece that are shown.
const MOST_SHOWN: usize = 40;
/// What links to pools say even where it is the usual, and what those mean that do not: see [`Settings::read_fragment`].
const OF_POOLS: [Key; 3] = [Key::Basis, Key::PoolLr, Key::StitchLr];
/// Rate of a whole pool when its stitch layers had none of their own.
const EARLIER_POOL_LR: f64 = 5e-4;

/// A piece of an address that was left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// As it stands there.
    pub piece: String,
    /// What would have been understood; `None` where no setting has this name.
    pub expected: Option<Expected>,
}

impl Settings {
    /// The part of the address after `#`: what differs from the usual. Where that is anything, the starts are written
    /// out even if they are the usual ones, and so are basis and rates of a pool: see [`Settings::read_fragment`].
    pub fn to_fragment(&self) -> String {
        let changed = self.differing(&Self::default());
        let is_usual = changed.iter().all(|setting| setting.key == Key::Engine);
        let is_pool = matches!(self.method, Method::Pool | Method::Stitch);
        let is_said = |key: Key| (key == Key::Arms && !is_usual) || (is_pool && OF_POOLS.contains(&key));
        let written = TABLE.iter().filter(|one| changed.iter().any(|other| other.key == one.key) || is_said(one.key));
        written.map(|setting| format!("{}={}", setting.name, setting.write(self))).collect::<Vec<_>>().join("&")
    }

    /// Reads the part of the address after `#`. What is unknown, unreadable or out of range leaves the usual in place
    /// and is told: an address may come from another version, or have lost its end on the way.
    ///
    /// Links of the time before the ancestor as it is raced by default say nothing of the starts where these were the
    /// usual ones, and mean those of then. The engine alone makes no such link. Links to a pool of the time before there
    /// was a shared basis say nothing of a basis, and mean a pool as published with one rate for all its weights.
    pub fn read_fragment(fragment: &str) -> (Self, Vec<Fault>) {
        let (mut settings, faults) = Self::read_pieces(fragment);
        let names = pieces(fragment).map(|piece| piece.split_once('=').map_or(piece, |(name, _)| name));
        let keys: Vec<Key> = names.filter_map(|name| Some(Setting::from_name(name)?.key)).collect();
        if keys.iter().any(|key| *key != Key::Engine) && !keys.contains(&Key::Arms) {
            settings.arms = vec![Init::Inherited, Init::Scratch];
        }
        if matches!(settings.method, Method::Pool | Method::Stitch) && !keys.contains(&Key::Basis) {
            settings.basis = Basis::of_earlier_versions();
            if !keys.contains(&Key::PoolLr) {
                settings.pool_lr = EARLIER_POOL_LR;
            }
            if !keys.contains(&Key::StitchLr) {
                settings.stitch_lr = settings.pool_lr;
            }
        }
        (settings, faults)
    }

    /// A fragment of which everything left out is the usual.
    pub(super) fn read_pieces(fragment: &str) -> (Self, Vec<Fault>) {
        let (mut settings, mut faults) = (Self::default(), Vec::new());
        for piece in pieces(fragment) {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            let read = Setting::from_name(name).map(|setting| setting.read(&mut settings, value));
            if read != Some(Ok(())) {
                let expected = read.and_then(Result::err);
                faults.push(Fault { piece: piece.chars().take(MOST_SHOWN).collect(), expected });
            }
        }
        (settings, faults)
    }

    /// As [`Settings::read_fragment`], for fragments that were written by [`Settings::to_fragment`].
    pub fn from_fragment(fragment: &str) -> Self {
        Self::read_fragment(fragment).0
    }

    /// Takes from the fragment of a preset what is still as usual here: what the person chose stays. `is_meant` picks names.
    pub fn fill(&mut self, fragment: &str, is_meant: impl Fn(&str) -> bool) {
        let (usual, given) = (Self::default(), Self::read_pieces(fragment).0);
        for setting in given.differing(&usual).into_iter().filter(|setting| is_meant(setting.name)) {
            if setting.write(self) == setting.write(&usual) {
                // A value that was written can be read.
                let _ = setting.read(self, &setting.write(&given));
            }
        }
    }

    /// Settings whose values differ, in the order of the table.
    pub fn differing(&self, other: &Self) -> Vec<&'static Setting> {
        TABLE.iter().filter(|setting| setting.write(self) != setting.write(other)).collect()
    }
}

/// The pieces of a fragment that are meant as settings.
fn pieces(fragment: &str) -> impl Iterator<Item = &str> {
    let pieces = fragment.trim_start_matches('#').split('&').filter(|piece| !piece.is_empty());
    pieces.filter(|piece| !ANCHORS.contains(piece)).take(MOST_PIECES)
}

/// As few digits as a number needs: `0.0005`, `10`, `0.1`.
pub fn plain(value: f64) -> String {
    format!("{}", (value * 1e9).round() / 1e9)
}

/// Text without its percent signs; as it stands where they make no sense.
pub(super) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let hex = |digit: u8| (digit as char).to_digit(16).map(|digit| digit as u8);
        rest = behind;
        bytes.push(match (first, behind) {
            (b'%', [high, low, behind @ ..]) => {
                let (Some(high), Some(low)) = (hex(*high), hex(*low)) else { return text.to_owned() };
                rest = behind;
                16 * high + low
            }
            (b'%', _) => return text.to_owned(),
            (byte, _) => *byte,
        });
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}
