//! The workloads of the peer benchmark (`benches/peers/README.md`): the same weights, pictures and steps as every
//! other engine, so that the first losses and logits must agree.

mod picture;
mod weights;

use burn::tensor::{Device, Int, Tensor, TensorData};
use serde_json::{Value, json};

use heirloom_learngene::cluster::measure;
use heirloom_nn::device::{prefer_plain, read, uniform};
use heirloom_nn::kernels::{PatchGeometry, attention_distance, attention_distance_composed};
use heirloom_nn::vit::{Hooks, Pool, Vit, VitConfig};
use heirloom_platform::clock::{now_ms, yield_now};
use heirloom_train::{AdamWSettings, Decay, Run, RunSettings, Schedule};

use weights::BenchWeights;

/// Seed of the pictures, and their largest value.
const IMAGES: (u32, f32) = (9001, 1.7);

struct Workload {
    config: VitConfig,
    batch: usize,
}

fn workload(size: [usize; 4], [heads, depth, batch, classes]: [usize; 4]) -> Workload {
    let [image_size, patch_size, embed_dim, head_dim] = size;
    let config = VitConfig {
        image_size,
        patch_size,
        channels: 3,
        embed_dim,
        depth,
        num_heads: heads,
        head_dim,
        mlp_dim: 4 * embed_dim,
        qkv_bias: true,
        qk_norm: false,
        layer_scale: false,
        cls_token: true,
        distilled: false,
        register_tokens: 0,
        pos_embed_prefix: true,
        pool: Pool::Cls,
        options: Default::default(),
        norm_eps: 1e-6,
        classes: Some(classes),
    };
    Workload { config, batch }
}

struct Timing {
    warm: usize,
    reps: usize,
    budget: f64,
}

/// Runs one workload and returns what the peers' harness expects, as JSON.
///
/// # Errors
/// A sentence when the workload is unknown or the device fails.
pub async fn bench(device: &Device, work: &str, warm: usize, reps: usize, budget: f64) -> Result<String, String> {
    let timing = Timing { warm, reps, budget };
    // `W1-plain` is W1 without relaxed SIMD, also where the browser has that.
    let plain = work.strip_suffix("-plain");
    prefer_plain(plain.is_some());
    let result = run(device, plain.unwrap_or(work), &timing).await;
    prefer_plain(false);
    result.map(|result| result.to_string())
}

async fn run(device: &Device, work: &str, timing: &Timing) -> Result<Value, String> {
    match work {
        "MM" => matmul(device, timing).await,
        "W0" => train(device, workload([16, 4, 64, 32], [2, 2, 4, 10]), timing, None).await,
        "W0-clip" => train(device, workload([16, 4, 64, 32], [2, 2, 4, 10]), timing, Some(1.0)).await,
        "W1" => train(device, workload([32, 4, 192, 64], [3, 6, 16, 10]), timing, None).await,
        "W2" => forward(device, workload([224, 16, 384, 64], [6, 12, 1, 1000]), timing, false).await,
        "W3" => forward(device, workload([224, 16, 384, 64], [6, 12, 1, 1000]), timing, true).await,
        // A descendant of a ViT-S: as wide as its ancestor, with fewer heads and layers.
        "W4" => train(device, workload([112, 16, 384, 64], [4, 6, 16, 10]), timing, None).await,
        "RS" => picture::resize(timing).await,
        "AD" => distance(device, timing, true).await,
        "AD-composed" => distance(device, timing, false).await,
        other => Err(format!("`{other}` is no workload; MM, W0 to W4, W0-clip, RS, AD and AD-composed are")),
    }
}

/// Untimed runs, then timed ones until the count or the budget is reached.
async fn time<T>(timing: &Timing, mut run: impl AsyncFnMut() -> Result<T, String>) -> Result<(Value, T), String> {
    let started = now_ms();
    let (mut warm, mut timed) = (Vec::new(), Vec::new());
    loop {
        let from = now_ms();
        let value = run().await?;
        let took = now_ms() - from;
        if warm.len() < timing.warm {
            warm.push(took)
        } else {
            timed.push(took)
        }
        let is_over = now_ms() - started > timing.budget && !timed.is_empty();
        if timed.len() >= timing.reps.max(1) || is_over {
            let first = warm.first().or(timed.first()).copied();
            return Ok((statistics(&timed, first, &warm), value));
        }
        yield_now().await;
    }
}

fn statistics(timed: &[f64], first: Option<f64>, warm: &[f64]) -> Value {
    let mut sorted = timed.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let median = if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 };
    let (min, max) = (sorted.first(), sorted.last());
    json!({ "median": median, "min": min, "max": max, "n": timed.len(), "firstCall": first, "warm": warm, "ms": timed })
}

/// What the peers compare results by.
fn fingerprint(values: &[f32]) -> Value {
    let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64;
    let largest = values.iter().fold(0.0_f32, |top, value| top.max(value.abs()));
    json!({ "n": values.len(), "first": &values[..values.len().min(3)], "mean": mean, "absmax": largest })
}

async fn matmul(device: &Device, timing: &Timing) -> Result<Value, String> {
    let square = |seed| Tensor::<2>::from_data(TensorData::new(uniform(512 * 512, seed, 1.0), [512, 512]), device);
    let (a, b) = (square(1), square(2));
    let (mut result, value) =
        time(timing, async || read(a.clone().matmul(b.clone())).await.map_err(|error| error.to_string())).await?;
    result["fingerprint"] = fingerprint(&value);
    Ok(result)
}

/// Attention distance of one ViT-S layer at 224 px, by the fused kernel or composed of tensor operations.
async fn distance(device: &Device, timing: &Timing, is_fused: bool) -> Result<Value, String> {
    const SHAPE: [usize; 4] = [1, 6, 197, 64];
    let heads =
        |seed| Tensor::<4>::from_data(TensorData::new(uniform(SHAPE.iter().product(), seed, 1.0), SHAPE), device);
    let geometry = PatchGeometry { grid: 14, patch_size: 16, prefix_tokens: 1, renormalise: false };
    let (query, key) = (heads(1), heads(2));
    let run = async || {
        let (query, key) = (query.clone(), key.clone());
        let found = match is_fused {
            true => attention_distance(query, key, geometry),
            false => attention_distance_composed(query, key, geometry),
        };
        read(found.distance).await.map_err(|error| error.to_string())
    };
    let (mut result, value) = time(timing, run).await?;
    result["fingerprint"] = fingerprint(&value);
    result["reserved"] = json!(device.memory_pool_usage().map(|usage| usage.bytes_reserved));
    Ok(result)
}

async fn model(device: &Device, config: &VitConfig) -> Vit {
    let Ok(model) = Vit::load(config, &mut BenchWeights::new(config.depth), device).await;
    model
}

async fn train(
    device: &Device,
    Workload { config, batch }: Workload,
    timing: &Timing,
    clip_norm: Option<f64>,
) -> Result<Value, String> {
    let device = device.clone().autodiff();
    let classes = config.classes.unwrap_or(1);
    let settings = RunSettings {
        schedule: Schedule::constant(1e-3),
        adamw: AdamWSettings { betas: [0.9, 0.999], epsilon: 1e-8, weight_decay: 0.05, decay: Decay::Every, clip_norm },
        label_smoothing: 0.0,
        drop_path: 0.0,
        freeze_steps: 0,
        lr_scales: Vec::new(),
        fresh_lr: None,
        seed: 0,
    };
    let mut run = Run::new(model(&device, &config).await, settings);
    let size = config.image_size;
    let pixels = TensorData::new(uniform(batch * 3 * size * size, IMAGES.0, IMAGES.1), [batch, 3, size, size]);
    let labels: Vec<i32> = (0..batch).map(|i| (i % classes) as i32).collect();
    let (images, labels) = (Tensor::<4>::from_data(pixels, &device), Tensor::<1, Int>::from_data(&labels[..], &device));
    let mut losses = Vec::new();
    let step = async || {
        let stepped = run.step(images.clone(), labels.clone()).await.map_err(|error| error.to_string())?;
        losses.push(stepped.loss);
        Ok(())
    };
    let (mut result, ()) = time(timing, step).await?;
    result["losses"] = json!(losses);
    Ok(result)
}

async fn forward(
    device: &Device,
    Workload { config, .. }: Workload,
    timing: &Timing,
    distance: bool,
) -> Result<Value, String> {
    let model = model(device, &config).await;
    let size = config.image_size;
    let pixels = uniform(3 * size * size, IMAGES.0, IMAGES.1);
    if distance {
        let run = async || measure(&model, pixels.clone(), false).await.map_err(|error| error.to_string());
        let (mut result, measured) = time(timing, run).await?;
        result["mad"] = fingerprint(&measured.distance.concat());
        result["logits"] = fingerprint(&measured.output);
        return Ok(result);
    }
    let run = async || {
        let images = Tensor::<4>::from_data(TensorData::new(pixels.clone(), [1, 3, size, size]), device);
        read(model.logits(images, &mut Hooks::default())).await.map_err(|error| error.to_string())
    };
    let (mut result, logits) = time(timing, run).await?;
    result["logits"] = fingerprint(&logits);
    Ok(result)
}
