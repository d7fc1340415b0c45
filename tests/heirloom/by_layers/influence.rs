//! Block influence.
use burn::tensor::Device;
use heirloom_learngene::layers::Influence;
use heirloom_nn::vit::{Vit, VitConfig};

use crate::cluster::inherit::state;
use crate::train::models::{tiny_batch, tiny_config};

on_every_engine! {
    async fn a_layer_that_adds_nothing_has_no_influence_and_one_that_turns_tokens_round_has_all(device: Device) {
        let config = VitConfig { depth: 3, ..tiny_config() };
        let mut tensors = state(&config, 4);
        // Layer 1 adds nothing at all.
        for key in ["attn.proj", "mlp.fc2"] {
            for part in ["weight", "bias"] {
                tensors.get_mut(&format!("blocks.1.{key}.{part}")).unwrap().values.fill(0.0);
            }
        }
        let vit = Vit::load(&config, &mut tensors, &device).await.unwrap();
        let mut influence = Influence::default();
        for batch in 0..2 {
            influence.add(&vit, tiny_batch(batch, &device).0).await.unwrap();
        }
        let found: Vec<f64> = influence.similarity().into_iter().map(|row| row[0]).collect();
        assert_eq!((found.len(), influence.batches()), (3, 2));
        assert!(found[1].abs() < 1e-6, "{found:?}");
        assert!(found[0] > 0.01 && found[2] > 0.01 && found.iter().all(|&one| one <= 2.0), "{found:?}");
    }
}
