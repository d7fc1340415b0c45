//! One integration-test program: natively on the CPU engine, in headless Chromium on WebGPU.
//!
//! A test that wants a device is written once inside `on_every_engine!`; a test of pure functions is an ordinary
//! `#[test]` (native only). Test names are sentences.

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

#[macro_use]
mod support;

mod by_layers;
mod checkpoint;
mod cluster;
mod cnn;
mod data;
mod device;
mod keep;
mod kernels;
mod player;
mod pool;
#[cfg(not(target_arch = "wasm32"))]
mod roof;
mod session;
mod starts;
mod tied;
mod train;
mod vit;
mod yardstick;

// Nothing in them needs a device, or the files of the house.
#[cfg(not(target_arch = "wasm32"))]
mod ancestor;
#[cfg(not(target_arch = "wasm32"))]
mod shipped;
