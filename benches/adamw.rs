//! One AdamW update of all tensors of a model: fused, composed of tensor operations, and burn's own.
//!
//! `cargo bench -p heirloom-cli --bench adamw`: on the CPU engine; with `--features webgpu` and `HEIRLOOM_ENGINE=webgpu`
//! on this machine's adapter.

use burn::optim::{AdamWConfig, Optimizer};
use burn::tensor::{Device, Tensor};
use heirloom_nn::device::{cpu, read, webgpu};
use heirloom_nn::kernels::adamw::{AdamwNumbers, Adapted, adamw, adamw_reference};
use std::time::Instant;

/// Elements of the tensors of the peer benchmark's W1 (6 layers, width 192; 2.7 million parameters).
fn sizes() -> Vec<usize> {
    let width = 192;
    let layer = [width, width, 3 * width * width, 3 * width, width * width, width, width, width];
    let mlp = [4 * width * width, 4 * width, 4 * width * width, width];
    let mut all = vec![48 * width, width, width, 65 * width, width, width, 10 * width, 10];
    for _ in 0..6 {
        all.extend(layer.iter().chain(&mlp));
    }
    all
}

fn numbers(time: u64) -> AdamwNumbers {
    AdamwNumbers::new(1e-3, 0.05, [0.9, 0.999], 1e-8, time)
}

type Update = fn(Adapted<1>, Tensor<1>, Tensor<1>, AdamwNumbers) -> Adapted<1>;

/// Median milliseconds of one update of all tensors, waiting for the device.
async fn ours(update: Update, gradients: &[Tensor<1>], device: &Device) -> f64 {
    let zeros = |gradient: &Tensor<1>| Tensor::<1>::zeros(gradient.dims(), device);
    let state = |gradient| Adapted { parameter: zeros(gradient), first: zeros(gradient), second: zeros(gradient) };
    let mut states: Vec<_> = gradients.iter().map(state).collect();
    let scale = Tensor::<1>::ones([1], device);
    let mut times = Vec::new();
    for time in 1..=REPS {
        let start = Instant::now();
        let pairs = states.into_iter().zip(gradients);
        states = pairs.map(|(state, gradient)| update(state, gradient.clone(), scale.clone(), numbers(time))).collect();
        wait(&states[states.len() - 1].parameter).await;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    median(times)
}

async fn burns(gradients: &[Tensor<1>], device: &Device) -> f64 {
    let optimiser = AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(0.05).build();
    let mut states: Vec<_> = gradients.iter().map(|g| (Tensor::<1>::zeros(g.dims(), device), None)).collect();
    let mut times = Vec::new();
    for _ in 1..=REPS {
        let start = Instant::now();
        let pairs = states.into_iter().zip(gradients);
        states = pairs.map(|((p, state), gradient)| optimiser.step(1e-3, p, gradient.clone(), state)).collect();
        wait(&states[states.len() - 1].0).await;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    median(times)
}

const REPS: u64 = 21;

async fn wait(tensor: &Tensor<1>) {
    read(tensor.clone().narrow(0, 0, 1)).await.expect("the device answers");
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    pollster::block_on(async {
        let is_webgpu = std::env::var("HEIRLOOM_ENGINE").is_ok_and(|engine| engine == "webgpu");
        let device = if is_webgpu { webgpu().await.expect("a WebGPU adapter") } else { cpu() };
        let gradient = |&size: &usize| Tensor::<1>::ones([size], &device).mul_scalar(0.01);
        let gradients: Vec<_> = sizes().iter().map(gradient).collect();
        println!("fused    {:8.2} ms", ours(adamw, &gradients, &device).await);
        println!("composed {:8.2} ms", ours(adamw_reference, &gradients, &device).await);
        println!("burn's   {:8.2} ms", burns(&gradients, &device).await);
    });
}
