//! Acquiring the device that everything lies on.

use crate::workspace::Workspace;
use heirloom_nn::device::{Acquired, DeviceError, acquire_cpu, acquire_webgpu};
use heirloom_plan::protocol::{Engine as EngineKind, EngineReport, Event, sentence};

/// Acquires a device; `None` takes the best there is.
pub async fn start(workspace: &mut Workspace, engine: Option<EngineKind>) -> Result<Event, DeviceError> {
    let (acquired, fallback) = acquire(engine).await?;
    let report = EngineReport {
        engine: if acquired.is_webgpu { EngineKind::WebGpu } else { EngineKind::Cpu },
        name: acquired.name.clone(),
        fallback,
        self_test: acquired.self_test.clone(),
    };
    workspace.acquired = Some(acquired);
    Ok(Event::Engine(report))
}

/// The device to work on, and why it is not WebGPU when it might have been.
async fn acquire(engine: Option<EngineKind>) -> Result<(Acquired, Option<String>), DeviceError> {
    match engine {
        Some(EngineKind::Cpu) => Ok((acquire_cpu().await?, None)),
        Some(EngineKind::WebGpu) => Ok((acquire_webgpu().await?, None)),
        None => match acquire_webgpu().await {
            Ok(acquired) => Ok((acquired, None)),
            Err(reason) => Ok((acquire_cpu().await?, Some(sentence(reason)))),
        },
    }
}
