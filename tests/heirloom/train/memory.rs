//! Memory stays flat while training (leaks were reported for long runs).

use super::models::{plain_settings, tiny, tiny_batch};
use burn::tensor::Device;
use heirloom::train::{AdamWSettings, Run, RunSettings};
use heirloom::vit::Vit;

/// Takes steps `from..to`.
async fn train(run: &mut Run<Vit>, steps: std::ops::Range<usize>, device: &Device) {
    for step in steps {
        let (images, labels) = tiny_batch(step % 7, device);
        run.step(images, labels).await.expect("a step");
    }
}

async fn run(device: &Device) -> Run<Vit> {
    let adamw = AdamWSettings::default();
    Run::new(tiny(1, device).await, RunSettings { adamw, drop_path: 0.2, ..plain_settings(1e-3) })
}

/// Resident memory of this process, bytes.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux tells");
    statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("a number of pages") * 4096
}

/// Runs itself in a process of its own, where no other test allocates.
#[cfg(target_os = "linux")]
#[test]
fn memory_stays_flat_over_a_thousand_steps_on_the_cpu_engine() {
    const NAME: &str = "train::memory::memory_stays_flat_over_a_thousand_steps_on_the_cpu_engine";
    if std::env::var_os("HEIRLOOM_MEMORY_TEST").is_none() {
        let program = std::env::current_exe().expect("this test program");
        let child =
            std::process::Command::new(program).args(["--exact", NAME]).env("HEIRLOOM_MEMORY_TEST", "1").output();
        let output = child.expect("it starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    pollster::block_on(async {
        let device = crate::support::device().await;
        let mut run = run(&device).await;
        train(&mut run, 0..200, &device).await;
        let before = resident();
        train(&mut run, 200..1200, &device).await;
        let grown = resident().saturating_sub(before);
        // One leaked set of gradients a step would be 2 MB, one leaked batch 768 kB.
        assert!(grown < 512 << 10, "{grown} bytes more after 1,000 steps");
    });
}

#[cfg(target_arch = "wasm32")]
#[wasm_bindgen_test::wasm_bindgen_test]
async fn memory_stays_flat_over_a_hundred_steps_on_webgpu() {
    let device = crate::support::device().await;
    let mut run = run(&device).await;
    train(&mut run, 0..10, &device).await;
    let before = device.memory_pool_usage().expect("WebGPU reports its pools");
    train(&mut run, 10..110, &device).await;
    let after = device.memory_pool_usage().expect("WebGPU reports its pools");
    assert!(after.bytes_reserved <= before.bytes_reserved, "reserved: {before:?}, then {after:?}");
    assert!(after.number_allocs <= before.number_allocs + 8, "live: {before:?}, then {after:?}");
}
