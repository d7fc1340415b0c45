//! The page: draws what the engine says, and turns what the person does into commands. It never computes.
//!
//! One [`state::App`] holds everything that is on the screen; `pages` are the numbered steps, `charts` the drawings,
//! `widgets` what steps share, `strings` every word. Nothing below `session::protocol` and `session::link` is used here,
//! so the page's program links no burn and stays small.

mod actions;
mod app;
mod bench;
mod charts;
mod experiment;
mod fetch;
mod files;
mod format;
mod layers;
mod pages;
mod pools;
mod presets;
mod projects;
mod restart;
mod samples;
mod settings;
mod shipped;
mod show_me;
mod snapshot;
mod state;
mod store;
mod strings;
mod trial;
mod wake;
mod widgets;

/// Draws the page into the document's body.
pub fn mount() {
    leptos::mount::mount_to_body(app::Page);
}
