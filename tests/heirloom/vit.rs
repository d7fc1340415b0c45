//! Tests of `vit`.
#[cfg(not(target_arch = "wasm32"))]
mod memory;
mod reference;

use burn::tensor::{Device, Tensor};
use heirloom::vit::{Hooks, Pool, RandomWeights, Vit, VitConfig};

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
        norm_eps: 1e-6,
        classes: Some(7),
    }
}

on_every_engine! {
    async fn state_has_the_keys_and_shapes_of_the_configuration_and_loads_back(device: Device) {
        for config in [
            small(),
            VitConfig { qkv_bias: false, layer_scale: true, register_tokens: 2, ..small() },
            VitConfig { distilled: true, qk_norm: true, ..small() },
            VitConfig { pool: Pool::Avg, pos_embed_prefix: false, classes: None, ..small() },
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
}
