//! The page. Everything it does is in `ui`; everything that computes is in the engine's program.
//!
//! The page takes its modules from the files, not from the library: whatever links the library links burn, whose
//! intermediate languages register themselves at start and cannot be left out by the linker. That is megabytes to load and
//! most of a second to start, for a program that only draws.
#![forbid(unsafe_code)]

#[cfg(target_arch = "wasm32")]
mod session {
    pub mod journal;
    pub mod link;
    // Some of it only the engine asks.
    #[allow(dead_code)]
    pub mod protocol;
}
#[cfg(target_arch = "wasm32")]
mod ui;

#[cfg(target_arch = "wasm32")]
fn main() {
    console_error_panic_hook::set_once();
    // A second logger is the only failure, and then there is one already.
    let _ = console_log::init_with_level(log::Level::Info);
    ui::mount();
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("the page runs in a browser: `cargo xtask serve` builds it and says where to open it");
    std::process::exit(1);
}
