//! The page. Everything it does is in `heirloom::ui`; everything that computes is in the engine's program.

#[cfg(target_arch = "wasm32")]
fn main() {
    console_error_panic_hook::set_once();
    // A second logger is the only failure, and then there is one already.
    let _ = console_log::init_with_level(log::Level::Info);
    heirloom::ui::mount();
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("the page runs in a browser: `cargo xtask serve` builds it and says where to open it");
    std::process::exit(1);
}
