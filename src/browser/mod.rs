//! What the browser gives: files, downloads, canvases, its store, a screen that stays awake.

pub mod fetch;
pub mod files;
pub mod snapshot;
pub mod stored;
pub mod wake;
