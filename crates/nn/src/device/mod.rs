//! Acquiring a device: WebGPU where the adapter is fit and computes rightly, else the CPU.
//!
//! A browser may offer WebGPU and still compute wrongly or lack what burn needs, in which case burn panics. So the
//! adapter is probed before burn sees it, and a self-test decides whether its numbers are used.

#[cfg(target_arch = "wasm32")]
mod gemm_module;
mod numbers;
mod read;
mod self_test;
#[cfg(feature = "webgpu")]
mod webgpu;

use burn::tensor::Device;

#[cfg(target_arch = "wasm32")]
pub use gemm_module::prefer_plain;
pub use numbers::uniform;
pub use read::{ReadError, read, read_all};
pub use self_test::{SelfTestError, self_test};
#[cfg(feature = "webgpu")]
use webgpu::start as start_webgpu;

/// Why WebGPU is not used. Each is a sentence for the person.
#[derive(Debug, thiserror::Error, serde::Serialize)]
pub enum DeviceError {
    /// The program was built without the feature `webgpu`.
    #[error(
        "this build has no WebGPU and computes on the CPU alone; build it with the feature `webgpu` to use a graphics adapter"
    )]
    NotBuilt,
    /// No adapter.
    #[error(
        "this browser offers no WebGPU adapter ({0}); a current Chrome, Edge, Firefox or Safari with graphics acceleration has one"
    )]
    NoAdapter(String),
    /// The adapter lacks something burn needs.
    #[error("the graphics adapter `{adapter}` lacks {missing}; a newer browser or driver may offer it")]
    Unfit {
        /// Name of the adapter.
        adapter: String,
        /// What is missing.
        missing: String,
    },
    /// The device could not be started.
    #[error("WebGPU could not be started: {0}")]
    Start(String),
    /// It computes wrong numbers.
    #[error("the graphics adapter `{adapter}` failed the self-test: {reason}")]
    Wrong {
        /// Name of the adapter.
        adapter: String,
        /// Which check.
        reason: SelfTestError,
    },
}

/// A device that passed its self-test.
#[derive(Clone, Debug)]
pub struct Acquired {
    /// The device.
    pub device: Device,
    /// Whether it is WebGPU.
    pub is_webgpu: bool,
    /// Name of the adapter or of the CPU engine.
    pub name: String,
    /// One line per check of the self-test.
    pub self_test: Vec<String>,
}

/// The WebGPU device of this page or program, not yet self-tested.
///
/// # Errors
/// When this build has no WebGPU, there is no adapter, or it lacks what burn needs.
pub async fn webgpu() -> Result<Device, DeviceError> {
    Ok(start_webgpu().await?.0)
}

/// What stands in a build for the CPU alone, so that nobody who asks for WebGPU needs to know of features. In a browser
/// the page chose that build because there was no adapter.
#[cfg(not(feature = "webgpu"))]
async fn start_webgpu() -> Result<(Device, String), DeviceError> {
    if cfg!(target_arch = "wasm32") {
        return Err(DeviceError::NoAdapter("the page asked for one".into()));
    }
    Err(DeviceError::NotBuilt)
}

/// Natively there is nothing to prefer; see the browser's.
#[cfg(not(target_arch = "wasm32"))]
pub fn prefer_plain(_is_plain: bool) {}

/// The CPU device: one thread, SIMD.
pub fn cpu() -> Device {
    #[cfg(target_arch = "wasm32")]
    gemm_module::use_where_possible();
    Device::flex()
}

/// WebGPU, self-tested.
///
/// # Errors
/// When WebGPU cannot be had, or computes wrongly.
pub async fn acquire_webgpu() -> Result<Acquired, DeviceError> {
    let (device, name) = start_webgpu().await?;
    match self_test(&device).await {
        Ok(self_test) => Ok(Acquired { device, is_webgpu: true, name, self_test }),
        Err(reason) => Err(DeviceError::Wrong { adapter: name, reason }),
    }
}

/// The CPU engine, self-tested.
///
/// # Errors
/// When it computes wrongly, which would be our own fault.
pub async fn acquire_cpu() -> Result<Acquired, DeviceError> {
    let device = cpu();
    let name = "one thread, SIMD".to_string();
    match self_test(&device).await {
        Ok(self_test) => Ok(Acquired { device, is_webgpu: false, name, self_test }),
        Err(reason) => Err(DeviceError::Wrong { adapter: name, reason }),
    }
}
