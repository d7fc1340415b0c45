//! The page: draws what the engine says, and turns what the person does into commands.
//!
//! One `store::Store` holds everything that is on the screen. Each step has a folder with its view, drawings, state and
//! actions; actions are functions over the store, and `events` is where the engine's words arrive. `charts` and `widgets`
//! are what steps share, `browser` what the browser gives, `strings` every word. What is plain arithmetic the page works
//! out by itself with `heirloom_plan`; it links no burn, which would be megabytes to load and most of a second to start.

#[cfg(target_arch = "wasm32")]
mod address;
#[cfg(target_arch = "wasm32")]
mod ancestor;
#[cfg(target_arch = "wasm32")]
mod app;
#[cfg(target_arch = "wasm32")]
mod browser;
#[cfg(target_arch = "wasm32")]
mod charts;
#[cfg(target_arch = "wasm32")]
mod descendant;
#[cfg(target_arch = "wasm32")]
mod engine;
#[cfg(target_arch = "wasm32")]
mod events;
#[cfg(target_arch = "wasm32")]
mod export;
#[cfg(target_arch = "wasm32")]
mod format;
#[cfg(target_arch = "wasm32")]
mod heads;
#[cfg(target_arch = "wasm32")]
mod jobs;
#[cfg(target_arch = "wasm32")]
mod layers;
#[cfg(target_arch = "wasm32")]
mod lessons;
#[cfg(target_arch = "wasm32")]
mod listen;
#[cfg(target_arch = "wasm32")]
mod offline;
#[cfg(target_arch = "wasm32")]
mod pictures;
#[cfg(target_arch = "wasm32")]
mod pools;
#[cfg(target_arch = "wasm32")]
mod prelude;
#[cfg(target_arch = "wasm32")]
mod projects;
#[cfg(target_arch = "wasm32")]
mod say;
#[cfg(target_arch = "wasm32")]
mod show_me;
#[cfg(target_arch = "wasm32")]
mod store;
#[cfg(target_arch = "wasm32")]
mod strings;
#[cfg(target_arch = "wasm32")]
mod tied;
#[cfg(target_arch = "wasm32")]
mod training;
#[cfg(target_arch = "wasm32")]
mod trial;
#[cfg(target_arch = "wasm32")]
mod widgets;

#[cfg(target_arch = "wasm32")]
fn main() {
    console_error_panic_hook::set_once();
    // A second logger is the only failure, and then there is one already.
    let _ = console_log::init_with_level(log::Level::Info);
    leptos::mount::mount_to_body(app::Page);
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("the page runs in a browser: `cargo xtask serve` builds it and says where to open it");
    std::process::exit(1);
}
