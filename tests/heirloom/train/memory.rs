//! Memory stays flat while training (leaks were reported for long runs), and the weights are never held twice.

use super::models::{plain_settings, tiny, tiny_batch};
use burn::tensor::Device;
use heirloom_nn::vit::Vit;
use heirloom_train::{AdamWSettings, Run, RunSettings};

/// Takes the given steps.
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

#[cfg(not(target_arch = "wasm32"))]
mod cpu {
    use super::*;
    use crate::support::heap::{held, peak};
    use burn::backend::Flex;
    use burn::tensor::Tensor;
    use heirloom_nn::device::cpu;
    use heirloom_nn::kernels::adamw::{AdamwNumbers, Adapted, adamw, adamw_reference};

    #[test]
    fn memory_stays_flat_over_a_thousand_steps() {
        pollster::block_on(async {
            let device = cpu();
            let mut run = run(&device).await;
            train(&mut run, 0..200, &device).await;
            let before = held();
            train(&mut run, 200..1200, &device).await;
            let grown = held() - before;
            // One leaked number a step would be 4,000 bytes.
            assert!(grown < 2000, "{grown} bytes more after 1,000 steps");
        });
    }

    #[test]
    fn an_update_happens_in_place_where_composed_operations_need_several_copies() {
        let device = cpu();
        let ones = || Tensor::<2>::ones([256, 1024], &device);
        let zeros = || Tensor::<1>::zeros([256 * 1024], &device);
        let state = || Adapted { parameter: ones(), first: zeros(), second: zeros() };
        let numbers = AdamwNumbers::new(1e-3, 0.05, [0.9, 0.999], 1e-8, 1);
        let (before, gradient, scale) = (state(), ones(), Tensor::<1>::ones([1], &device));
        let (fused, updated) = peak(|| adamw(before, gradient, scale, numbers));
        drop(updated);
        let (before, gradient, scale) = (state(), ones(), Tensor::<1>::ones([1], &device));
        let (composed, updated) = peak(|| adamw_reference(before, gradient, scale, numbers));
        drop(updated);
        assert!(fused < 16 << 10, "{fused} bytes for tensors of 1 MiB");
        assert!(composed > 1 << 20, "{composed} bytes: the comparison means nothing any more");
    }

    #[test]
    fn a_step_changes_the_weights_where_they_lie() {
        fn place(run: &Run<Vit>) -> (*const u8, f32) {
            let weight = run.model().expect("a model").blocks[0].attn.proj.weight.val();
            let primitive = weight.try_into_primitive::<Flex>().expect("a tensor of the CPU engine");
            (primitive.bytes().as_ptr(), primitive.storage::<f32>()[0])
        }
        pollster::block_on(async {
            let device = cpu();
            let mut run = run(&device).await;
            let before = place(&run);
            train(&mut run, 0..3, &device).await;
            let after = place(&run);
            assert_ne!(before.1, after.1, "the weight was trained");
            assert_eq!(before.0, after.0, "a step copied the weights");
        });
    }
}

#[cfg(target_arch = "wasm32")]
#[wasm_bindgen_test::wasm_bindgen_test]
async fn memory_stays_flat_over_a_hundred_steps_on_webgpu() {
    let device = crate::support::device().await;
    let mut run = run(&device).await;
    // Fusion learns the shapes of a step for some fifty steps; from then on nothing may grow.
    train(&mut run, 0..60, &device).await;
    let before = device.memory_pool_usage().expect("WebGPU reports its pools");
    train(&mut run, 60..160, &device).await;
    let after = device.memory_pool_usage().expect("WebGPU reports its pools");
    assert!(after.bytes_reserved <= before.bytes_reserved, "reserved: {before:?}, then {after:?}");
    assert!(after.number_allocs <= before.number_allocs, "live: {before:?}, then {after:?}");
}
