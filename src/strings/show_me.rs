//! The story that the page tells by itself.

use crate::show_me::state::Stage;

/// Words of a stage.
pub struct StageWords {
    pub title: &'static str,
    pub sentence: &'static str,
    /// The exact terms.
    pub term: &'static str,
}

/// Words of the story.
pub struct ShowMe {
    pub title: &'static str,
    pub button: &'static str,
    /// By the shipped ancestor's name and size.
    pub offer: fn(&str, &str) -> String,
    pub busy: &'static str,
    pub asking: &'static str,
    pub here: &'static str,
    pub here_hint: &'static str,
    pub no_heads: &'static str,
    pub anew: &'static str,
    pub anew_hint: &'static str,
    pub not_kept: &'static str,
    pub never_mind: &'static str,
    pub place: fn(usize, usize) -> String,
    pub stage: fn(Stage) -> StageWords,
    pub waiting_engine: &'static str,
    pub hold: &'static str,
    pub release: &'static str,
    pub skip: &'static str,
    pub skip_hint: &'static str,
    pub stop: &'static str,
    pub halted: &'static str,
    pub go_on: &'static str,
    /// Layers, heads, parameters.
    pub found_ancestor: fn(usize, usize, &str) -> String,
    /// Classes, to learn from, to check with.
    pub found_pictures: fn(usize, usize, usize) -> String,
    /// Heads, pictures, nearest and farthest mean distance and the side of the picture, px.
    pub found_heads: fn(usize, usize, [&str; 2], usize) -> String,
    pub found_clusters: fn(usize, usize) -> String,
    /// Heads, layers, parameters, share of the ancestor's.
    pub found_descendant: fn(usize, usize, &str, &str) -> String,
    /// Accuracy of both starts, 0..1, by last point.
    pub found_race: fn(f64, f64) -> String,
    pub found_race_stopped: &'static str,
    pub found_naming: fn(usize, usize) -> String,
    pub ended: &'static str,
    pub took: fn(&str) -> String,
    pub untrained: &'static str,
    pub yours: &'static str,
    /// Steps of the page, and what to do there oneself.
    pub own: [(&'static str, &'static str); 5],
    /// Classes to draw.
    pub draw: fn(&str) -> String,
    pub draw_it: &'static str,
    pub usual: &'static str,
    pub usual_hint: &'static str,
    pub close: &'static str,
}
