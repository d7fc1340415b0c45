//! The start whose heads look differently far.

use heirloom_nn::device::{cpu, read, uniform};
use heirloom_nn::vit::{RandomWeights, SpreadHeads, Vit, VitConfig};

use super::heads;
use crate::train::models::w0_config;

fn config() -> VitConfig {
    VitConfig { image_size: 64, patch_size: 8, embed_dim: 96, depth: 2, num_heads: 6, head_dim: 32, ..w0_config() }
}

fn pictures() -> Vec<Vec<f32>> {
    (0..3).map(|seed| uniform(3 * 64 * 64, seed, 1.7)).collect()
}

async fn spread(seed: u64, config: VitConfig) -> Vit {
    Vit::load(&config.clone(), &mut SpreadHeads { seed, config }, &cpu()).await.unwrap()
}

#[test]
fn heads_of_a_spread_start_look_differently_far_and_those_of_a_random_one_equally() {
    pollster::block_on(async {
        let (distance, clusters) = heads(&spread(1, config()).await, pictures()).await;
        for (layer, clusters) in distance.iter().zip(&clusters.layers) {
            assert!(clusters.len() >= 3, "{layer:?}");
            assert!(
                layer[0] < 10.0 && layer[5] > 25.0,
                "the first head looks near, the last one everywhere: {layer:?}"
            );
        }
        let random = Vit::load(&config(), &mut RandomWeights { seed: 1 }, &cpu()).await.unwrap();
        let (distance, clusters) = heads(&random, pictures()).await;
        assert!(clusters.layers.iter().all(|layer| layer.len() == 1), "{distance:?}");
    });
}

#[test]
fn a_spread_start_depends_on_its_seed_alone() {
    pollster::block_on(async {
        let state = |seed| async move { spread(seed, config()).await.state().await.unwrap() };
        let (one, again, other) = (state(1).await, state(1).await, state(2).await);
        assert_eq!(one, again);
        let key = "blocks.0.attn.qkv.weight";
        assert!(one.iter().zip(&other).any(|(a, b)| a.0 == key && a != b));
    });
}

#[test]
fn a_spread_starts_patches_are_neither_lost_in_the_positions_nor_drown_them() {
    pollster::block_on(async {
        let config = VitConfig { cls_token: false, pos_embed_prefix: false, ..config() };
        let vit = spread(1, config).await;
        // Pictures of the world are smooth: one of slow waves.
        let pixels: Vec<f32> =
            (0..3 * 64 * 64).map(|at| ((at % 64) as f32 / 9.0).sin() + (at / 64 % 64) as f32 / 40.0 - 0.8).collect();
        let images = burn::tensor::TensorData::new(pixels, [1, 3, 64, 64]);
        let patches = read(vit.patch_embed.forward(burn::tensor::Tensor::from_data(images, &cpu()))).await.unwrap();
        let deviation = (patches.iter().map(|value| value * value).sum::<f32>() / patches.len() as f32).sqrt();
        // So smooth a picture holds little of what patches are filtered for; the positions are of the order of 1.
        assert!((0.05..2.0).contains(&deviation), "{deviation}");
    });
}
