//! One declared setting: how its value is written, read and shown.

use super::address::{decoded, plain};
use super::table::{Key, Settings, TABLE};

/// One setting.
pub struct Setting {
    /// What the program calls it.
    pub key: Key,
    /// Its name in the address.
    pub name: &'static str,
    /// What it is, in a sentence.
    pub help: &'static str,
    /// Unit of its value; empty where it has none.
    pub unit: &'static str,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    Number {
        is_whole: bool,
        range: (f64, f64),
        step: f64,
        get: fn(&Settings) -> f64,
        set: fn(&mut Settings, f64),
    },
    Flag {
        words: [&'static str; 2],
        get: fn(&Settings) -> bool,
        set: fn(&mut Settings, bool),
    },
    /// `set` says whether it understood; what is typed by hand is read more kindly than an address.
    Word {
        get: fn(&Settings) -> String,
        set: fn(&mut Settings, &str, bool) -> bool,
    },
}

/// What would have been understood.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Expected {
    /// A number between these.
    Number {
        /// Whether it has to be whole.
        is_whole: bool,
        /// Smallest and largest.
        range: (f64, f64),
    },
    /// 1 or 0.
    Flag,
    /// A word that this setting knows.
    Word(Key),
}

/// A setting as an option of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// Its name in the address, which [`Setting::read`] goes by.
    pub name: &'static str,
    /// The option, e.g. `--eps-ffn`.
    pub option: String,
    /// What it is, with its unit.
    pub help: String,
    /// What it is where nobody chose.
    pub default: String,
}

/// All settings as options of a command line.
pub fn flags() -> Vec<Flag> {
    let usual = Settings::default();
    let flag = |setting: &Setting| Flag {
        name: setting.name,
        option: format!("--{}", setting.name.replace('_', "-")),
        help: match setting.unit {
            "" => setting.help.trim().to_owned(),
            unit => format!("{} [{unit}]", setting.help.trim()),
        },
        default: setting.write(&usual),
    };
    TABLE.iter().map(flag).collect()
}

impl Key {
    /// Its declaration.
    pub fn setting(self) -> &'static Setting {
        &TABLE[self as usize]
    }
}

impl Setting {
    /// The setting of a name in the address.
    pub fn from_name(name: &str) -> Option<&'static Self> {
        TABLE.iter().find(|setting| setting.name == name)
    }

    /// Its value as the address has it.
    pub fn write(&self, settings: &Settings) -> String {
        match &self.kind {
            Kind::Number { get, .. } => plain(get(settings)),
            Kind::Flag { get, words, .. } => words[usize::from(get(settings))].to_owned(),
            Kind::Word { get, .. } => get(settings),
        }
    }

    /// Takes a value from an address.
    ///
    /// # Errors
    /// Says what would have been understood.
    pub fn read(&self, settings: &mut Settings, value: &str) -> Result<(), Expected> {
        let value = decoded(value);
        match &self.kind {
            Kind::Number { is_whole, range, set, .. } => {
                let number = value.parse::<f64>().ok().filter(|number| (range.0..=range.1).contains(number));
                let number = number.filter(|number| !is_whole || number.fract() == 0.0);
                let expected = Expected::Number { is_whole: *is_whole, range: *range };
                number.map(|number| set(settings, number)).ok_or(expected)
            }
            Kind::Flag { set, words, .. } => {
                let expected = if words[0] == "0" { Expected::Flag } else { Expected::Word(self.key) };
                let place = words.iter().position(|word| *word == value).ok_or(expected)?;
                set(settings, place == 1);
                Ok(())
            }
            Kind::Word { set, .. } => set(settings, &value, false).then_some(()).ok_or(Expected::Word(self.key)),
        }
    }

    /// Takes what was typed into a field, as far as it can be used; the rest stays as it is.
    pub fn type_in(&self, settings: &mut Settings, typed: &str) {
        match &self.kind {
            Kind::Word { set, .. } => {
                set(settings, typed, true);
            }
            // What is no number, or out of range, leaves the value as it is.
            Kind::Number { .. } | Kind::Flag { .. } => drop(self.read(settings, typed)),
        }
    }

    /// Its number; 0 where it is something else.
    pub fn number(&self, settings: &Settings) -> f64 {
        if let Kind::Number { get, .. } = &self.kind { get(settings) } else { 0.0 }
    }

    /// Sets its number.
    pub fn set_number(&self, settings: &mut Settings, value: f64) {
        if let Kind::Number { set, .. } = &self.kind {
            set(settings, value);
        }
    }

    /// Smallest and largest number, and how far a field goes at a time.
    pub fn range(&self) -> (f64, f64, f64) {
        match &self.kind {
            Kind::Number { range, step, .. } => (range.0, range.1, *step),
            Kind::Flag { .. } | Kind::Word { .. } => (0.0, 1.0, 1.0),
        }
    }

    /// Whether it is on; `None` where it is no flag.
    pub fn flag(&self, settings: &Settings) -> Option<bool> {
        if let Kind::Flag { get, .. } = &self.kind { Some(get(settings)) } else { None }
    }

    /// Switches it on or off.
    pub fn set_flag(&self, settings: &mut Settings, is_on: bool) {
        if let Kind::Flag { set, .. } = &self.kind {
            set(settings, is_on);
        }
    }
}
