//! Acquiring a device: WebGPU where the adapter is fit and computes rightly, else the CPU.
//!
//! A browser may offer WebGPU and still compute wrongly or lack what burn needs, in which case burn panics. So the
//! adapter is probed before burn sees it, and a self-test decides whether its numbers are used.

mod numbers;
mod read;
#[cfg(target_arch = "wasm32")]
mod relaxed;
mod self_test;

use std::sync::Mutex;

use burn::tensor::Device;

use heirloom_platform::constructors::run_once;

pub use numbers::uniform;
pub use read::{ReadError, read, read_all};
pub use self_test::{SelfTestError, self_test};

/// Why WebGPU is not used. Each is a sentence for the person.
#[derive(Debug, thiserror::Error, serde::Serialize)]
pub enum DeviceError {
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
/// When there is no adapter, or it lacks what burn needs.
pub async fn webgpu() -> Result<Device, DeviceError> {
    Ok(probed().await?.0)
}

/// The device once it is started, and its name: burn starts one per program, and a second start is an error.
static STARTED: Mutex<Option<(Device, String)>> = Mutex::new(None);

fn started() -> Option<(Device, String)> {
    STARTED.lock().ok()?.clone()
}

async fn probed() -> Result<(Device, String), DeviceError> {
    if let Some(started) = started() {
        return Ok(started);
    }
    run_once();
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let options =
        wgpu::RequestAdapterOptions { power_preference: wgpu::PowerPreference::HighPerformance, ..Default::default() };
    let adapter =
        instance.request_adapter(&options).await.map_err(|error| DeviceError::NoAdapter(error.to_string()))?;
    let name = adapter_name(&adapter.get_info());
    if let Some(missing) = missing(&adapter) {
        return Err(DeviceError::Unfit { adapter: name, missing });
    }
    match Device::wgpu_options().tasks_max(TASKS).init_async().await {
        Ok(device) => {
            if let Ok(mut slot) = STARTED.lock() {
                *slot = Some((device.clone(), name.clone()));
            }
            Ok((device, name))
        }
        // Somebody else may have started it meanwhile.
        Err(error) => started().ok_or_else(|| DeviceError::Start(error.to_string())),
    }
}

/// Dispatches gathered into one submit: enough to hide its cost, few enough to keep a submit short on weak adapters
/// (Windows resets an adapter after about two seconds).
const TASKS: usize = 32;

/// What burn or our kernels need and the adapter has not.
fn missing(adapter: &wgpu::Adapter) -> Option<String> {
    let limits = adapter.limits();
    if !adapter.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
        return Some("timestamp queries, which burn asks for at its start".into());
    }
    let needs = [
        ("units in a workgroup", u64::from(limits.max_compute_invocations_per_workgroup), 256),
        ("bytes of workgroup memory", u64::from(limits.max_compute_workgroup_storage_size), 16_384),
        ("bytes in a storage buffer", limits.max_storage_buffer_binding_size, 128 << 20),
    ];
    let short = needs.into_iter().find(|(_, has, needed)| has < needed);
    short.map(|(what, has, needed)| format!("{what}: it has {has}, and {needed} are needed"))
}

fn adapter_name(info: &wgpu::AdapterInfo) -> String {
    let parts = [&info.name, &info.driver, &info.driver_info].into_iter().filter(|part| !part.is_empty());
    let name = parts.cloned().collect::<Vec<_>>().join(", ");
    if name.is_empty() { format!("{:?}", info.device_type) } else { name }
}

/// The CPU device: one thread, SIMD.
pub fn cpu() -> Device {
    #[cfg(target_arch = "wasm32")]
    relaxed::use_where_possible();
    Device::flex()
}

/// WebGPU, self-tested.
///
/// # Errors
/// When WebGPU cannot be had, or computes wrongly.
pub async fn acquire_webgpu() -> Result<Acquired, DeviceError> {
    let (device, name) = probed().await?;
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
