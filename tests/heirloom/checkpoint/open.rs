//! Recognising what is right.

use super::files::*;
use heirloom_nn::vit::{HostTensor, Pool, VitConfig};
use heirloom_platform::file::FileHandle;

fn check(files: &[&str], expected: VitConfig, family: &str) {
    let checkpoint = open(&fixtures(files)).unwrap_or_else(|error| panic!("{files:?}: {error}"));
    assert_eq!(checkpoint.config, expected.clone().into(), "{files:?}");
    assert_eq!(checkpoint.family, family, "{files:?}");
    assert!(checkpoint.missing.is_empty() && checkpoint.unexpected.is_empty(), "{files:?}: {checkpoint:?}");
    assert_eq!(checkpoint.parameters, expected.parameters());
    checkpoint.check_complete().unwrap();
    for (key, shape) in expected.tensors() {
        assert_eq!(tensor(&checkpoint, &key).shape, shape, "{files:?}: {key}");
    }
}

#[test]
fn every_variant_of_timm_is_recognised() {
    let check = |name: &str, expected: VitConfig, family: &str| {
        check(
            &["timm.json", &format!("{name}.safetensors")],
            expected,
            &format!("{family} `vit_tiny_for_tests` (timm names)"),
        );
    };
    check("vit", tiny(), "ViT");
    check("vit_f16", tiny(), "ViT");
    check("vit_bf16", tiny(), "ViT");
    check("no_qkv_bias", VitConfig { qkv_bias: false, ..tiny() }, "ViT");
    check("layer_scale", VitConfig { layer_scale: true, classes: None, ..tiny() }, "ViT");
    let registers = VitConfig { layer_scale: true, register_tokens: 3, pos_embed_prefix: false, ..tiny() };
    check("registers", registers, "ViT with registers");
    let registers = VitConfig { register_tokens: 2, classes: None, ..tiny() };
    check("registers_with_positions", registers, "ViT with registers");
    check("average_pool", VitConfig { pool: Pool::Avg, ..tiny() }, "ViT");
    let without_cls = VitConfig { pool: Pool::Avg, cls_token: false, pos_embed_prefix: false, ..tiny() };
    check("average_pool_without_cls", without_cls, "ViT");
    check("qk_norm", VitConfig { qk_norm: true, ..tiny() }, "ViT");
    check("distilled", VitConfig { distilled: true, ..tiny() }, "DeiT, distilled");
}

#[test]
fn hugging_face_and_torchvision_names_are_recognised() {
    check(&["hf_vit/model.safetensors", "hf_vit/config.json"], tiny(), "ViT (Hugging Face names)");
    let dinov2 = VitConfig { layer_scale: true, register_tokens: 3, classes: None, ..tiny() };
    let files = ["hf_dinov2_registers/config.json", "hf_dinov2_registers/model.safetensors"];
    check(&files, dinov2, "DINOv2 with registers (Hugging Face names)");
    let deit = VitConfig { distilled: true, ..tiny() };
    check(&["hf_deit/model.safetensors", "hf_deit/config.json"], deit, "DeiT, distilled (Hugging Face names)");
    check(&["torchvision.safetensors", "timm.json"], tiny(), "ViT `vit_tiny_for_tests` (torchvision names)");
}

#[test]
fn the_stored_element_type_is_reported_and_read_exactly() {
    for (name, dtype) in [("vit", "F32"), ("vit_f16", "F16"), ("vit_bf16", "BF16")] {
        let checkpoint = open(&fixtures(&[&format!("{name}.safetensors")])).unwrap();
        assert_eq!(checkpoint.dtype, dtype);
        for (key, expected) in crate_tensors(&format!("{name}.safetensors")) {
            assert_eq!(tensor(&checkpoint, &key), expected, "{name}: {key}");
        }
    }
}

#[test]
fn double_precision_is_read() {
    let header = |start: usize, key: &str, shape: &[usize]| {
        let end = start + 8 * shape.iter().product::<usize>();
        (end, format!(r#""{key}":{{"dtype":"F64","shape":{shape:?},"data_offsets":[{start},{end}]}}"#))
    };
    let (mut at, mut entries, mut data) = (0, Vec::new(), Vec::new());
    for (key, tensor) in crate_tensors("vit.safetensors") {
        let (end, entry) = header(at, &key, &tensor.shape);
        entries.push(entry);
        data.extend(tensor.values.iter().flat_map(|&value| f64::from(value).to_le_bytes()));
        at = end;
    }
    let checkpoint = open_bytes("double.safetensors", raw(&format!("{{{}}}", entries.join(",")), &data)).unwrap();
    assert_eq!(checkpoint.dtype, "F64");
    assert_eq!(tensor(&checkpoint, "pos_embed"), crate_tensors("vit.safetensors")["pos_embed"]);
}

#[test]
fn query_key_and_value_of_hugging_face_are_fused_in_this_order() {
    let checkpoint = open(&fixtures(&["hf_vit/model.safetensors"])).unwrap();
    let file = crate_tensors("hf_vit/model.safetensors");
    for kind in ["weight", "bias"] {
        let part = |name: &str| file[&format!("vit.encoder.layer.1.attention.attention.{name}.{kind}")].values.clone();
        let fused = tensor(&checkpoint, &format!("blocks.1.attn.qkv.{kind}"));
        assert_eq!(fused.values, [part("query"), part("key"), part("value")].concat());
        assert_eq!(fused.shape[0], 96);
    }
}

#[test]
fn positions_of_register_tokens_move_into_the_tokens() {
    let checkpoint = open(&fixtures(&["registers_with_positions.safetensors"])).unwrap();
    let file = crate_tensors("registers_with_positions.safetensors");
    let (positions, registers) = (&file["pos_embed"].values, &file["reg_token"].values);
    let expected: Vec<f32> = registers.iter().zip(&positions[32..]).map(|(token, position)| token + position).collect();
    assert_eq!(tensor(&checkpoint, "reg_token"), HostTensor { shape: vec![1, 2, 32], values: expected });
    let expected = [&positions[..32], &positions[96..]].concat();
    assert_eq!(tensor(&checkpoint, "pos_embed"), HostTensor { shape: vec![1, 17, 32], values: expected });
}

#[test]
fn shards_open_together_in_any_order() {
    let (one, two) = ("hf_shards/model-00001-of-00002.safetensors", "hf_shards/model-00002-of-00002.safetensors");
    let files = [two, "hf_shards/model.safetensors.index.json", one, "hf_shards/config.json"];
    check(&files, VitConfig { classes: None, ..tiny() }, "ViT (Hugging Face names)");
    let missing = "`model-00001-of-00002.safetensors` is missing, the weights are spread over several files; drop all \
                   of them together";
    assert_eq!(sentence(open(&fixtures(&[two]))), missing);
    let renamed = FileHandle::from_bytes("second.safetensors", fixture_bytes(two));
    assert_eq!(sentence(open(&[renamed, fixture("hf_shards/model.safetensors.index.json")])), missing);
}

#[test]
fn a_mask_token_is_no_surprise() {
    let files = ["hf_dinov2_registers/model.safetensors", "hf_dinov2_registers/config.json"];
    let checkpoint = open(&fixtures(&files)).unwrap();
    assert!(checkpoint.unexpected.is_empty());
    assert_eq!(checkpoint.assumptions, [UNSAID]);
}

#[test]
fn heads_of_64_channels_are_assumed_and_said() {
    let config = VitConfig { embed_dim: 128, num_heads: 2, head_dim: 64, depth: 1, mlp_dim: 8, ..tiny() };
    let checkpoint = open_bytes("model.safetensors", plain(&constant(&config, 0.5))).unwrap();
    assert_eq!(checkpoint.config, config.into());
    assert_eq!(
        checkpoint.assumptions,
        [
            "2 heads of 64 channels, the habit of this size: the file does not say how many heads there are (a \
             `config.json` dropped with it would)",
            UNSAID
        ]
    );
}

#[test]
fn labels_and_preprocessing_come_from_the_descriptions() {
    let labels = Some(["daisy", "dandelion", "roses", "sunflowers", "tulips"].map(String::from).to_vec());
    let files = ["hf_vit/model.safetensors", "hf_vit/config.json", "hf_vit/preprocessor_config.json"];
    let checkpoint = open(&fixtures(&files)).unwrap();
    let preprocessing = checkpoint.preprocessing.unwrap();
    assert_eq!((checkpoint.labels, preprocessing.mean, preprocessing.std), (labels.clone(), [0.5; 3], [0.25; 3]));
    let checkpoint = open(&fixtures(&["vit.safetensors", "timm.json"])).unwrap();
    let preprocessing = checkpoint.preprocessing.unwrap();
    assert_eq!((checkpoint.labels, preprocessing.mean, preprocessing.image_size), (labels, [0.5, 0.4, 0.3], 16));
}

#[test]
fn a_misspelt_key_is_listed_with_its_neighbour_and_refused_when_read() {
    let mut tensors = crate_tensors("vit.safetensors");
    let moved = tensors.remove("blocks.1.attn.proj.bias").unwrap();
    tensors.insert("blocks.1.atn.proj.bias".into(), moved);
    let checkpoint = open_bytes("vit.safetensors", plain(&tensors)).unwrap();
    let (right, wrong) = ("blocks.1.attn.proj.bias".to_string(), "blocks.1.atn.proj.bias".to_string());
    assert_eq!(checkpoint.missing, [(right.clone(), Some(wrong.clone()))]);
    assert_eq!(checkpoint.unexpected, [(wrong, Some(right.clone()))]);
    let expected = "`blocks.1.attn.proj.bias` is missing from the weights, the nearest name is `blocks.1.atn.proj.bias`; \
         save or fetch the whole model again";
    assert_eq!(read(&checkpoint, &right).unwrap_err().to_string(), expected);
    assert_eq!(checkpoint.check_complete().unwrap_err().to_string(), expected);
}

#[test]
fn a_classifier_of_cls_and_mean_side_by_side_opens_and_a_wider_one_is_left_out() {
    let with_classifier = |width: usize| {
        let mut tensors = crate_tensors("hf_dinov2_registers/model.safetensors");
        let weight = HostTensor { shape: vec![5, width], values: vec![0.0; 5 * width] };
        tensors.insert("classifier.weight".into(), weight);
        tensors.insert("classifier.bias".into(), HostTensor { shape: vec![5], values: vec![0.0; 5] });
        let bytes = FileHandle::from_bytes("model.safetensors", plain(&tensors));
        open(&[bytes, fixture("hf_dinov2_registers/config.json")]).unwrap()
    };
    let checkpoint = with_classifier(64);
    assert_eq!((checkpoint.config.classes(), checkpoint.config.vit().unwrap().pool), (Some(5), Pool::ClsAvg));
    assert_eq!((checkpoint.assumptions.as_slice(), checkpoint.unexpected.len()), (&[UNSAID.to_owned()][..], 0));
    let checkpoint = with_classifier(96);
    assert_eq!((checkpoint.config.classes(), checkpoint.unexpected.len()), (None, 0));
    let said = "the classifier is left out: it reads 96 channels, the model gives 32";
    assert_eq!(checkpoint.assumptions, [said, UNSAID]);
}

#[test]
fn an_older_deits_gammas_and_prefixes_are_understood() {
    let rename = |key: &str| {
        let key = key.replace("ls1.gamma", "gamma_1").replace("ls2.gamma", "gamma_2");
        format!("module.{key}")
    };
    let tensors: Tensors =
        crate_tensors("layer_scale.safetensors").into_iter().map(|(key, tensor)| (rename(&key), tensor)).collect();
    let checkpoint =
        open(&[FileHandle::from_bytes("deit.safetensors", plain(&tensors)), fixture("timm.json")]).unwrap();
    assert_eq!(checkpoint.config, VitConfig { layer_scale: true, classes: None, ..tiny() }.into());
    assert_eq!(tensor(&checkpoint, "blocks.1.ls2.gamma"), tensors["module.blocks.1.gamma_2"]);
    assert!(checkpoint.unexpected.is_empty() && checkpoint.missing.is_empty());
}

#[test]
fn dinov2s_own_file_is_recognised_by_its_tokens() {
    let mut tensors = crate_tensors("registers.safetensors");
    let registers = tensors.remove("reg_token").unwrap();
    tensors.insert("register_tokens".into(), registers.clone());
    tensors.insert("mask_token".into(), HostTensor { shape: vec![1, 32], values: vec![0.0; 32] });
    let checkpoint = open_bytes("dinov2_vits14_reg4.pth", plain(&tensors)).unwrap();
    assert_eq!(checkpoint.family, "DINOv2 with registers (timm names)");
    assert_eq!(tensor(&checkpoint, "reg_token"), registers);
    assert!(checkpoint.unexpected.is_empty() && checkpoint.missing.is_empty());
}

#[test]
fn query_and_value_without_their_key_are_no_fused_tensor() {
    let mut tensors = crate_tensors("hf_vit/model.safetensors");
    let part = |name: &str| format!("vit.encoder.layer.1.attention.attention.{name}.bias");
    tensors.remove(&part("key"));
    let checkpoint = open_bytes("model.safetensors", plain(&tensors)).unwrap();
    assert_eq!(checkpoint.missing, [("blocks.1.attn.qkv.bias".to_string(), None)]);
    let unexpected: Vec<&String> = checkpoint.unexpected.iter().map(|(key, _)| key).collect();
    assert_eq!(unexpected, [&part("query"), &part("value")]);
}

#[test]
fn files_that_merely_lay_beside_the_weights_are_named_and_not_used() {
    let readme = FileHandle::from_bytes("README.md", b"# A model\n".to_vec());
    let tokens = FileHandle::from_bytes("tokenizer.json", b"{\"version\": 1}".to_vec());
    let checkpoint = open(&[readme, fixture("vit.safetensors"), fixture("timm.json"), tokens]).unwrap();
    assert_eq!(
        checkpoint.assumptions,
        ["`tokenizer.json` is not used, it does not describe a model", "`README.md` is not used"]
    );
}

#[test]
fn opening_reads_headers_only_and_a_tensor_its_own_bytes() {
    let read_so_far = || {
        let io = std::fs::read_to_string("/proc/thread-self/io").ok()?;
        io.lines().find_map(|line| line.strip_prefix("rchar: "))?.parse::<u64>().ok()
    };
    let Some(before) = read_so_far() else { return };
    // As large as DeiT-B in f32: 346 MB, of which nothing takes place on the disk.
    let file = tempfile::NamedTempFile::new().unwrap();
    let config = VitConfig {
        image_size: 224,
        patch_size: 16,
        embed_dim: 768,
        depth: 12,
        num_heads: 12,
        head_dim: 64,
        mlp_dim: 3072,
        ..tiny()
    };
    let (mut entries, mut at) = (Vec::new(), 0);
    for (key, shape) in config.tensors() {
        let end = at + 4 * shape.iter().product::<usize>();
        entries.push(format!(r#""{key}":{{"dtype":"F32","shape":{shape:?},"data_offsets":[{at},{end}]}}"#));
        at = end;
    }
    let header = raw(&format!("{{{}}}", entries.join(",")), &[]);
    std::fs::write(file.path(), &header).unwrap();
    file.as_file().set_len((header.len() + at) as u64).unwrap();
    let checkpoint = open(&[FileHandle::from_path("deit_b.safetensors", file.path()).unwrap()]).unwrap();
    let opened = read_so_far().unwrap() - before;
    assert_eq!(checkpoint.config, config.into());
    assert!(opened < 64_000, "opening read {opened} bytes");
    tensor(&checkpoint, "blocks.3.mlp.fc1.weight");
    let read = read_so_far().unwrap() - before - opened;
    assert!((3072 * 768 * 4..3072 * 768 * 4 + 4096).contains(&read), "the tensor took {read} bytes");
}

#[test]
fn the_real_vit_s_opens_with_and_without_its_config() {
    let shared = std::env::var("HEIRLOOM_SHARED").unwrap_or("../shared".into());
    let folder = format!("{shared}/data/models/vit_s14_224_hf");
    let Ok(weights) = FileHandle::from_path("model.safetensors", format!("{folder}/model.safetensors")) else {
        eprintln!("not checked: {folder} is not here");
        return;
    };
    let config = FileHandle::from_path("config.json", format!("{folder}/config.json")).unwrap();
    let (alone, both) = (open(std::slice::from_ref(&weights)).unwrap(), open(&[weights, config]).unwrap());
    let expected = VitConfig {
        image_size: 224,
        patch_size: 14,
        embed_dim: 384,
        depth: 12,
        num_heads: 6,
        head_dim: 64,
        mlp_dim: 1536,
        classes: None,
        ..tiny()
    };
    assert_eq!((alone.config, alone.assumptions.len()), (expected.clone().into(), 3));
    assert_eq!((both.config.clone(), both.dtype.as_str()), (expected.into(), "F16"));
    assert_eq!(both.family, "ViT (Hugging Face names)");
    assert_eq!(both.assumptions, [UNSAID]);
    assert!(both.missing.is_empty() && both.unexpected.is_empty());
    assert_eq!(tensor(&both, "blocks.11.attn.qkv.weight").shape, [1152, 384]);
}
