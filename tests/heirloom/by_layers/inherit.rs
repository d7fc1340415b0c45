//! What a descendant of whole layers starts as.
use std::collections::BTreeMap;

use burn::tensor::Device;
use heirloom_learngene::layers::{LayersError, LayersPlan, WholeLayers};
use heirloom_learngene::{Descendant, Initializer, Scratch};
use heirloom_nn::vit::{HostTensor, Vit, VitConfig};
use heirloom_plan::resample::resample_pos_embed;

use crate::cluster::inherit::{features, pictures, small, state};
use crate::support::assert_close;

type Weights = BTreeMap<String, HostTensor>;

async fn weights(descendant: Descendant) -> Weights {
    descendant.fold().state().await.unwrap().into_iter().collect()
}

/// All tensors of a layer, by what follows its name.
fn layer<'a>(weights: &'a Weights, name: &str) -> Vec<(&'a str, &'a Vec<f32>)> {
    let of_layer = weights.iter().filter_map(|(key, tensor)| Some((key.strip_prefix(name)?, &tensor.values)));
    let of_layer: Vec<_> = of_layer.collect();
    assert!(!of_layer.is_empty(), "nothing is called `{name}`");
    of_layer
}

on_every_engine! {
    async fn chosen_layers_come_in_order_and_random_ones_lie_on_top(device: Device) {
        let config = VitConfig { layer_scale: true, qk_norm: true, ..small() };
        let ancestor = state(&config, 3);
        let vit = Vit::load(&config, &mut ancestor.clone(), &device).await.unwrap();
        let plan = LayersPlan::new(vec![2, 0], 4);
        let start = WholeLayers::new(vit.into(), plan, 7, 8).unwrap();
        let found = weights(start.start(5).await.unwrap()).await;
        let scratch = weights(Scratch { config: start.config(), device }.start(5).await.unwrap()).await;
        assert_eq!(found.keys().collect::<Vec<_>>(), scratch.keys().collect::<Vec<_>>());
        assert_eq!(layer(&found, "blocks.0."), layer(&ancestor, "blocks.0."));
        assert_eq!(layer(&found, "blocks.1."), layer(&ancestor, "blocks.2."));
        assert_eq!(layer(&found, "blocks.2."), layer(&scratch, "blocks.2."));
        assert_eq!(layer(&found, "blocks.3."), layer(&scratch, "blocks.3."));
        for part in ["norm.", "head."] {
            assert_eq!(layer(&found, part), layer(&scratch, part), "{part} follows a random layer");
        }
        for part in ["patch_embed.", "cls_token"] {
            assert_eq!(layer(&found, part), layer(&ancestor, part), "{part} is the ancestor's");
        }
        let positions = resample_pos_embed(&ancestor["pos_embed"].values, 1, (4, 4), (2, 2), 64);
        assert_close(&found["pos_embed"].values, &positions, 0.0);
    }

    async fn the_whole_ancestor_computes_what_it_computed(device: Device) {
        let config = small();
        let ancestor = Vit::load(&config, &mut state(&config, 1), &device).await.unwrap();
        let expected = features(&ancestor, pictures(2, 16, &device)).await;
        let start = WholeLayers::new(ancestor.into(), LayersPlan::whole(3), 4, 16).unwrap();
        let descendant = start.start(1).await.unwrap().fold();
        assert_close(&features(descendant.vit().unwrap(), pictures(2, 16, &device)).await, &expected, 1e-6);
    }

    async fn a_plan_that_does_not_fit_is_refused_with_a_sentence(device: Device) {
        let ancestor = Vit::load(&small(), &mut state(&small(), 1), &device).await.unwrap();
        let refused = |chosen: &[usize], layers, classes, size| {
            let plan = LayersPlan { chosen: chosen.to_vec(), layers };
            WholeLayers::new(ancestor.clone().into(), plan, classes, size).err().map(|error| error.to_string())
        };
        assert_eq!(refused(&[0, 2], 3, 2, 8), None);
        assert_eq!(refused(&[], 1, 2, 8), None, "no inherited layer leaves the stem");
        let cases = [
            (refused(&[0, 3], 3, 2, 8), LayersError::NoLayer { layer: 4, available: 3 }),
            (refused(&[1, 0], 3, 2, 8), LayersError::Order { layer: 1, before: 2 }),
            (refused(&[1, 1], 3, 2, 8), LayersError::Order { layer: 2, before: 2 }),
            (refused(&[0, 1], 1, 2, 8), LayersError::TooShallow { layers: 1, chosen: 2 }),
            (refused(&[0], 1, 0, 8), LayersError::Zero { name: "classes" }),
            (refused(&[], 0, 2, 8), LayersError::Zero { name: "layers" }),
            (refused(&[0], 1, 2, 6), LayersError::ImageSize { image_size: 6, patch_size: 4 }),
        ];
        for (found, expected) in cases {
            assert_eq!(found, Some(expected.to_string()));
        }
    }
}

#[test]
fn arms_name_first_last_random_and_all_layers() {
    assert_eq!(LayersPlan::first(3, 6).chosen, [0, 1, 2]);
    assert_eq!(LayersPlan::last(3, 6, 12).chosen, [9, 10, 11]);
    assert_eq!(LayersPlan::ends(6, 6, 12).chosen, [0, 1, 8, 9, 10, 11], "the first sixth and the last third");
    assert_eq!(LayersPlan::ends(1, 6, 12).chosen, [0]);
    assert_eq!(LayersPlan::ends(9, 9, 4).chosen, [0, 1, 2, 3]);
    assert_eq!(LayersPlan::whole(4), LayersPlan { chosen: vec![0, 1, 2, 3], layers: 4 });
    let random = |seed| LayersPlan::random(3, 6, 12, seed);
    assert_eq!(random(1), random(1));
    assert!((2..9).any(|seed| random(seed) != random(1)), "another seed may give other layers");
    let mut seen = [false; 12];
    for seed in 0..200 {
        let plan = random(seed);
        assert_eq!((plan.chosen.len(), plan.check(12)), (3, Ok(())));
        plan.chosen.iter().for_each(|&layer| seen[layer] = true);
    }
    assert_eq!(seen, [true; 12], "every layer has its chance");
}
