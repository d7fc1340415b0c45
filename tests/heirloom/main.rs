//! One integration-test program: natively on the CPU engine, in headless Chromium on WebGPU.
//!
//! A test that wants a device is written once inside `on_every_engine!`; a test of pure functions is an ordinary
//! `#[test]` (native only). Test names are sentences.

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

#[macro_use]
mod support;

mod checkpoint;
mod cluster;
mod data;
mod device;
mod journal;
mod kernels;
mod layers;
mod session;
mod train;
mod vit;

// Held natively only, so far: their runs in Chromium are still to be seen.
#[cfg(not(target_arch = "wasm32"))]
mod ancestor;
#[cfg(not(target_arch = "wasm32"))]
mod by_layers;
#[cfg(not(target_arch = "wasm32"))]
mod cnn;
#[cfg(not(target_arch = "wasm32"))]
mod experiment;
#[cfg(not(target_arch = "wasm32"))]
mod keep;
#[cfg(not(target_arch = "wasm32"))]
mod pool;
#[cfg(not(target_arch = "wasm32"))]
mod starts;
#[cfg(not(target_arch = "wasm32"))]
mod statistics;
