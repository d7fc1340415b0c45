//! Tests of `vit`.
#[cfg(not(target_arch = "wasm32"))]
mod memory;
pub mod reference;
pub mod zoo;

use burn::tensor::{Device, Tensor, TensorData};
use heirloom_nn::device::read;
use heirloom_nn::vit::{
    Activation, AttentionPoolConfig, FinalNorm, Hooks, Pool, RandomWeights, Rope, RopeGrid, Vit, VitConfig, VitOptions,
};

use crate::support::assert_close;

/// A small model with odd sizes: 10 tokens, 3 heads of 5, width 12.
pub fn small() -> VitConfig {
    VitConfig {
        image_size: 12,
        patch_size: 4,
        channels: 3,
        embed_dim: 12,
        depth: 2,
        num_heads: 3,
        head_dim: 5,
        mlp_dim: 28,
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
        classes: Some(7),
    }
}

/// A gate, and a norm before the first layer.
pub fn gated() -> VitOptions {
    VitOptions { activation: Activation::Silu, gated: true, pre_norm: true, patch_bias: false, ..Default::default() }
}

/// Biases of relative places instead of positions, and norms inside the branches.
pub fn biased() -> VitOptions {
    VitOptions { pos_embed: false, relative_bias: true, attn_norm: true, mlp_norm: true, ..Default::default() }
}

/// Queries and keys turned by their places, neighbours in pairs; heads are of a multiple of 4 channels.
pub fn turned() -> VitOptions {
    let grid = RopeGrid::Index { reference: Some(5), offset: 1.0 };
    let rope = Rope { grid, temperature: 100.0, columns_first: true, halves: false };
    VitOptions { rope: Some(rope), gated: true, mlp_norm: true, activation: Activation::Silu, ..Default::default() }
}

/// The same as in DINOv3.
pub fn centred() -> VitOptions {
    let rope = Rope { grid: RopeGrid::Centred, temperature: 100.0, columns_first: false, halves: true };
    VitOptions { rope: Some(rope), pos_embed: false, ..Default::default() }
}

/// Queries and keys turned by frequencies that every head learns, besides positions.
pub fn mixed() -> VitOptions {
    let rope = Rope { grid: RopeGrid::Learned, temperature: 10.0, columns_first: true, halves: false };
    VitOptions { rope: Some(rope), ..Default::default() }
}

/// RMS norms, one of them behind the patches, and few biases (AIMv2).
pub fn rms() -> VitOptions {
    VitOptions { rms_norm: true, patch_norm: true, proj_bias: false, ..Default::default() }
}

/// DINOv3 with RMS norms and no layer scale in the feed-forward branch (Sapiens2).
pub fn centred_rms() -> VitOptions {
    VitOptions { rms_norm: true, attn_only_layer_scale: true, ..centred() }
}

/// A learned query pools the tokens.
pub fn asked() -> VitOptions {
    VitOptions { attn_pool: Some(AttentionPoolConfig { heads: 2, mlp_dim: 20 }), ..Default::default() }
}

/// No norm at the end.
pub fn bare() -> VitOptions {
    VitOptions { activation: Activation::GeluTanh, final_norm: FinalNorm::None, ..Default::default() }
}

on_every_engine! {
    async fn state_has_the_keys_and_shapes_of_the_configuration_and_loads_back(device: Device) {
        for config in [
            small(),
            VitConfig { qkv_bias: false, layer_scale: true, register_tokens: 2, ..small() },
            VitConfig { distilled: true, qk_norm: true, ..small() },
            VitConfig { pool: Pool::Avg, pos_embed_prefix: false, classes: None, ..small() },
            VitConfig { options: gated(), ..small() },
            VitConfig { pool: Pool::Avg, options: bare(), ..small() },
            VitConfig { pos_embed_prefix: false, options: biased(), ..small() },
            VitConfig { head_dim: 8, options: turned(), ..small() },
            VitConfig { head_dim: 8, options: mixed(), ..small() },
            VitConfig { qk_norm: true, options: rms(), ..small() },
            VitConfig { head_dim: 4, layer_scale: true, pos_embed_prefix: false, options: centred_rms(), ..small() },
            VitConfig { pool: Pool::Map, options: asked(), ..small() },
            VitConfig { pool: Pool::ClsAvg, ..small() },
            VitConfig { distilled: true, options: VitOptions { dist_head: false, ..Default::default() }, ..small() },
            VitConfig { head_dim: 4, register_tokens: 2, pos_embed_prefix: false, options: centred(), ..small() },
        ] {
            let Ok(model) = Vit::load(&config, &mut RandomWeights { seed: 3 }, &device).await;
            let state = model.state().await.unwrap();
            let mut found: Vec<_> = state.iter().map(|(key, tensor)| (key.clone(), tensor.shape.clone())).collect();
            let mut expected = config.tensors();
            found.sort();
            expected.sort();
            assert_eq!(found, expected);
            let images = Tensor::<4>::ones([2, 3, 12, 12], &device);
            let logits = model.logits(images.clone(), &mut Hooks::default());
            let mut weights: std::collections::BTreeMap<_, _> = state.into_iter().collect();
            let again = Vit::load(&config, &mut weights, &device).await.unwrap();
            let again = again.logits(images, &mut Hooks::default());
            let difference = (logits - again).abs().max().into_scalar_async::<f32>().await.unwrap();
            assert_eq!(difference, 0.0);
        }
    }

    async fn rolled_out_attention_of_one_layer_is_half_its_mean_and_half_itself(device: Device) {
        for config in [
            VitConfig { depth: 1, ..small() },
            VitConfig { depth: 1, pool: Pool::Avg, ..small() },
            VitConfig { depth: 1, pos_embed_prefix: false, options: biased(), ..small() },
        ] {
            let Ok(model) = Vit::load(&config, &mut RandomWeights { seed: 3 }, &device).await;
            let pixels = (0..3 * 144).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
            let images = Tensor::<4>::from_data(TensorData::new(pixels, [1, 3, 12, 12]), &device);
            let attention = read(model.attention(images.clone(), 0)).await.unwrap();
            for row in attention.chunks(10) {
                assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            }
            let rolled = read(model.rollout(images.clone())).await.unwrap();
            let expected: Vec<f32> = (0..100)
                .map(|at| {
                    let mean = (0..3).map(|head| attention[head * 100 + at]).sum::<f32>() / 3.0;
                    (mean + if at / 10 == at % 10 { 1.0 } else { 0.0 }) / 2.0
                })
                .collect();
            assert_close(&rolled, &expected, 1e-5);
            let seen = read(model.seen(model.attention(images, 0))).await.unwrap();
            let row = |head: usize, query: usize| &attention[head * 100 + query * 10 + 1..][..9];
            let expected: Vec<f32> = match config.pool {
                Pool::Cls => (0..3).flat_map(|head| row(head, 0).to_vec()).collect(),
                _ => (0..3)
                    .flat_map(|head| (0..9).map(move |to| (1..10).map(|from| row(head, from)[to]).sum::<f32>() / 9.0))
                    .collect(),
            };
            assert_close(&seen, &expected, 1e-6);
        }
    }
}
