//! The engine's program: a dedicated worker that owns the device, the models, the pictures and the training.

#[cfg(target_arch = "wasm32")]
mod serve;

fn main() {
    #[cfg(target_arch = "wasm32")]
    {
        let _ = console_log::init_with_level(log::Level::Warn);
        serve::serve();
    }
}
