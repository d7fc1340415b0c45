//! Tests of `checkpoint`. Fixtures: `tests/fixtures/checkpoints` (made by `make.py` and `make_torch.py` there).

#[cfg(not(target_arch = "wasm32"))]
mod exports;
#[cfg(not(target_arch = "wasm32"))]
mod files;
#[cfg(not(target_arch = "wasm32"))]
mod habits;
#[cfg(not(target_arch = "wasm32"))]
mod hostile;
#[cfg(not(target_arch = "wasm32"))]
mod open;
#[cfg(not(target_arch = "wasm32"))]
mod packed;
#[cfg(not(target_arch = "wasm32"))]
mod refuse;
#[cfg(not(target_arch = "wasm32"))]
mod resample;
#[cfg(not(target_arch = "wasm32"))]
mod stitched;
#[cfg(not(target_arch = "wasm32"))]
mod torch;
#[cfg(not(target_arch = "wasm32"))]
mod write;

#[cfg(target_arch = "wasm32")]
mod browser;
