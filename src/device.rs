//! Acquiring a device.

use burn::tensor::Device;

/// Why no WebGPU device could be had.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The adapter or its device could not be acquired.
    #[error("WebGPU could not be started: {0}")]
    Start(String),
}

/// The WebGPU device of this page or program.
///
/// # Errors
/// When there is no adapter, or it lacks what burn needs.
pub async fn webgpu() -> Result<Device, DeviceError> {
    Device::wgpu_options().tasks_max(32).init_async().await.map_err(|error| DeviceError::Start(error.to_string()))
}

/// The CPU device: one thread, SIMD.
pub fn cpu() -> Device {
    Device::flex()
}
