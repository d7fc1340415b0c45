//! The engine as a dedicated worker that owns the device, the models, the pictures and the training.
//!
//! Two programs are made of it. A browser without WebGPU fetches and compiles `engine-cpu`, a quarter of `engine`.

#[cfg(target_arch = "wasm32")]
mod serve;

/// Serves the page that started this worker until it is ended, or helps the engine that did; natively there is neither,
/// and nothing happens.
pub fn run() {
    #[cfg(target_arch = "wasm32")]
    {
        let _ = console_log::init_with_level(log::Level::Warn);
        serve::tell_of_panics();
        if !heirloom_platform::helper::serve(heirloom_engine::crew::answer) {
            serve::serve();
        }
    }
}
