//! Convolutional networks in files: recognised, refused, given pictures, written and opened again.

use std::collections::BTreeMap;

use burn::tensor::{Tensor, TensorData};
use heirloom_checkpoint::{Checkpoint, CheckpointError, Description, METADATA_KEY, write_safetensors};
use heirloom_data::{Normalise, evaluation_picture, open as open_picture, walk};
use heirloom_engine::normalise;
use heirloom_nn::cnn::{BlockKind, Cnn, CnnConfig, Shortcut};
use heirloom_nn::model::Model;
use heirloom_platform::file::FileHandle;
use heirloom_train::{ClassificationMetrics, evaluate_batch};

use super::{lively, load, logits, open, small};

/// A safetensors file of zeros with these keys and shapes.
fn file(shapes: &[(&str, &[usize])]) -> Result<Checkpoint, CheckpointError> {
    let mut header = serde_json::Map::new();
    let mut at = 0;
    for (key, shape) in shapes {
        let end = at + 4 * shape.iter().product::<usize>();
        header.insert((*key).into(), serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [at, end]}));
        at = end;
    }
    let header = serde_json::Value::Object(header).to_string();
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; at]].concat();
    pollster::block_on(Checkpoint::open(&[FileHandle::from_bytes("m.safetensors", bytes)]))
}

fn refusal(shapes: &[(&str, &[usize])]) -> String {
    file(shapes).expect_err("it should have been refused").to_string()
}

/// Keys and shapes of a configuration, changed.
fn changed(
    config: &CnnConfig,
    change: impl FnOnce(&mut BTreeMap<String, Vec<usize>>),
) -> Result<Checkpoint, CheckpointError> {
    let mut tensors = config.tensors().into_iter().collect();
    change(&mut tensors);
    let shapes: Vec<(&str, &[usize])> = tensors.iter().map(|(key, shape)| (key.as_str(), shape.as_slice())).collect();
    file(&shapes)
}

type Shapes = BTreeMap<String, Vec<usize>>;

#[test]
fn every_fixture_is_recognised_whole() {
    pollster::block_on(async {
        let table = [
            ("projection", "ResNet-10 (torchvision names)", vec![(2, 4), (1, 6), (1, 9)], 32),
            ("zeros", "ResNet-10 (torchvision names)", vec![(2, 4), (1, 6), (1, 9)], 32),
            ("basic", "ResNet-10 (torchvision names)", vec![(1, 4), (1, 6), (1, 7), (1, 8)], 224),
            ("bottleneck", "ResNet-17 (torchvision names)", vec![(2, 8), (1, 12), (1, 12), (1, 16)], 224),
            ("vgg", "VGG7 with batch norm (torchvision names)", vec![(1, 4), (2, 6), (1, 8)], 16),
            (
                "vgg_dropout",
                "VGG11 with batch norm (torchvision names)",
                vec![(1, 3), (1, 4), (2, 5), (2, 6), (2, 6)],
                32,
            ),
        ];
        for (name, family, stages, size) in table {
            let checkpoint = open(name).await;
            let config = checkpoint.config.cnn().unwrap();
            assert_eq!(checkpoint.family, family, "{name}");
            let found: Vec<_> = config.stages.iter().map(|stage| (stage.depth, stage.width)).collect();
            assert_eq!((found, config.image_size, config.classes), (stages, size, Some(5)), "{name}");
            assert!(checkpoint.missing.is_empty(), "{name}: {:?}", checkpoint.missing);
            assert!(checkpoint.unexpected.is_empty(), "{name}: {:?}", checkpoint.unexpected);
            checkpoint.check_complete().unwrap();
        }
        let zeros = open("zeros").await;
        assert!(zeros.config.cnn().unwrap().stages.iter().all(|stage| stage.shortcut == Shortcut::Zeros));
        let vgg = open("vgg_dropout").await;
        let config = vgg.config.cnn().unwrap();
        assert_eq!((config.hidden.as_slice(), config.hidden_norm, config.pooled_side), (&[7][..], true, 1));
    });
}

#[test]
fn what_no_file_says_is_assumed_aloud() {
    pollster::block_on(async {
        let plain = "colours from 0 to 1 as they are, neither mean nor deviation taken away: nothing says how its pictures \
                     were prepared";
        let checkpoint = open("projection").await;
        let size = "pictures of 32 px, the habit of ResNets with a 3×3 stem: nothing says their size";
        assert_eq!(checkpoint.assumptions, [size, plain]);
        assert_eq!(normalise(&checkpoint), Normalise { mean: [0.0; 3], std: [1.0; 3] });
        let checkpoint = open("basic").await;
        assert_eq!(checkpoint.assumptions.len(), 2);
        assert!(checkpoint.assumptions[1].starts_with("ImageNet's mean and deviation"));
        assert_eq!(normalise(&checkpoint), Normalise::default());
        let checkpoint = open("vgg_dropout").await;
        assert!(checkpoint.assumptions.iter().any(|line| line.starts_with("a pooling wherever the width changes")));
        let timm = br#"{"architecture": "resnet18", "pretrained_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2],
                        "input_size": [3, 64, 64]}}"#;
        let files = [
            FileHandle::from_bytes("basic.safetensors", super::fixture("basic")),
            FileHandle::from_bytes("config.json", timm.to_vec()),
        ];
        let checkpoint = Checkpoint::open(&files).await.unwrap();
        assert_eq!(checkpoint.config.image_size(), 64);
        assert_eq!(checkpoint.family, "ResNet-10 `resnet18` (torchvision names)");
        assert_eq!(normalise(&checkpoint), Normalise { mean: [0.5; 3], std: [0.2; 3] });
        assert!(checkpoint.assumptions.is_empty(), "{:?}", checkpoint.assumptions);
    });
}

#[test]
fn torchvisions_networks_are_told_by_their_shapes_alone() {
    let wrapped = |config: CnnConfig, prefix: &str| {
        let renamed = |(key, shape): (String, Vec<usize>)| (format!("{prefix}{key}"), shape);
        let tensors: Vec<_> = config.tensors().into_iter().map(renamed).collect();
        let shapes: Vec<(&str, &[usize])> = tensors.iter().map(|(k, s)| (k.as_str(), s.as_slice())).collect();
        let checkpoint = file(&shapes).unwrap();
        assert_eq!(checkpoint.config, config.into());
        checkpoint.check_complete().unwrap();
        checkpoint.family
    };
    let resnet = |block, depths, prefix| wrapped(CnnConfig::resnet(block, depths, 7), prefix);
    assert_eq!(resnet(BlockKind::Basic, [2, 2, 2, 2], ""), "ResNet-18 (torchvision names)");
    assert_eq!(resnet(BlockKind::Basic, [3, 4, 6, 3], "module."), "ResNet-34 (torchvision names)");
    assert_eq!(resnet(BlockKind::Bottleneck, [3, 4, 6, 3], "model."), "ResNet-50 (torchvision names)");
    let small_vgg = CnnConfig { hidden: vec![16, 16], ..CnnConfig::vgg([1, 1, 2, 2, 2], 4) };
    assert_eq!(wrapped(small_vgg, ""), "VGG11 with batch norm (torchvision names)");
    let cifar = CnnConfig::cifar_resnet(3, Shortcut::Zeros, 10);
    assert_eq!(wrapped(cifar, ""), "ResNet-20 (torchvision names)");
}

#[test]
fn networks_of_other_kinds_and_broken_ones_are_refused_in_sentences() {
    let fits = "a Vision Transformer (ViT, DeiT, DINOv2 or 3, EVA, BEiT, CLIP or SigLIP, from timm or Hugging Face), a ResNet, a MobileNetV2 or a VGG with \
                batch norm would fit, as `.safetensors` or `.pth`";
    let holds = |found: &str| format!("`m.safetensors` holds {found}; {fits}");
    let said = refusal(&[("features.0.weight", &[4, 3, 3, 3]), ("features.0.bias", &[4])]);
    assert_eq!(said, holds("a VGG without batch norm (nothing of it follows `features.0`)"));
    let said = refusal(&[("features.0.weight", &[4, 3, 11, 11])]);
    assert_eq!(said, holds("an AlexNet or its like, with a convolution of 11×11 (`features.0.weight`)"));
    let config = small(Shortcut::Projection);
    let said = |change: &dyn Fn(&mut Shapes)| {
        changed(&config, |tensors| change(tensors)).map(|_| ()).expect_err("it should have been refused").to_string()
    };
    let said_unknown = said(&|tensors| _ = tensors.insert("layer2.0.attention.weight".into(), vec![6]));
    assert_eq!(
        said_unknown,
        holds("a ResNet whose blocks have parts that are not known here (`layer2.0.attention.weight`)")
    );
    let stem = said(&|tensors| _ = tensors.insert("conv1.weight".into(), vec![4, 3, 5, 5]));
    assert_eq!(stem, holds("a ResNet whose first convolution is 5×5, not 3×3 or 7×7"));
    let seam = said(&|tensors| _ = tensors.insert("layer2.0.conv1.weight".into(), vec![6, 5, 3, 3]));
    assert!(
        seam.starts_with("`m.safetensors` is damaged: stage 2 takes maps of 5 channels, but stage 1 before it gives 4"),
        "{seam}"
    );
    let shape = said(&|tensors| _ = tensors.insert("layer3.0.bn2.bias".into(), vec![8]));
    assert_eq!(shape, "`layer3.0.bn2.bias` has shape [8], but the other tensors ask for [9]; the weights are mixed up");
    let huge = said(&|tensors| _ = tensors.insert(format!("layer2.{}.conv1.weight", 1_000_000), vec![1]));
    assert!(huge.contains("`depth` would be 1000001, between 1 and 512 makes sense"), "{huge}");
    let incomplete = changed(&config, |tensors| _ = tensors.remove("layer1.0.bn1.running_var")).unwrap();
    let missing = incomplete.check_complete().unwrap_err().to_string();
    assert!(missing.starts_with("`layer1.0.bn1.running_var` is missing from the weights"), "{missing}");
}

#[test]
fn a_description_that_lies_about_a_network_is_refused() {
    let config = small(Shortcut::Zeros);
    let lie = |config: CnnConfig| {
        let description = Description { config: config.into(), labels: None, preprocessing: None };
        let text = serde_json::to_string(&description).unwrap();
        let header = serde_json::json!({"__metadata__": {METADATA_KEY: text},
            "layer1.0.conv1.weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}});
        let header = header.to_string();
        let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 4]].concat();
        let opened = pollster::block_on(Checkpoint::open(&[FileHandle::from_bytes("m.safetensors", bytes)]));
        opened.expect_err("it should have been refused").to_string()
    };
    let with_stage = |change: &dyn Fn(&mut heirloom_nn::cnn::StageConfig)| {
        let mut config = config.clone();
        change(&mut config.stages[1]);
        lie(config)
    };
    assert!(with_stage(&|stage| stage.depth = 1 << 40).contains("`depth` would be"));
    assert!(with_stage(&|stage| stage.stride = 0).contains("stage 2 cannot be built: it is empty"));
    assert!(with_stage(&|stage| stage.width = usize::MAX).contains("`width` would be"));
    assert!(with_stage(&|stage| stage.input = 5).contains("stage 2 takes maps of 5 channels"));
    assert!(lie(CnnConfig { image_size: 0, ..config.clone() }).contains("`image_size` would be 0"));
    assert!(lie(CnnConfig { pooled_side: 64, hidden: vec![1 << 17], ..config.clone() }).contains("elements"));
    assert!(lie(CnnConfig { stages: Vec::new(), ..config.clone() }).contains("`stages` would be 0"));
}

#[test]
fn an_export_opens_again_with_identical_answers() {
    pollster::block_on(async {
        let device = heirloom_nn::device::cpu();
        let mut networks = vec![lively(&small(Shortcut::Zeros), &device).await];
        for (name, size) in [("projection", 8), ("bottleneck", 32), ("vgg", 16), ("vgg_dropout", 32)] {
            networks.push(load(name, size, &device).await);
        }
        for cnn in networks {
            let labels = Some((0..5).map(|class| format!("class {class}")).collect());
            let description = Description { config: cnn.config.clone().into(), labels, preprocessing: None };
            let bytes = write_safetensors(cnn.state().await.unwrap(), &description);
            let file = FileHandle::from_bytes("descendant.safetensors", bytes);
            let checkpoint = Checkpoint::open(&[file]).await.unwrap();
            assert_eq!((&checkpoint.config, &checkpoint.labels), (&description.config, &description.labels));
            assert!(checkpoint.assumptions.is_empty() && checkpoint.unexpected.is_empty());
            let again = Cnn::load(checkpoint.config.cnn().unwrap(), &mut &checkpoint, &device).await.unwrap();
            let size = cnn.config.image_size;
            let pixels = heirloom_nn::device::uniform(2 * 3 * size * size, 3, 1.0);
            let images = Tensor::<4>::from_data(TensorData::new(pixels, [2, 3, size, size]), &device);
            assert_eq!(logits(&cnn, images.clone()).await, logits(&again, images).await);
        }
    });
}

/// Two pictures of each class; all 500 are judged by the example `evaluate`.
#[test]
fn the_given_networks_name_given_pictures() {
    let shared = std::env::var("HEIRLOOM_SHARED").unwrap_or_else(|_| "../shared".into());
    let place = |name: &str| std::path::PathBuf::from(format!("{shared}/data/models/{name}.safetensors"));
    if !place("resnet56_cifar10").exists() {
        return;
    }
    pollster::block_on(async {
        let device = heirloom_nn::device::cpu();
        // What PyTorch gives for these twenty pictures.
        for (name, parameters, right) in
            [("resnet56_cifar10", 855_770, RESNET_RIGHT), ("vgg16_cifar10_fp16", 14_991_946, VGG_RIGHT)]
        {
            let file = FileHandle::from_path(format!("{name}.safetensors"), place(name)).unwrap();
            let checkpoint = Checkpoint::open(&[file]).await.unwrap();
            checkpoint.check_complete().unwrap();
            assert_eq!((checkpoint.parameters, checkpoint.config.image_size()), (parameters, 32), "{name}");
            let model = Model::load(&checkpoint.config, &mut &checkpoint, &device).await.unwrap();
            let normalise = normalise(&checkpoint);
            let mut tally = ClassificationMetrics::new(10);
            let folder = format!("{shared}/data/pictures/cifar10/test");
            let mut folders: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
            folders.sort();
            for (class, folder) in folders.iter().enumerate() {
                let mut pixels = Vec::new();
                for file in walk(folder).unwrap().iter().take(2) {
                    let source = open_picture(file).await.unwrap();
                    let image = evaluation_picture(file.path(), &source, 32).await.unwrap();
                    let mut one = vec![0.0; 3 * 32 * 32];
                    normalise.write(&image, false, &mut one);
                    pixels.extend(one);
                }
                let images = Tensor::<4>::from_data(TensorData::new(pixels, [2, 3, 32, 32]), &device);
                evaluate_batch(&model, images, &[class; 2], &mut tally).await.unwrap();
            }
            let named = tally.confusion().iter().enumerate().map(|(class, row)| row[class]).sum::<usize>();
            assert_eq!((tally.count(), named), (20, right), "{name}");
        }
    });
}

const RESNET_RIGHT: usize = 20;
const VGG_RIGHT: usize = 20;
