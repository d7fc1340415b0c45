//! Settings in the address, and presets.

/// Words of the link and the presets.
pub struct Lessons {
    pub title: &'static str,
    pub presets: &'static str,
    /// Title and sentence of a preset.
    pub preset: fn(&str) -> (&'static str, &'static str),
    pub now: fn(&str) -> String,
    pub now_changed: fn(&str, &str) -> String,
    pub change: fn(&str, &str, &str) -> String,
    pub more_changes: fn(usize) -> String,
    pub chosen_preset: fn(&str) -> String,
    pub sheet_title: &'static str,
    /// Of `docs`, in Markdown.
    pub sheet: &'static str,
    pub copy: &'static str,
    pub copied: &'static str,
    pub by_hand: &'static str,
    pub engine: &'static str,
    pub engine_auto: &'static str,
    pub engine_webgpu: &'static str,
    pub engine_cpu: &'static str,
    pub engine_hint: &'static str,
    pub engine_later: &'static str,
    pub chosen: &'static str,
    pub on: &'static str,
    pub off: &'static str,
    pub nothing: &'static str,
    pub expected_number: fn(bool, &str, &str) -> String,
    pub expected_flag: &'static str,
    /// What a setting in words understands, by its key.
    pub expected_word: fn(&str) -> &'static str,
    /// A bad value: the piece, and what would have been understood.
    pub bad: fn(&str, &str) -> String,
    pub unknown: fn(&str) -> String,
    pub faults: fn(&str) -> String,
}
