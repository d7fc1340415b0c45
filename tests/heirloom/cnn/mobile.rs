//! MobileNetV2: against torchvision, in files, in stages. Fixtures: `tests/fixtures/mobilenet` (made by `make.py` there).

use burn::tensor::{Device, Int, Tensor, TensorData};
use heirloom_checkpoint::Checkpoint;
use heirloom_learngene::Descendant;
use heirloom_nn::cnn::{BlockKind, Cnn, CnnConfig, Shortcut, StageConfig, StemConfig, Unit};
use heirloom_nn::device::uniform;
use heirloom_plan::config::ModelConfig;
use heirloom_plan::layers::{LayersPlan, descendant_config, layer_names, layer_parameters, pseudo_config};
use heirloom_platform::file::FileHandle;
use heirloom_train::{AdamWSettings, Run, RunSettings};

use super::{lively, logits, numbers, pictures};
use crate::support::assert_close;
use crate::train::models::plain_settings;

const TINY: &[u8] = include_bytes!("../../fixtures/mobilenet/tiny.safetensors");

fn reference() -> serde_json::Value {
    serde_json::from_str(include_str!("../../fixtures/mobilenet/reference.json")).expect("a fixture")
}

async fn tiny() -> Checkpoint {
    Checkpoint::open(&[FileHandle::from_bytes("tiny.safetensors", TINY)]).await.unwrap()
}

/// 16 px, two stages: one that does not expand, one of two blocks that do, of which the second is residual.
fn small() -> CnnConfig {
    let stage = |[input, inner, width]: [usize; 3], depth, stride| {
        let (block, shortcut) = (BlockKind::Inverted, Shortcut::Projection);
        StageConfig { block, depth, input, inner, width, stride, shortcut }
    };
    CnnConfig {
        image_size: 16,
        stem: Some(StemConfig { width: 8, kernel: 3, stride: 2, pool: false }),
        stages: vec![stage([8, 4, 4], 1, 1), stage([4, 12, 6], 2, 2)],
        conv_head: Some(10),
        ..CnnConfig::mobilenet_v2(1.0, 5)
    }
}

on_every_engine! {
    async fn a_mobilenets_logits_equal_torchvisions(device: Device) {
        let checkpoint = tiny().await;
        let entries = reference()["tiny"].as_array().expect("entries").clone();
        assert_eq!(entries.len(), 2);
        for entry in entries {
            let size = entry["size"].as_u64().expect("a size") as usize;
            let config = CnnConfig { image_size: size, ..checkpoint.config.cnn().expect("a network").clone() };
            let cnn = Cnn::load(&config, &mut &checkpoint, &device).await.unwrap();
            let got = logits(&cnn, pictures(numbers(&entry["pictures"]), size, &device)).await;
            assert_close(&got, &numbers(&entry["logits"]), 1e-4);
        }
    }

    async fn training_a_mobilenet_lowers_the_loss_and_moves_its_running_statistics(device: Device) {
        let cnn = lively(&small(), &device).await;
        let before = cnn.state().await.unwrap();
        let settings = RunSettings { adamw: AdamWSettings { clip_norm: None, ..Default::default() }, ..plain_settings(1e-2) };
        let mut run = Run::new(Descendant::from(cnn), settings);
        let images = Tensor::<4>::from_data(TensorData::new(uniform(4 * 3 * 256, 5, 1.0), [4, 3, 16, 16]), &device);
        let mut losses = Vec::new();
        for _ in 0..12 {
            let labels = Tensor::<1, Int>::from_ints([0, 1, 2, 3], &device);
            losses.push(run.step(images.clone(), labels).await.unwrap().loss);
        }
        assert!(losses[11] < 0.7 * losses[0], "{losses:?}");
        let after = run.into_model().unwrap().fold().state().await.unwrap();
        assert_eq!(before.len(), after.len());
        for ((key, old), (_, new)) in before.iter().zip(&after) {
            assert_ne!(old.values, new.values, "`{key}` was left as it was");
        }
    }

    async fn the_last_convolution_is_inherited_with_the_last_stage_alone(device: Device) {
        let ancestor = lively(&small(), &device).await;
        let old = ancestor.state().await.unwrap();
        let inherited = |new: &[(String, heirloom_plan::weights::HostTensor)]| -> Vec<String> {
            let found = new.iter().filter(|tensor| tensor.0.ends_with("weight") && old.contains(tensor));
            found.map(|(key, _)| key.clone()).collect()
        };
        let whole = ancestor.from_units(&[Unit::Inherited(0), Unit::Inherited(1)], 2, 16, 7).await.unwrap();
        let whole = inherited(&whole.state().await.unwrap());
        assert_eq!(whole.len(), old.iter().filter(|(key, _)| key.ends_with("weight")).count() - 1, "all but the classifier");
        let on_top = Unit::Random(small().stages[1]);
        let part = ancestor.from_units(&[Unit::Inherited(0), on_top], 2, 16, 7).await.unwrap();
        let expected = ["conv_stem", "bn1", "blocks.0.0.conv_dw", "blocks.0.0.bn1", "blocks.0.0.conv_pw", "blocks.0.0.bn2"];
        assert_eq!(inherited(&part.state().await.unwrap()), expected.map(|part| format!("{part}.weight")));
        assert_eq!(logits(&part, Tensor::ones([1, 3, 16, 16], &device)).await.len(), 2);
    }
}

#[test]
fn mobilenets_have_torchvisions_parameters_and_operations_to_the_digit() {
    let of = |multiplier| CnnConfig::mobilenet_v2(multiplier, 1000);
    // `sum(p.numel() for p in model.parameters())` of torchvision's and timm's models.
    let expected = [(0.25, 1_519_112), (0.35, 1_677_128), (1.0, 3_504_872), (1.4, 6_108_776)];
    for (multiplier, parameters) in expected {
        assert_eq!(of(multiplier).parameters(), parameters, "{multiplier}");
        of(multiplier).check().unwrap();
    }
    // A multiply-add counts as two; convolutions and classifier alone.
    assert_eq!(of(1.0).flops(), 2 * 300_774_272);
    assert_eq!(of(1.0).tensors().len(), 262, "52 convolutions, 52 norms of four tensors, and a classifier of two");
}

#[test]
fn a_numbered_mobilenet_is_told_by_its_shapes_and_one_with_names_too() {
    pollster::block_on(async {
        let checkpoint = tiny().await;
        assert_eq!(checkpoint.family, "MobileNetV2 (torchvision names)");
        assert!(checkpoint.unexpected.is_empty() && checkpoint.missing.is_empty());
        let known = CnnConfig { conv_head: Some(24), ..CnnConfig::mobilenet_v2(0.1, 5) };
        assert_eq!(checkpoint.config, known.into(), "the first stages are all eight channels wide");
        let config = CnnConfig::mobilenet_v2(0.35, 7);
        let opened = open_zeros(&config.tensors(), "model.").unwrap();
        assert_eq!((opened.config, opened.family.as_str()), (config.into(), "MobileNetV2 (timm names)"));
    });
}

type Tensors = Vec<(String, Vec<usize>)>;

/// A safetensors file of zeros.
fn open_zeros(tensors: &[(String, Vec<usize>)], prefix: &str) -> Result<Checkpoint, String> {
    let (mut header, mut at) = (serde_json::Map::new(), 0);
    for (key, shape) in tensors {
        let end = at + 4 * shape.iter().product::<usize>();
        let entry = serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [at, end]});
        header.insert(format!("{prefix}{key}"), entry);
        at = end;
    }
    let header = serde_json::Value::Object(header).to_string();
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; at]].concat();
    let opened = pollster::block_on(Checkpoint::open(&[FileHandle::from_bytes("m.safetensors", bytes)]));
    opened.map_err(|error| error.to_string())
}

#[test]
fn relatives_of_mobilenet_v2_are_refused_by_name() {
    let refusal = |change: &dyn Fn(&mut Tensors)| {
        let mut tensors = CnnConfig::mobilenet_v2(0.35, 7).tensors();
        change(&mut tensors);
        open_zeros(&tensors, "").expect_err("it should have been refused")
    };
    let squeezed = refusal(&|all| all.push(("blocks.1.0.se.conv_reduce.weight".into(), vec![1, 1, 1, 1])));
    assert!(squeezed.contains("an EfficientNet or MobileNetV3 (`blocks.1.0.se.conv_reduce.weight`)"), "{squeezed}");
    let wide = refusal(&|all| {
        all.iter_mut().filter(|(key, _)| key == "blocks.2.0.conv_dw.weight").for_each(|(_, shape)| shape[2..].fill(5));
    });
    assert!(wide.contains("a convolution of 5×5 in groups of 1 (`blocks.2.0.conv_dw.weight`)"), "{wide}");
    let short = refusal(&|all| all.retain(|(key, _)| !key.starts_with("blocks.6.")));
    assert!(short.contains("inverted residuals in 6 stages, where MobileNetV2 has 7"), "{short}");
    let other = refusal(&|all| all.retain(|(key, _)| !key.contains("conv_dw")));
    assert!(other.contains("begins with `conv_stem.weight`, but has no inverted residuals"), "{other}");
    let more = refusal(&|all| all.push(("blocks.1.0.layer_scale.gamma".into(), vec![8])));
    assert!(more.contains("parts that version 2 does not have (`blocks.1.0.layer_scale.gamma`)"), "{more}");
    let mut mixed = small();
    mixed.stages[0].block = BlockKind::Basic;
    assert!(mixed.check().unwrap_err().to_string().contains("inverted residuals and blocks of other kinds"));
    let uneven = StageConfig { inner: 7, ..small().stages[0] };
    let uneven = CnnConfig { stages: vec![uneven], ..small() };
    assert!(uneven.check().unwrap_err().to_string().contains("widen by a whole number"));
}

#[test]
fn stages_of_a_mobilenet_are_layers_that_meet_at_their_widths() {
    let ancestor: ModelConfig = CnnConfig::mobilenet_v2(1.0, 1000).into();
    assert_eq!(layer_names(&ancestor), (0..7).map(|stage| format!("blocks.{stage}")).collect::<Vec<_>>());
    // torchvision's `features.1`, `features.2` and `.3`, …, `features.17`.
    let stages = [896, 13_968, 39_696, 183_872, 303_168, 795_264, 473_920];
    assert_eq!(layer_parameters(&ancestor), stages);
    let ends = 928 + 412_160 + 2_560 + 1_281_000 - 2_560;
    assert_eq!(stages.iter().sum::<u64>() + ends, 3_504_872);
    let made = descendant_config(&ancestor, &LayersPlan::first(3, 4), 10, 96).unwrap();
    let cnn = made.cnn().unwrap();
    let widths: Vec<_> = cnn.stages.iter().map(|stage| (stage.width, stage.depth, stage.stride)).collect();
    assert_eq!(widths, [(16, 1, 1), (24, 2, 2), (32, 3, 2), (64, 4, 2)], "the random one goes on as the ancestor does");
    assert_eq!((cnn.width(), cnn.classes), (1280, Some(10)));
    let skipped = descendant_config(&ancestor, &LayersPlan::new(vec![0, 2], 2), 10, 96).unwrap_err().to_string();
    assert!(skipped.contains("stage 3 of the ancestor takes maps of 24 channels, but stage 1"), "{skipped}");
    let beyond = descendant_config(&ancestor, &LayersPlan::first(7, 8), 10, 96).unwrap();
    let last = beyond.cnn().unwrap().stages[7];
    assert_eq!((last.input, last.inner, last.width, last.stride), (320, 1920, 320, 1));
    let pseudo = pseudo_config(&ancestor, 3, 10, 96).unwrap();
    assert_eq!(pseudo.cnn().unwrap().stages.iter().map(|stage| stage.depth).collect::<Vec<_>>(), [1, 1, 2, 3, 2, 2, 1]);
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn the_shipped_mobilenet_names_the_daisy_as_pytorch_does() {
    use heirloom_data::{Normalise, evaluation_picture, open as open_picture};
    pollster::block_on(async {
        let at = |name: &str| format!("../static/ancestors/{name}");
        let files = [
            FileHandle::from_path("mobilenet_v2.safetensors", at("mobilenet_v2.safetensors")).unwrap(),
            FileHandle::from_path("config.json", at("configs/mobilenet_v2.json")).unwrap(),
        ];
        let checkpoint = Checkpoint::open(&files).await.unwrap();
        assert_eq!(checkpoint.config, CnnConfig::mobilenet_v2(1.0, 1000).into());
        assert_eq!(checkpoint.family, "MobileNetV2 `mobilenetv2_100` (torchvision names)");
        assert_eq!(heirloom_engine::normalise(&checkpoint), Normalise::default());
        assert!(checkpoint.assumptions.is_empty(), "{:?}", checkpoint.assumptions);
        let device = heirloom_nn::device::cpu();
        let cnn = Cnn::load(checkpoint.config.cnn().unwrap(), &mut &checkpoint, &device).await.unwrap();
        let picture = FileHandle::from_path("daisy.png", "fixtures/vit_s14/daisy.png").unwrap();
        let image = evaluation_picture("daisy.png", &open_picture(&picture).await.unwrap(), 224).await.unwrap();
        let mut pixels = vec![0.0; 3 * 224 * 224];
        Normalise::default().write(&image, false, &mut pixels);
        let images = Tensor::<4>::from_data(TensorData::new(pixels, [1, 3, 224, 224]), &device);
        let got = heirloom_nn::device::read(cnn.logits(images, &mut heirloom_nn::cnn::Hooks::default())).await.unwrap();
        assert_close(&got, &numbers(&reference()["shipped"]["logits"]), 1e-4);
        let best = (0..got.len()).max_by(|&a, &b| got[a].total_cmp(&got[b])).unwrap();
        assert_eq!(checkpoint.labels.unwrap()[best], "daisy");
    });
}
