//! The ancestors that ship with the page.

/// Words of their cards.
pub struct ShippedWords {
    pub heading: &'static str,
    pub hint: &'static str,
    /// By name and size of the file.
    pub open: fn(&str, &str) -> String,
    pub about: fn(&str) -> String,
    /// Layers, heads, width, side of the picture and of a patch.
    pub shape_label: &'static str,
    pub shape: fn(usize, usize, usize, usize, usize) -> String,
    /// Stages, channels after them and side of the picture, of a convolutional network.
    pub stages: fn(usize, usize, usize) -> String,
    pub parameters: &'static str,
    pub classes: &'static str,
    pub class_count: fn(usize) -> String,
    pub trained_on: &'static str,
    pub recipe: &'static str,
    pub accuracy: &'static str,
    /// Share, on how many pictures, of what.
    pub accuracy_value: fn(&str, u64, &str) -> String,
    pub not_measured: &'static str,
    pub licence: &'static str,
    pub limits: &'static str,
    pub fetching: fn(&str) -> String,
    pub far: fn(&str, &str) -> String,
    pub cancel: &'static str,
    pub missing: fn(&str) -> String,
    /// Bytes that came, and that were meant.
    pub short: fn(&str, u64, u64) -> String,
    pub changed: fn(&str) -> String,
}
