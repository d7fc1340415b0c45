//! The ancestor as it is: what its classifier is fitted to, and the model with the fitted one.
use burn::tensor::{Device, Tensor, TensorData};
use heirloom_learngene::layers::{LayersPlan, WholeLayers, layer_names};
use heirloom_learngene::yardstick::{as_it_is, cut, head_features, kinds, put_head};
use heirloom_nn::cnn::{CnnConfig, Shortcut};
use heirloom_nn::device::{read, uniform};
use heirloom_nn::model::{Model, ModelConfig};
use heirloom_nn::vit::{FinalNorm, Pool, VitConfig, VitOptions};
use heirloom_train::LinearHead;

use crate::cnn::{lively, small};
use crate::session::config;
use crate::support::assert_close;

const CLASSES: usize = 3;

fn images(side: usize, device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(uniform(2 * 3 * side * side, 5, 1.0), [2, 3, side, side]), device)
}

/// A classifier for features of this kind, as if it were fitted.
fn head(kind: usize, width: usize) -> LinearHead {
    let (weight, bias) = (uniform(CLASSES * width, 6, 1.0), uniform(CLASSES, 7, 1.0));
    LinearHead { kind, weight, bias, penalty: 0.1, held_out: None }
}

/// `W x + b`.
fn scores(head: &LinearHead, features: &[f32]) -> Vec<f32> {
    let width = head.weight.len() / CLASSES;
    let score = |row: &[f32], class: usize| {
        let own = &head.weight[class * width..(class + 1) * width];
        own.iter().zip(row).map(|(w, x)| w * x).sum::<f32>() + head.bias[class]
    };
    features.chunks(width).flat_map(|row| (0..CLASSES).map(move |class| score(row, class))).collect()
}

/// The features are what the classifier sees: the model with a head gives the head's scores of them, for every kind.
async fn check(name: &str, model: Model) {
    let images = images(model.config().image_size(), &model.device());
    let (all, kinds) = (head_features(&model, images.clone(), &[]), kinds(&model.config()));
    assert_eq!(all.len(), kinds.len(), "{name}");
    for (kind, features) in all.into_iter().enumerate() {
        let [_, width] = features.dims();
        assert_eq!(width as u64, model.config().head_width(), "{name}");
        let (mut fitted, head) = (model.clone(), head(kind, width));
        put_head(&mut fitted, &head);
        assert_eq!(fitted.config(), kinds[kind], "{name}");
        let expected = scores(&head, &read(features).await.unwrap());
        assert_close(&read(fitted.logits(images.clone(), None)).await.unwrap(), &expected, 1e-4);
        assert_eq!(fitted.config().parameters(), model.config().parameters(), "{name}: the same tensors");
    }
}

fn of_options(pool: Pool, final_norm: FinalNorm) -> VitConfig {
    VitConfig { pool, options: VitOptions { final_norm, ..Default::default() }, classes: Some(CLASSES), ..config() }
}

async fn vit(config: VitConfig, device: &Device) -> Model {
    Model::random(&ModelConfig::Vit(config), 3, device).await
}

#[test]
fn tokens_are_pooled_the_other_way_only_where_that_is_a_model_of_the_same_tensors() {
    let other = |config: VitConfig| config.other_pool().map(|other| (other.pool, other.options.final_norm));
    assert_eq!(other(of_options(Pool::Cls, FinalNorm::Usual)), Some((Pool::Avg, FinalNorm::Tokens)));
    assert_eq!(other(of_options(Pool::Avg, FinalNorm::Tokens)), Some((Pool::Cls, FinalNorm::Usual)));
    assert_eq!(other(of_options(Pool::Cls, FinalNorm::None)), Some((Pool::Avg, FinalNorm::None)));
    assert_eq!(other(of_options(Pool::Avg, FinalNorm::Usual)), None, "a norm behind the mean");
    let usual = of_options(Pool::Cls, FinalNorm::Usual);
    assert_eq!(other(VitConfig { distilled: true, ..usual.clone() }), None);
    assert_eq!(other(VitConfig { cls_token: false, pool: Pool::Avg, ..usual.clone() }), None);
    let back = usual.other_pool().and_then(|other| other.other_pool()).unwrap();
    assert_eq!((back.tensors(), &back), (usual.tensors(), &usual));
}

on_every_engine! {
    async fn the_fitted_head_is_given_what_it_was_fitted_to(device: Device) {
        for (pool, norm) in [(Pool::Cls, FinalNorm::Usual), (Pool::Avg, FinalNorm::Usual), (Pool::Avg, FinalNorm::Tokens), (Pool::Cls, FinalNorm::None)] {
            check(&format!("{pool:?} {norm:?}"), vit(of_options(pool, norm), &device).await).await;
        }
        let registers = VitConfig { register_tokens: 2, ..of_options(Pool::Cls, FinalNorm::Usual) };
        check("registers", vit(registers, &device).await).await;
        let network = CnnConfig { classes: Some(CLASSES), ..small(Shortcut::Projection) };
        check("a CNN", lively(&network, &device).await.into()).await;
        let hidden = CnnConfig { hidden: vec![7, 6], ..network };
        check("hidden layers", lively(&hidden, &device).await.into()).await;
    }

    async fn of_a_distilled_model_each_token_has_its_part_of_the_head(device: Device) {
        let config = VitConfig { distilled: true, ..of_options(Pool::Cls, FinalNorm::Usual) };
        let model = vit(config, &device).await;
        check("distilled", model.clone()).await;
        // Each classifier alone: twice its part of the weights, on its own token, and the whole bias.
        let (width, mut fitted) = (32, model.clone());
        let head = head(0, 2 * width);
        put_head(&mut fitted, &head);
        let fitted = fitted.vit().unwrap().clone();
        let [head_cls, head_dist] = [fitted.head.unwrap(), fitted.head_dist.unwrap()];
        for (first, linear) in [(0, head_cls), (width, head_dist)] {
            // burn keeps `[width, classes]`.
            let expected: Vec<f32> = (0..width * CLASSES)
                .map(|at| 2.0 * head.weight[at % CLASSES * 2 * width + first + at / CLASSES])
                .collect();
            assert_close(&read(linear.weight.val()).await.unwrap(), &expected, 0.0);
            assert_close(&read(linear.bias.unwrap().val()).await.unwrap(), &head.bias, 0.0);
        }
    }

    async fn one_pass_shows_what_every_cut_model_would_see(device: Device) {
        let tokens = VitConfig { depth: 3, ..of_options(Pool::Cls, FinalNorm::Usual) };
        let mobile = CnnConfig { image_size: 32, ..CnnConfig::mobilenet_v2(0.35, CLASSES) };
        let plain = crate::cnn::open("vgg").await.config.cnn().unwrap().image_size;
        for (name, model) in [
            ("tokens", vit(tokens, &device).await),
            ("residual", lively(&small(Shortcut::Projection), &device).await.into()),
            ("inverted", lively(&mobile, &device).await.into()),
            ("plain", crate::cnn::load("vgg", plain, &device).await.into()),
        ] {
            let (config, images) = (model.config(), images(model.config().image_size(), &device));
            let cuts = config.cuts();
            assert!(!cuts.is_empty() && cuts.is_sorted() && *cuts.last().unwrap() <= config.blocks(), "{name}: {cuts:?}");
            let mut all = head_features(&model, images.clone(), &cuts).into_iter();
            for &blocks in &cuts {
                let small = cut(&model, blocks).unwrap();
                assert_eq!(Some(small.config()), config.cut(blocks), "{name} at {blocks}");
                assert!(small.config().parameters() < config.parameters(), "{name} at {blocks}");
                let held: usize = small.state().await.unwrap().iter().map(|(_, tensor)| tensor.values.len()).sum();
                let described: usize =
                    small.config().tensors().iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
                assert_eq!(held, described, "{name} at {blocks}");
                // The model that gets the classifier is the same.
                let layers = LayersPlan::whole(layer_names(&small.config()).len());
                let whole = WholeLayers::new(small.clone(), layers, CLASSES, config.image_size()).unwrap();
                let fitted = as_it_is(&small, &whole).await.unwrap();
                let seen = head_features(&small, images.clone(), &[]).into_iter();
                for (expected, again) in seen.zip(head_features(&fitted, images.clone(), &[])) {
                    let expected = read(expected).await.unwrap();
                    assert_close(&read(all.next().unwrap()).await.unwrap(), &expected, 1e-5);
                    assert_close(&read(again).await.unwrap(), &expected, 1e-5);
                }
            }
            assert_eq!(all.count(), kinds(&config).len(), "{name}: the whole one is last");
            assert!(cut(&model, 0).is_none() && cut(&model, config.blocks() + 1).is_none(), "{name}");
        }
    }

    async fn all_layers_are_the_ancestors_those_of_its_classifier_but_the_last_too(device: Device) {
        let config = CnnConfig { hidden: vec![7, 6], ..small(Shortcut::Projection) };
        let ancestor = lively(&config, &device).await;
        let whole = WholeLayers::new(ancestor.clone().into(), LayersPlan::whole(3), CLASSES, 8).unwrap();
        let model = as_it_is(&ancestor.clone().into(), &whole).await.unwrap();
        assert_eq!(model.config().classes(), Some(CLASSES));
        let of = |model: &Model| head_features(model, images(8, &device), &[]).remove(0);
        let (found, expected) = (read(of(&model)).await.unwrap(), read(of(&ancestor.into())).await.unwrap());
        assert_close(&found, &expected, 1e-6);
    }
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn the_mean_of_the_patches_is_written_and_opened_as_such() {
    pollster::block_on(async {
        use heirloom_checkpoint::{Checkpoint, Description, write_safetensors};
        use heirloom_platform::file::FileHandle;
        let mut model = vit(of_options(Pool::Cls, FinalNorm::Usual), &crate::support::device().await).await;
        put_head(&mut model, &head(1, 32));
        let description = Description { config: model.config(), labels: None, preprocessing: None };
        let bytes = write_safetensors(model.state().await.unwrap(), &description);
        let again = Checkpoint::open(&[FileHandle::from_bytes("mean.safetensors", bytes)]).await.unwrap();
        let config = again.config.vit().unwrap();
        assert_eq!((config.pool, config.options.final_norm), (Pool::Avg, FinalNorm::Tokens));
        assert_eq!(again.config, model.config());
    });
}
