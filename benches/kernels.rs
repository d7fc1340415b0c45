//! Times the kernels of Cluster-Learngene against the same composed of tensor operations, natively.
//!
//! `cargo bench -p heirloom-cli --bench kernels`: on the CPU engine; with `--features webgpu` and `-- webgpu` on this
//! machine's adapter.

use std::process::ExitCode;
use std::time::Instant;

use burn::tensor::{Device, Int, Tensor, TensorData};
use heirloom_nn::device::{cpu, read, uniform, webgpu};
use heirloom_nn::kernels::density::density_reference;
use heirloom_nn::kernels::expand_heads::expand_heads_reference;
use heirloom_nn::kernels::ffn_map::{MAP_ROWS, ffn_map_reference};
use heirloom_nn::kernels::{HeadWeights, density, expand_heads, ffn_map};

type Failure = Box<dyn std::error::Error>;

/// Median milliseconds of a piece of work whose result is read, so that nothing is left in a queue.
async fn milliseconds(work: impl Fn() -> Tensor<1>) -> Result<f64, Failure> {
    read(work()).await?;
    let mut times = Vec::new();
    for _ in 0..15 {
        let start = Instant::now();
        read(work()).await?;
        times.push(1e3 * start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

fn random<const D: usize>(shape: [usize; D], seed: u32, device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(uniform(shape.iter().product(), seed, 1.0), shape), device)
}

/// One number that depends on the work.
fn probe<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    tensor.flatten::<1>(0, D - 1).narrow(0, 0, 1)
}

async fn row(name: &str, fused: impl Fn() -> Tensor<1>, composed: impl Fn() -> Tensor<1>) -> Result<(), Failure> {
    let (fused, composed) = (milliseconds(fused).await?, milliseconds(composed).await?);
    println!("{name:<44} fused {fused:9.3} ms   composed {composed:9.3} ms   {:6.2} : 1", composed / fused);
    Ok(())
}

/// Shapes of DeiT-S: width 384, 6 heads of 64, feed-forward width 1536, groups of 3 layers.
async fn compare(device: &Device) -> Result<(), Failure> {
    let distance = random([12, 6], 1, device);
    let counts = |tables: heirloom_nn::kernels::Density| probe(tables.counts.float());
    row(
        "density, 12 × 6 heads",
        || counts(density(distance.clone(), 0.1)),
        || counts(density_reference(distance.clone(), 0.1)),
    )
    .await?;

    let weights = HeadWeights {
        qkv: random([384, 1152], 2, device),
        qkv_bias: Some(random([1152], 3, device)),
        proj: random([384, 384], 4, device),
    };
    let heads = Tensor::<1, Int>::from_ints([0, 2, 5, 0, 2, 5], device);
    let scales = random([6], 5, device);
    let all =
        |w: HeadWeights| probe(w.qkv) + probe(w.proj) + w.qkv_bias.map_or_else(|| Tensor::zeros([1], device), probe);
    row(
        "expand_heads, one layer of DeiT-S",
        || all(expand_heads(weights.clone(), heads.clone(), scales.clone(), 64)),
        || all(expand_heads_reference(weights.clone(), heads.clone(), scales.clone(), 64)),
    )
    .await?;

    let (weight, map) = (random([384, 1536], 6, device), random([3 + MAP_ROWS, 3], 7, device));
    row(
        "ffn_map forward, 384 × 1536, 3 layers",
        || probe(ffn_map(weight.clone(), map.clone(), 1)),
        || probe(ffn_map_reference(weight.clone(), map.clone(), 1)),
    )
    .await?;

    let gradients = |apply: fn(Tensor<2>, Tensor<2>, usize) -> Tensor<2>| {
        let (w, m) = (weight.clone().autodiff().require_grad(), map.clone().autodiff().require_grad());
        let grads = apply(w.clone(), m.clone(), 1).powi_scalar(2).sum().backward();
        let zero = || Tensor::zeros([1], device);
        w.grad(&grads).map_or_else(zero, probe) + m.grad(&grads).map_or_else(zero, probe)
    };
    row("ffn_map forward and backward", || gradients(ffn_map), || gradients(ffn_map_reference)).await
}

fn main() -> ExitCode {
    let on_webgpu = std::env::args().any(|argument| argument == "webgpu");
    let work = async {
        let device = if on_webgpu { webgpu().await? } else { cpu() };
        compare(&device).await
    };
    match pollster::block_on(work) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
