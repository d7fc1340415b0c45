//! The other start values a race compares: weight selection and layers on a line.
use std::collections::BTreeMap;

use burn::tensor::Device;
use heirloom_learngene::cluster::ExpandError;
use heirloom_learngene::{Descendant, Initializer, LayersOnALine, Scratch, WeightSelection, evenly, line_weights};
use heirloom_nn::vit::{HostTensor, Vit, VitConfig};

use crate::cluster::inherit::{features, pictures, small, state};
use crate::support::assert_close;

type Weights = BTreeMap<String, HostTensor>;

async fn weights(descendant: Descendant) -> Weights {
    descendant.fold().state().await.unwrap().into_iter().collect()
}

/// The entries of a `[rows, columns]` tensor at these rows and columns.
fn at(tensor: &HostTensor, rows: &[usize], columns: &[usize]) -> Vec<f32> {
    let width = tensor.values.len() / tensor.shape[0];
    rows.iter().flat_map(|row| columns.iter().map(move |column| tensor.values[row * width + column])).collect()
}

on_every_engine! {
    async fn weight_selection_takes_the_first_layers_with_evenly_spaced_heads(device: Device) {
        let config = VitConfig { layer_scale: true, qk_norm: true, ..small() };
        let ancestor = state(&config, 3);
        let vit = Vit::load(&config, &mut ancestor.clone(), &device).await.unwrap();
        let wanted = VitConfig { num_heads: 2, depth: 2, classes: Some(7), image_size: 8, ..config.clone() };
        let start = WeightSelection::new(vit, wanted.clone()).unwrap();
        let found = weights(start.start(5).await.unwrap()).await;
        let mut shapes: Vec<_> = found.iter().map(|(key, tensor)| (key.clone(), tensor.shape.clone())).collect();
        let mut expected = wanted.tensors();
        shapes.sort();
        expected.sort();
        assert_eq!(shapes, expected);
        // Heads 0 and 2 of four, whole, each of 8 channels.
        let channels: Vec<usize> = (0..8).chain(16..24).collect();
        let rows: Vec<usize> = (0..3).flat_map(|part| channels.iter().map(move |row| part * 32 + row)).collect();
        let all: Vec<usize> = (0..64).collect();
        for layer in 0..2 {
            let key = |part: &str| format!("blocks.{layer}.{part}");
            assert_eq!(found[&key("attn.qkv.weight")].values, at(&ancestor[&key("attn.qkv.weight")], &rows, &all));
            assert_eq!(found[&key("attn.qkv.bias")].values, at(&ancestor[&key("attn.qkv.bias")], &rows, &[0]));
            assert_eq!(found[&key("attn.proj.weight")].values, at(&ancestor[&key("attn.proj.weight")], &all, &channels));
            for part in ["mlp.fc1.weight", "mlp.fc2.bias", "norm1.weight", "ls2.gamma", "attn.q_norm.bias", "attn.proj.bias"] {
                assert_eq!(found[&key(part)], ancestor[&key(part)], "{part}");
            }
        }
        let scratch = weights(Scratch { config: start.config(), device }.start(5).await.unwrap()).await;
        assert_eq!(found["head.weight"], scratch["head.weight"]);
    }

    async fn weight_selection_for_a_narrower_model_thins_every_axis_alike(device: Device) {
        let config = small();
        let ancestor = state(&config, 4);
        let vit = Vit::load(&config, &mut ancestor.clone(), &device).await.unwrap();
        let wanted =
            VitConfig { embed_dim: 32, mlp_dim: 24, head_dim: 4, num_heads: 4, depth: 1, ..config.clone() };
        let found = weights(WeightSelection::new(vit.clone(), wanted.clone()).unwrap().start(1).await.unwrap()).await;
        let (width, hidden) = (evenly(32, 64), evenly(24, 96));
        assert_eq!((&width[..3], &hidden[..3]), (&[0, 2, 4][..], &[0, 4, 8][..]));
        assert_eq!(found["blocks.0.mlp.fc1.weight"].values, at(&ancestor["blocks.0.mlp.fc1.weight"], &hidden, &width));
        assert_eq!(found["blocks.0.mlp.fc2.weight"].values, at(&ancestor["blocks.0.mlp.fc2.weight"], &width, &hidden));
        assert_eq!(found["cls_token"].values, at(&ancestor["cls_token"], &[0], &width));
        let positions: Vec<usize> = (0..17).collect();
        let mut pos_embed = ancestor["pos_embed"].clone();
        pos_embed.shape = vec![17, 64];
        assert_eq!(found["pos_embed"].values, at(&pos_embed, &positions, &width));
        let channels: Vec<usize> = (0..4).flat_map(|head| [0, 2, 4, 6].map(|channel| head * 8 + channel)).collect();
        assert_eq!(found["blocks.0.attn.proj.weight"].values, at(&ancestor["blocks.0.attn.proj.weight"], &width, &channels));
        let too_deep = WeightSelection::new(vit.clone(), VitConfig { depth: 4, ..wanted.clone() });
        assert_eq!(too_deep.err(), Some(ExpandError::TooDeep { layers: 4, available: 3 }));
        let odd = WeightSelection::new(vit, VitConfig { image_size: 10, ..wanted });
        assert_eq!(odd.err(), Some(ExpandError::ImageSize { image_size: 10, patch_size: 4 }));
    }

    async fn a_line_gives_back_an_ancestor_whose_layers_lie_on_a_line(device: Device) {
        let config = VitConfig { layer_scale: true, depth: 4, ..small() };
        let mut ancestor = state(&config, 6);
        let keys: Vec<String> = ancestor.keys().filter_map(|key| key.strip_prefix("blocks.0.").map(String::from)).collect();
        for key in &keys {
            let [first, second] = [0, 1].map(|layer| ancestor[&format!("blocks.{layer}.{key}")].values.clone());
            for layer in 2..4 {
                let on_line = first.iter().zip(&second).map(|(a, b)| a + layer as f32 * (b - a)).collect();
                ancestor.get_mut(&format!("blocks.{layer}.{key}")).unwrap().values = on_line;
            }
        }
        let vit = Vit::load(&config, &mut ancestor.clone(), &device).await.unwrap();
        let expected = features(&vit, pictures(2, 16, &device)).await;
        let start = LayersOnALine::new(vit, 4, 5, 16).unwrap().start(1).await.unwrap().fold();
        let found: Weights = start.state().await.unwrap().into_iter().collect();
        for (key, tensor) in found.iter().filter(|(key, _)| !key.starts_with("head.")) {
            assert_close(&tensor.values, &ancestor[key].values, 1e-5);
        }
        assert_close(&features(start.vit().unwrap(), pictures(2, 16, &device)).await, &expected, 1e-3);
    }

    async fn a_line_of_any_depth_reads_its_layers_off_the_line_that_fits_best(device: Device) {
        let config = small();
        let ancestor = state(&config, 7);
        let vit = Vit::load(&config, &mut ancestor.clone(), &device).await.unwrap();
        let start = LayersOnALine::new(vit.clone(), 5, 2, 8).unwrap();
        let descendant = start.start(3).await.unwrap();
        assert_eq!(descendant.logits(pictures(1, 8, &device), None).dims(), [1, 2]);
        let found = weights(descendant).await;
        for layer in 0..5 {
            // The normal equations, by hand: places 0, 1/3, 2/3 with mean 1/3 and square sum 2/9.
            let key = |layer: usize| format!("blocks.{layer}.mlp.fc1.bias");
            let [a, b, c] = [0, 1, 2].map(|layer| &ancestor[&key(layer)].values);
            let slope = |i: usize| (c[i] - a[i]) * 1.5;
            let middle = |i: usize| (a[i] + b[i] + c[i]) / 3.0;
            let line: Vec<f32> = (0..96).map(|i| middle(i) + (layer as f32 / 5.0 - 1.0 / 3.0) * slope(i)).collect();
            assert_close(&found[&key(layer)].values, &line, 1e-5);
        }
        assert_eq!(LayersOnALine::new(vit.clone(), 0, 2, 8).err(), Some(ExpandError::Zero { name: "layers" }));
        assert_eq!(LayersOnALine::new(vit, 1, 2, 9).err(), Some(ExpandError::ImageSize { image_size: 9, patch_size: 4 }));
    }
}

#[test]
fn a_single_layer_is_a_line_without_slope_and_weights_sum_to_one() {
    assert_eq!(line_weights(3, 5, 1), [1.0]);
    for layer in 0..7 {
        assert!((line_weights(layer, 7, 12).iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
    assert_eq!(evenly(3, 12), [0, 4, 8]);
    assert_eq!(evenly(4, 3), [0, 0, 1, 2], "places repeat when there are too few");
}
