//! The engine: a dedicated worker that owns the device, the models, the pictures and the training.

fn main() {
    #[cfg(target_arch = "wasm32")]
    {
        let _ = console_log::init_with_level(log::Level::Warn);
        heirloom::session::serve::serve();
    }
}
