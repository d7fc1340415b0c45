//! Sentences for the person, with what they are made of: the engine says which sentence and which values, and the page's
//! catalogue of another language finds its own words by that.

mod reading;

use std::collections::BTreeMap;
use std::fmt::Display;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A sentence for the person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Whether something failed, or is only good to know.
    pub level: NoticeLevel,
    /// Which sentence: the names of the variants on the way to it, such as `Data.Picture.Image.TooLarge`. Empty where
    /// only the text is known.
    pub code: String,
    /// The values in the sentence by the names of their fields; those without a name are numbered from `0`.
    pub values: BTreeMap<String, Value>,
    /// Full sentences in English: found, expected, what to do.
    pub text: String,
}

impl Notice {
    /// An error or a remark, read by its fields.
    pub fn of(level: NoticeLevel, reason: &(impl Serialize + Display)) -> Self {
        let (code, values) = reading::read(reason);
        Self { level, code, values, text: sentence(reason) }
    }

    /// A text in the person's language already.
    pub fn of_text(level: NoticeLevel, text: String) -> Self {
        Self { level, code: String::new(), values: BTreeMap::new(), text }
    }
}

/// How serious a [`Notice`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoticeLevel {
    /// Good to know.
    Info,
    /// Something did not work.
    Error,
}

/// A reason as a sentence: errors are written in lower case, to be joined.
pub fn sentence(reason: impl ToString) -> String {
    let text = reason.to_string();
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}
