//! Weights as training programs, sites and browsers leave them.

use super::files::*;
use heirloom_checkpoint::Checkpoint;
use heirloom_nn::vit::{HostTensor, VitConfig};
use heirloom_platform::file::FileHandle;
use std::io::Read;

fn bytes(name: &str, bytes: impl Into<Vec<u8>>) -> FileHandle {
    FileHandle::from_bytes(name, bytes.into())
}

/// Weights under other names.
fn renamed(tensors: Tensors, rename: impl Fn(&str) -> String) -> Tensors {
    tensors.into_iter().map(|(key, tensor)| (rename(&key), tensor)).collect()
}

/// The model of `vit.safetensors`, with nothing missing and nothing left over.
fn check_vit(checkpoint: &Checkpoint) {
    assert_eq!(checkpoint.config, tiny().into());
    assert!(checkpoint.missing.is_empty() && checkpoint.unexpected.is_empty(), "{checkpoint:?}");
    for (key, expected) in crate_tensors("vit.safetensors") {
        assert_eq!(tensor(checkpoint, &key), expected, "{key}");
    }
}

#[test]
fn names_of_state_dictionaries_since_transformers_5_are_those_of_the_files() {
    let rename = |key: &str| {
        let mut key = key.to_owned();
        for (old, new) in [
            ("attention.attention.query", "attention.q_proj"),
            ("attention.attention.key", "attention.k_proj"),
            ("attention.attention.value", "attention.v_proj"),
            ("attention.output.dense", "attention.o_proj"),
            ("intermediate.dense", "mlp.fc1"),
            ("output.dense", "mlp.fc2"),
        ] {
            key = key.replace(old, new);
        }
        key
    };
    let table = [
        ("hf_vit", "encoder.layer.", "layers.", true),
        ("hf_deit", "encoder.layer.", "layers.", true),
        ("hf_dinov2_registers", "encoder.layer.", "encoder.layer.", false),
    ];
    for (folder, old, new, has_head) in table {
        let file = format!("{folder}/model.safetensors");
        let config = fixture(&format!("{folder}/config.json"));
        let other = renamed(crate_tensors(&file), |key| rename(key).replace(old, new));
        assert!(other.keys().any(|key| key.contains("layer") && key.ends_with("1.attention.q_proj.weight")));
        let given = open(&[fixture(&file), config.clone()]).unwrap();
        let checkpoint = open(&[bytes("m.safetensors", plain(&other)), config]).unwrap();
        assert_eq!((&checkpoint.config, &checkpoint.family), (&given.config, &given.family));
        assert_eq!(checkpoint.config.classes().is_some(), has_head);
        assert!(checkpoint.missing.is_empty() && checkpoint.unexpected.is_empty(), "{folder}: {checkpoint:?}");
        for (key, _) in checkpoint.config.tensors() {
            assert_eq!(tensor(&checkpoint, &key), tensor(&given, &key), "{folder}: {key}");
        }
    }
}

const TRAINER: [&str; 4] =
    ["trainer/optimizer.pt", "trainer/rng_state.pth", "trainer/scheduler.pt", "trainer/training_args.bin"];

#[test]
fn what_a_trainer_leaves_beside_the_weights_is_passed_over_with_a_word() {
    let mut files = fixtures(&TRAINER);
    files.insert(1, bytes("checkpoint-500/pytorch_model.bin", fixture_bytes("vit_legacy.pth")));
    files.push(fixture("timm.json"));
    files.push(bytes("checkpoint-500/trainer_state.json", r#"{"global_step": 500}"#));
    let checkpoint = open(&files).unwrap();
    check_vit(&checkpoint);
    assert_eq!(checkpoint.name, "pytorch_model.bin");
    // Nothing else has to be kept to open it again.
    let sources: Vec<&str> = checkpoint.sources.iter().map(FileHandle::name).collect();
    assert_eq!(sources, ["pytorch_model.bin", "timm.json"]);
    let said = [
        "`trainer_state.json` is not used, it does not describe a model",
        "`optimizer.pt`, `rng_state.pth`, `scheduler.pt` and `training_args.bin` are not used",
    ];
    assert_eq!(checkpoint.assumptions, said);
    files[1] = fixture("vit.safetensors");
    let said = "`optimizer.pt`, `rng_state.pth`, `scheduler.pt` and `training_args.bin` are not used, the safetensors \
                files beside them are";
    assert!(open(&files).unwrap().assumptions.contains(&said.to_owned()));
}

#[test]
fn a_trainers_files_alone_say_what_they_are() {
    let state = "a PyTorch file without weights, with the state of a training most likely";
    let table = [
        (TRAINER[0], format!("{state} (`state.0.step`, …)")),
        (TRAINER[1], format!("{state} (`cpu`, …)")),
        (TRAINER[2], "a PyTorch file without a single tensor".into()),
        (TRAINER[3], "a whole Python object (`transformers.training_args.TrainingArguments`) that only".into()),
    ];
    for (file, found) in table {
        let said = sentence(open(&fixtures(&[file])));
        let name = file.trim_start_matches("trainer/");
        assert!(said.starts_with(&format!("`{name}` is {found}")), "{said}");
    }
}

const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 346284714\n";

#[test]
fn a_folder_of_the_hub_opens_by_its_weights_and_the_rest_is_named() {
    let files = [
        bytes("vit/.gitattributes", "*.bin filter=lfs\n"),
        bytes("vit/README.md", "# A model\n"),
        bytes("vit/flax_model.msgpack", b"\x81\xa3vit\x81\xa5layer\xc0\xff\xfe".to_vec()),
        bytes("vit/pytorch_model.bin", POINTER),
        bytes("vit/tf_model.h5", b"\x89HDF\r\n\x1a\n\0\0".to_vec()),
        fixture("vit.safetensors"),
        fixture("timm.json"),
    ];
    let checkpoint = open(&files).unwrap();
    check_vit(&checkpoint);
    let said = [
        "`pytorch_model.bin` is a git-lfs pointer and not needed",
        "`.gitattributes`, `README.md`, `flax_model.msgpack` and `tf_model.h5` are not used",
    ];
    assert_eq!(checkpoint.assumptions, said);
    // Where nothing opens, of all files the one that stands for weights which would.
    let said = sentence(open(&files[..5]));
    assert!(said.starts_with("`pytorch_model.bin` is a git-lfs pointer and not the file itself, so"), "{said}");
}

const SHARDS: [&str; 2] = ["hf_shards/model-00001-of-00002.safetensors", "hf_shards/model-00002-of-00002.safetensors"];

/// The shards and their configuration under other names, with these files beside them.
fn shards(names: [&str; 2], beside: &[FileHandle]) -> Vec<FileHandle> {
    let shard = |(name, file): (&str, &str)| bytes(name, fixture_bytes(file));
    let mut files: Vec<_> = names.into_iter().zip(SHARDS).map(shard).collect();
    files.extend([fixture("hf_shards/config.json")].into_iter().chain(beside.iter().cloned()));
    files
}

#[test]
fn shards_open_under_whatever_names_they_have() {
    let index = fixture("hf_shards/model.safetensors.index.json");
    let text = String::from_utf8(fixture_bytes("hf_shards/model.safetensors.index.json")).unwrap();
    let other_format = bytes("pytorch_model.bin.index.json", text.replace("model-", "pytorch_model-"));
    let padded = ["model-00001-of-000002.safetensors", "model-00002-of-000002.safetensors"];
    let twice = ["model-00001-of-00002 (1).safetensors", "model-00002-of-00002 (1).safetensors"];
    let usual = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    let table = [
        shards(padded, &[]),
        shards(padded, std::slice::from_ref(&index)),
        shards(twice, &[]),
        shards(twice, std::slice::from_ref(&index)),
        shards(usual, &[index, other_format.clone()]),
        shards(usual, &[other_format]),
        shards([usual[0], "the rest.safetensors"], &[]),
    ];
    for files in table {
        let checkpoint = open(&files).unwrap_or_else(|error| panic!("{files:?}: {error}"));
        assert_eq!(checkpoint.config, VitConfig { classes: None, ..tiny() }.into());
        assert!(checkpoint.missing.is_empty() && checkpoint.unexpected.is_empty());
    }
    let said = sentence(open(&shards(padded, &[])[1..]));
    assert!(said.starts_with("`model-00001-of-000002.safetensors` is missing, the weights are spread"), "{said}");
    // Handed over, but only as what a clone without large files leaves.
    let mut files = shards(usual, &[]);
    files[0] = bytes(usual[0], POINTER);
    let said = sentence(open(&files));
    assert!(said.starts_with("`model-00001-of-00002.safetensors` is a git-lfs pointer and not"), "{said}");
}

#[test]
fn a_classifier_beside_the_network_is_the_models() {
    let rename = |key: &str| {
        let part = if key.starts_with("head.") { "" } else { "backbone." };
        format!("model.{part}{key}")
    };
    let vit = renamed(crate_tensors("vit.safetensors"), rename);
    check_vit(&open(&[bytes("m.safetensors", plain(&vit)), fixture("timm.json")]).unwrap());

    let checkpoint = open(&fixtures(&["resnet_framework.pth"])).unwrap();
    let twin = std::fs::read("fixtures/cnn/basic.safetensors").unwrap();
    let twin = open_bytes("twin.safetensors", twin).unwrap();
    assert_eq!((&checkpoint.config, checkpoint.config.classes()), (&twin.config, Some(5)));
    assert!(checkpoint.missing.is_empty() && checkpoint.unexpected.is_empty(), "{checkpoint:?}");
    assert_eq!(checkpoint.assumptions, twin.assumptions);
    for (key, _) in twin.config.tensors() {
        assert_eq!(tensor(&checkpoint, &key), tensor(&twin, &key), "{key}");
    }
    let labels = ["daisy", "dandelion", "roses", "sunflowers", "tulips"].map(String::from);
    assert_eq!(checkpoint.labels, Some(labels.to_vec()));
}

#[test]
fn what_lies_outside_the_model_is_named_unless_it_is_an_optimisers() {
    let mut tensors = renamed(crate_tensors("vit.safetensors"), |key| format!("teacher.backbone.{key}"));
    let projection = tensors["teacher.backbone.head.bias"].clone();
    tensors.insert("teacher.head.mlp.0.bias".into(), projection);
    let checkpoint = open(&[bytes("m.safetensors", plain(&tensors)), fixture("timm.json")]).unwrap();
    check_vit(&checkpoint);
    let said = "left alone outside `teacher.backbone.`: 1 tensors (`teacher.head.mlp.0.bias`, …)";
    assert_eq!(checkpoint.assumptions, [said]);
}

#[test]
fn a_tensor_that_stands_twice_in_a_file_is_refused_with_both_its_names() {
    let mut tensors = crate_tensors("vit.safetensors");
    let norm = tensors["blocks.1.norm1.bias"].clone();
    tensors.insert("blocks.1._orig_mod.norm1.bias".into(), norm.clone());
    assert_eq!(
        sentence(open_bytes("m.safetensors", plain(&tensors))),
        "`m.safetensors` holds `blocks.1.norm1.bias` twice, as `blocks.1._orig_mod.norm1.bias` and as \
         `blocks.1.norm1.bias`; save one model only"
    );
    let mut tensors = crate_tensors("layer_scale.safetensors");
    tensors.insert("blocks.0.gamma_1".into(), norm);
    assert_eq!(
        sentence(open_bytes("m.safetensors", plain(&tensors))),
        "`m.safetensors` holds `blocks.0.ls1.gamma` twice, as `blocks.0.gamma_1` and as `blocks.0.ls1.gamma`; save one \
         model only"
    );
    let twice =
        ["a/model.safetensors", "b/model.safetensors"].map(|path| bytes(path, fixture_bytes("vit.safetensors")));
    let said =
        "`blocks.0.attn.proj.bias` is in both `a/model.safetensors` and `b/model.safetensors`; drop only one of them";
    assert_eq!(sentence(open(&twice)), said);
}

/// The entries of a PyTorch file, by an independent reader.
fn entries(file: &str) -> Vec<(String, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(fixture_bytes(file))).unwrap();
    let mut entries = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let (name, mut content) = (entry.name().unwrap().into_owned(), Vec::new());
        entry.read_to_end(&mut content).unwrap();
        entries.push((name, content));
    }
    entries
}

#[test]
fn a_checkpoint_that_was_unpacked_opens_as_a_folder() {
    let files: Vec<_> = entries("vit_training.pth")
        .into_iter()
        .map(|(name, content)| bytes(&format!("down/{name}"), content))
        .collect();
    let folder = files[0].path().split('/').nth(1).unwrap().to_owned();
    let mut with_config = files.clone();
    with_config.insert(3, fixture("timm.json"));
    let checkpoint = open(&with_config).unwrap();
    check_vit(&checkpoint);
    assert_eq!(checkpoint.name, folder);
    check_vit(&open(&checkpoint.sources).unwrap());

    let alone: Vec<_> = files.iter().filter(|file| file.name() == "data.pkl").cloned().collect();
    let said = sentence(open(&alone));
    let found = "`data.pkl` is the description out of a PyTorch checkpoint that was unpacked, without the numbers in its \
                 folder `data`, so drop the whole folder, or get the file unopened; ";
    assert!(said.starts_with(found), "{said}");
    let lacking: Vec<_> = files.into_iter().filter(|file| !file.path().ends_with("/data/0")).collect();
    let said = sentence(open(&lacking));
    assert!(said.contains("lies in storage `0`, which is missing"), "{said}");
}

#[test]
fn pytorchs_first_format_is_no_archive_to_unpack() {
    let mut header = b"sys_info".to_vec();
    header.resize(257, 0);
    header.extend(b"ustar\x0000");
    header.resize(1024, 0);
    let said = sentence(open_bytes("vit_2016.pth", header.clone()));
    let found = "in PyTorch's first format (before 0.1.10), so load it with PyTorch and save it again";
    assert!(said.starts_with(&format!("`vit_2016.pth` is {found}; ")), "{said}");
    header[..8].copy_from_slice(b"pictures");
    let said = sentence(open_bytes("vit.tar", header));
    assert!(said.starts_with("`vit.tar` is a tar archive, which has to be unpacked first; "), "{said}");
}

#[test]
fn a_storage_that_is_a_view_begins_where_the_view_does() {
    check_vit(&open(&fixtures(&["vit_flattened.pth", "timm.json"])).unwrap());
    // The first view's length, 32, becomes 31: too short for its tensor.
    let mut stream = fixture_bytes("vit_flattened.pth");
    let at = stream.windows(4).position(|window| window == b"7000").unwrap() + 4;
    let length = stream[at..at + 40].windows(2).position(|window| window == [b'K', 32]).unwrap();
    stream[at + length + 1] = 31;
    let said = sentence(open_bytes("m.pth", stream.clone()));
    assert!(said.contains("does not fit its storage of 124 bytes"), "{said}");
    // A view that leads out of its storage.
    stream[at + length] = b'J';
    let said =
        sentence(open_bytes("m.pth", [&stream[..=at + length], &[0, 0, 1, 0], &stream[at + length + 2..]].concat()));
    assert!(said.contains("is damaged: a view of 65536 elements from 0 on, in a storage of 19461"), "{said}");
}

#[test]
fn a_whole_model_in_a_dictionary_is_named_with_its_key() {
    let said = sentence(open(&fixtures(&["whole_model.pth"])));
    let found = "a PyTorch file in which `net` is a whole Python object \
                 (`timm.models.vision_transformer.VisionTransformer`) that only its own code can open, so save \
                 `model.state_dict()` instead";
    assert!(said.starts_with(&format!("`whole_model.pth` is {found}; ")), "{said}");
}

#[test]
fn a_state_dictionary_in_a_tuple_opens() {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, mut content) in entries("vit_training.pth") {
        if name.ends_with("data.pkl") {
            // (what it was, 3).
            assert_eq!(content.pop(), Some(b'.'));
            content.extend(b"K\x03\x86.");
        }
        writer.start_file(name, stored).unwrap();
        std::io::Write::write_all(&mut writer, &content).unwrap();
    }
    let tuple = bytes("tuple.pth", writer.finish().unwrap().into_inner());
    check_vit(&open(&[tuple, fixture("timm.json")]).unwrap());
}

#[test]
fn an_old_flat_description_of_timm_says_the_same() {
    let flat = r#"{"architecture": "vit_tiny_for_tests", "num_classes": 5, "global_pool": "token",
        "input_size": [3, 16, 16], "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "classifier": "head",
        "labels": ["daisy", "dandelion", "roses", "sunflowers", "tulips"]}"#;
    let checkpoint = open(&[fixture("vit.safetensors"), bytes("config.json", flat)]).unwrap();
    let said = checkpoint.preprocessing.unwrap();
    assert_eq!((said.mean, said.std, said.image_size), ([0.5; 3], [0.5; 3], 16));
    assert_eq!(checkpoint.labels.unwrap()[4], "tulips");
    assert!(!checkpoint.assumptions.contains(&UNSAID.to_owned()), "{:?}", checkpoint.assumptions);
    let alone = open(&fixtures(&["vit.safetensors"])).unwrap();
    assert_eq!((alone.preprocessing, alone.assumptions.last().unwrap().as_str()), (None, UNSAID));
}

#[test]
fn timms_vgg_has_its_last_layers_as_convolutions() {
    let file = safetensors_of("fixtures/cnn/vgg.safetensors");
    let width = open_bytes("m.safetensors", plain(&file)).unwrap().config.cnn().unwrap().stages.last().unwrap().width;
    let of = |shape: Vec<usize>, first: f32| {
        let count = shape.iter().product::<usize>();
        HostTensor { shape, values: (0..count).map(|at| first + at as f32).collect() }
    };
    let features: Tensors = file.into_iter().filter(|(key, _)| key.starts_with("features.")).collect();
    let layers = [
        ("pre_logits.fc1", "classifier.0", vec![6, width, 7, 7]),
        ("pre_logits.fc2", "classifier.3", vec![6, 6, 1, 1]),
        ("head.fc", "classifier.6", vec![5, 6]),
    ];
    let (mut timm, mut torchvision) = (features.clone(), features);
    for (at, (theirs, ours, shape)) in layers.into_iter().enumerate() {
        let matrix = vec![shape[0], shape[1..].iter().product()];
        timm.insert(format!("{theirs}.bias"), of(vec![shape[0]], at as f32));
        torchvision.insert(format!("{ours}.bias"), of(vec![shape[0]], at as f32));
        timm.insert(format!("{theirs}.weight"), of(shape, at as f32));
        torchvision.insert(format!("{ours}.weight"), of(matrix, at as f32));
    }
    let (timm, twin) =
        (open_bytes("m.safetensors", plain(&timm)).unwrap(), open_bytes("m.safetensors", plain(&torchvision)).unwrap());
    let config = timm.config.cnn().unwrap();
    assert_eq!((config.pooled_side, config.hidden.as_slice(), config.classes), (7, &[6, 6][..], Some(5)));
    assert_eq!((&timm.config, timm.parameters), (&twin.config, twin.parameters));
    assert!(timm.missing.is_empty() && timm.unexpected.is_empty(), "{timm:?}");
    for (key, _) in twin.config.tensors() {
        assert_eq!(tensor(&timm, &key), tensor(&twin, &key), "{key}");
    }
}

#[test]
fn an_export_of_teachable_machine_says_what_it_is_and_what_can_be_used() {
    let lite = [&[0x1c, 0, 0, 0][..], b"TFL3\0\0\0\0"].concat();
    let layers = r#"{"format": "layers-model", "modelTopology": {}, "weightsManifest": []}"#;
    let labels = bytes("labels.txt", "0 Class 1\n1 Class 2\n");
    let table = [
        (
            vec![
                bytes("weights.bin", vec![0x78, 0xfd, 0x50, 0x3e, 0x9d, 0xd9, 0x82, 0xbe, 0xd7, 0x40]),
                bytes("metadata.json", r#"{"tfjsVersion": "1.3.1", "labels": ["Class 1", "Class 2"]}"#),
                bytes("model.json", layers),
            ],
            "`metadata.json` is part of a TensorFlow.js model",
        ),
        (
            vec![labels.clone(), bytes("model_unquant.tflite", lite)],
            "`model_unquant.tflite` is a TensorFlow Lite model",
        ),
        (
            vec![labels, bytes("keras_model.h5", b"\x89HDF\r\n\x1a\n\0\0".to_vec())],
            "`keras_model.h5` is an HDF5 file with weights of Keras or TensorFlow",
        ),
    ];
    for (files, found) in table {
        let said = sentence(open(&files));
        let rest = " (Teachable Machine exports such), which cannot be an ancestor; the pictures it learned from can be \
                    used in step 2; ";
        assert!(said.starts_with(&format!("{found}{rest}")), "{said}");
    }
}
