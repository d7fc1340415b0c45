//! The player against the models it stands for: every form of Vision Transformer, stitched ones, pictures of odd sizes.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use heirloom_checkpoint::{
    Checked, Checkpoint, Description, PageCard, PageError, Preprocessing, write_half_safetensors, write_page,
    write_safetensors,
};
use heirloom_data::{Normalise, evaluation_crop};
use heirloom_nn::device::read;
use heirloom_nn::vit::{HostTensor, RandomWeights, Stitched, StitchedConfig, Vit, VitConfig};
use heirloom_plan::config::{ModelConfig, Shortcut};
use heirloom_platform::file::FileHandle;
use heirloom_platform::image::RgbImage8;
use heirloom_player::{Player, PlayerError, check_playable};
use serde_json::Value;

use crate::support::assert_close;
use crate::vit::reference::floats;
use crate::vit::zoo::{FIXTURES, open, reference};

type Tensors = BTreeMap<String, HostTensor>;

/// What a site's `player.html` begins with.
pub const PLAYER: &str = "<!doctype html>\n<meta name=\"heirloom-player\" content=\"1\">\n<p>no model</p>\n";

fn card() -> PageCard {
    let checked = Some(Checked { right: 3, pictures: 4 });
    let ancestor = Some("</script><b>.safetensors".into());
    PageCard { ancestor, start: "inherited".into(), parameters: 7, checked, saved: 1e12 }
}

/// The fixture with a classifier: one that only hands on what it sees, where it has none.
async fn with_classifier(checkpoint: &Checkpoint) -> (VitConfig, Tensors) {
    let mut config = checkpoint.config.vit().unwrap().clone();
    let mut tensors = Tensors::new();
    for (key, _) in config.tensors() {
        tensors.insert(key.clone(), checkpoint.tensor(&key).await.unwrap());
    }
    if config.classes.is_none() {
        let width = config.pooled_dim();
        config.classes = Some(width);
        config.options.dist_head = false;
        let eye = (0..width * width).map(|at| if at / width == at % width { 1.0 } else { 0.0 }).collect();
        tensors.insert("head.weight".into(), HostTensor { shape: vec![width, width], values: eye });
        tensors.insert("head.bias".into(), HostTensor { shape: vec![width], values: vec![0.0; width] });
    }
    (config, tensors)
}

fn described(config: impl Into<ModelConfig>) -> Description {
    Description { config: config.into(), labels: None, preprocessing: None }
}

fn random(tensors: Vec<(String, Vec<usize>)>) -> Tensors {
    let random = RandomWeights { seed: 3 };
    let fill = |(key, shape): (String, Vec<usize>)| {
        let values = random.values(&key, shape.iter().product()).into_iter().map(|value| 3.0 * value).collect();
        (key, HostTensor { shape, values })
    };
    tensors.into_iter().map(fill).collect()
}

/// Forms whose parts the player does not compute.
const REFUSED: [&str; 3] =
    ["vit_small_patch16_rope_mixed_ape_224", "aimv2_large_patch14_224", "vit_large_patch16_sapiens2"];

on_both_engines! {
    async fn the_player_answers_as_every_form_of_vision_transformer_does(device: Device) {
        let reference = reference();
        let pictures = floats(&reference["pictures"]);
        let picture = &pictures[..3 * 144];
        let mut refused = Vec::new();
        for (name, bytes) in FIXTURES {
            let said: &Value = &reference["models"][name];
            let checkpoint = open(bytes.to_vec(), Some(&said["config"])).await.unwrap();
            let (config, tensors) = with_classifier(&checkpoint).await;
            // Against timm, with the numbers as they are.
            let whole = write_safetensors(tensors.clone(), &described(config.clone()));
            let player = match Player::open(&whole) {
                Ok(player) => player,
                Err(PlayerError::Part(_)) => {
                    refused.push(name);
                    continue;
                }
                Err(error) => panic!("{name}: {error}"),
            };
            let (scores, seen) = player.scores(picture);
            let expected = floats(&said["scores"]);
            assert_close(&scores, &expected[..scores.len()], 1e-4);
            // What it looked at, against the engine.
            let model = Vit::load(&config, &mut tensors.clone(), &device).await.unwrap();
            let images = Tensor::<4>::from_data(TensorData::new(picture.to_vec(), [1, 3, 12, 12]), &device);
            let rolled = model.seen(model.rollout(images).unsqueeze_dim(1));
            assert_close(&seen, &read(rolled).await.unwrap(), 1e-5);
            // With 16-bit numbers, as a page has them: shares of the classes within a thousandth.
            let half = write_half_safetensors(tensors, &described(config));
            let (exact, rounded) = (player.answer_image(picture), Player::open(&half).unwrap().answer_image(picture));
            assert_close(&rounded.shares, &exact.shares, 1e-3);
            assert!((rounded.shares.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{name}");
        }
        assert_eq!(refused, REFUSED, "by name, all others are computed");
    }

    async fn the_player_answers_as_a_stitched_model_does(device: Device) {
        let front = VitConfig { image_size: 15, patch_size: 5, ..crate::session::config() };
        let end = VitConfig { embed_dim: 24, num_heads: 3, mlp_dim: 40, depth: 3, classes: Some(3), ..front.clone() };
        let config = StitchedConfig { front, end, front_layer: 0, end_layer: 1 };
        let tensors = random(config.tensors());
        let model = Stitched::load(&config, &mut tensors.clone(), &device).await.unwrap();
        let picture: Vec<f32> = (0..3 * 225).map(|at| ((at * 37 % 101) as f32 - 50.0) / 40.0).collect();
        let images = Tensor::<4>::from_data(TensorData::new(picture.clone(), [1, 3, 15, 15]), &device);
        let expected = read(model.logits(images, &mut Default::default())).await.unwrap();
        let player = Player::open(&write_safetensors(tensors, &described(config))).unwrap();
        let (scores, seen) = player.scores(&picture);
        assert_close(&scores, &expected, 1e-4);
        assert_eq!(seen.len(), 9);
    }

    async fn a_page_opens_as_the_model_it_was_made_of(_device: Device) {
        let config = VitConfig { classes: Some(2), ..crate::session::config() };
        let tensors = random(config.tensors());
        let names = vec!["</script>".to_owned(), "ün".to_owned()];
        let labels = Some(names.clone());
        let preprocessing = Some(Preprocessing { mean: [0.5; 3], std: [0.25; 3], image_size: 32 });
        let description = Description { config: config.clone().into(), labels: labels.clone(), preprocessing };
        let weights = write_half_safetensors(tensors.clone(), &description);
        let page = write_page(PLAYER, &card(), &weights).unwrap();
        let text = String::from_utf8(page.clone()).unwrap();
        assert_eq!(text.matches("</script>").count(), 2, "no name ends an element");
        let checkpoint = Checkpoint::open(&[FileHandle::from_bytes("model.html", page.clone())]).await.unwrap();
        assert_eq!((checkpoint.name.as_str(), &checkpoint.config), ("model.html", &config.into()));
        assert_eq!((&checkpoint.labels, &checkpoint.preprocessing), (&labels, &description.preprocessing));
        assert!(checkpoint.missing.is_empty() && checkpoint.unexpected.is_empty());
        for (key, expected) in tensors {
            assert_close(&checkpoint.tensor(&key).await.unwrap().values, &expected.values, 1e-3);
        }
        assert_eq!(Player::open(&weights).unwrap().labels(), names);

        // Cut off, or with other letters inside.
        let start = text.rfind("heirloom-weights").unwrap() + 30;
        for (damaged, problem) in [
            (page[..start - 60].to_vec(), "no weights lie in it"),
            (page[..start + 4001].to_vec(), "its weights are no base64"),
            ([&page[..start], b"?", &page[start + 1..]].concat(), "its weights are no base64"),
        ] {
            let error = Checkpoint::open(&[FileHandle::from_bytes("model.html", damaged)]).await.err().unwrap();
            let sentence = format!("`model.html` is damaged: {problem}; get the file again");
            assert_eq!(error.to_string(), sentence);
        }
        assert_eq!(write_page("<!doctype html>", &card(), &weights), Err(PageError::NotPlayer));
        assert_eq!(write_page(&text, &card(), &weights), Err(PageError::NotPlayer), "a page with a model is no player");
    }
}

#[test]
fn the_player_prepares_pictures_as_they_are_checked_here() {
    let config = VitConfig { classes: Some(2), ..crate::session::config() };
    let normalise = Normalise { mean: [0.4, 0.5, 0.6], std: [0.2, 0.3, 0.4] };
    let preprocessing = Some(Preprocessing { mean: normalise.mean, std: normalise.std, image_size: 32 });
    let description = Description { preprocessing, ..described(config.clone()) };
    let player = Player::open(&write_safetensors(random(config.tensors()), &description)).unwrap();
    for (width, height) in [(32, 32), (1, 1), (33, 32), (1, 700), (311, 97), (37, 36), (640, 481)] {
        let data = (0..3 * width * height).map(|at| (at * 73 % 251) as u8).collect();
        let image = RgbImage8 { width, height, data };
        let mut picture = player.begin(width, height).unwrap();
        image.data.chunks(3 * width * 5).for_each(|rows| picture.push(rows));
        let crop = evaluation_crop(&image, 32);
        let mut pixels = vec![0.0; 3 * 32 * 32];
        normalise.write(&crop, false, &mut pixels);
        assert_eq!(player.answer(picture), player.answer_image(&pixels), "{width} × {height}");
    }
    let refused = player.begin(0, 3).unwrap_err();
    assert_eq!(refused, PlayerError::Picture { width: 0, height: 3 });
    assert!(player.begin(65_536, 65_536).is_err(), "the product does not fit 32 bits");
}

#[test]
fn what_the_player_cannot_run_is_refused_by_name() {
    let vit = crate::session::config();
    assert_eq!(check_playable(&vit.clone().into()), Err(PlayerError::NoClasses));
    let classed = VitConfig { classes: Some(2), ..vit };
    assert_eq!(check_playable(&classed.clone().into()), Ok(()));
    for (config, what) in [
        (VitConfig { patch_size: 0, ..classed.clone() }, "patch_size"),
        (VitConfig { num_heads: 0, ..classed.clone() }, "num_heads"),
        (VitConfig { channels: 1, ..classed.clone() }, "channels"),
        (VitConfig { image_size: 30, ..classed.clone() }, "image_size"),
        (VitConfig { image_size: 1 << 20, ..classed.clone() }, "image_size"),
    ] {
        let error = check_playable(&config.into()).unwrap_err();
        assert!(matches!(error, PlayerError::Config { what: found, .. } if found == what), "{error}");
    }
    let network: ModelConfig = crate::cnn::small(Shortcut::Projection).into();
    let sentence = check_playable(&network).unwrap_err().to_string();
    assert!(
        sentence
            .starts_with("a page that names pictures runs Vision Transformers, and this is a convolutional network;")
    );
    let cut = write_half_safetensors(random(classed.tensors()), &described(classed.clone()));
    assert!(matches!(Player::open(&cut[..cut.len() - 1]), Err(PlayerError::Damaged(_))));
    let other = VitConfig { mlp_dim: 60, ..classed.clone() };
    let lie = write_half_safetensors(random(classed.tensors()), &described(other));
    assert!(matches!(Player::open(&lie), Err(PlayerError::Tensor { key, .. }) if key == "blocks.0.mlp.fc1.weight"));
}
