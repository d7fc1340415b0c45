//! Starting WebGPU: the adapter is probed before burn sees it, because burn panics where something is missing.

use std::sync::Mutex;

use burn::tensor::Device;

use heirloom_platform::constructors::run_once;

use super::DeviceError;

/// The device once it is started, and its name: burn starts one per program, and a second start is an error.
static STARTED: Mutex<Option<(Device, String)>> = Mutex::new(None);

fn started() -> Option<(Device, String)> {
    STARTED.lock().ok()?.clone()
}

/// Probes the adapter, then lets burn start on it; the device and the adapter's name.
pub(super) async fn start() -> Result<(Device, String), DeviceError> {
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
    remove_idle_fusers();
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

/// Bytes of workgroup memory that burn's matmul takes where subgroups are 32 wide: 16 KiB for the tiles its 256 units
/// write, 4 KiB for a tile of each factor. WebGPU promises 16,384 bytes, which do for our own kernels; there burn would
/// shrink the factors' tiles, find that none fits, and panic.
const WORKGROUP_MEMORY: u64 = 24_576;

/// burn's fusers that only cost where kernels are written in WGSL and nothing is tuned at run time: a fused matmul is
/// planned for cooperative matrices, which WGSL has not, fails and is undone; a reduction fused with what is broadcast
/// from it always runs its fallback, and keeps the plain fuser of reductions from taking it.
const IDLE_FUSERS: [&str; 2] = ["Matmul", "ReduceBroadcasted"];

fn remove_idle_fusers() {
    for fuser in IDLE_FUSERS {
        // It comes too late only where burn runs already; that is slower, not wrong.
        burn_cubecl::fusion::remove(fuser).ok();
    }
}

/// What burn or our kernels need and the adapter has not.
fn missing(adapter: &wgpu::Adapter) -> Option<String> {
    let limits = adapter.limits();
    if !adapter.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
        return Some("timestamp queries, which burn asks for at its start".into());
    }
    let needs = [
        ("units in a workgroup", u64::from(limits.max_compute_invocations_per_workgroup), 256),
        ("bytes of workgroup memory", u64::from(limits.max_compute_workgroup_storage_size), WORKGROUP_MEMORY),
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

#[cfg(test)]
mod tests {
    use super::IDLE_FUSERS;

    #[test]
    fn burn_still_has_the_fusers_that_are_removed_by_name() {
        let all = burn_cubecl::fusion::BUILTIN_NAMES;
        assert!(IDLE_FUSERS.iter().all(|name| all.contains(name)), "burn's fusers are {all:?}");
    }
}
