//! Refusals: what was found, what would fit.

use super::files::*;
use heirloom_checkpoint::{Checkpoint, CheckpointError};
use heirloom_nn::vit::HostTensor;
use heirloom_platform::file::FileHandle;

const FITS: &str = "a Vision Transformer (ViT, DeiT, DINOv2 or 3, EVA, BEiT, CLIP or SigLIP, from timm or Hugging Face), a ResNet, a MobileNetV2 or a VGG with batch norm would fit, as `.safetensors` or `.pth`";

#[test]
fn other_kinds_of_files_are_named_by_their_content() {
    let onnx = b"\x08\x08\x12\x07pytorch\x1a\x052.0.0:\xff\x01".to_vec();
    let table: Vec<(&str, Vec<u8>, &str)> = vec![
        ("model.onnx", onnx.clone(), "an ONNX graph, which holds operations and not a model that can be taken apart"),
        ("model.pth", onnx, "an ONNX graph, which holds operations and not a model that can be taken apart"),
        (
            "model.safetensors",
            b"<!DOCTYPE html>\n<html><head><title>Not found</title>".to_vec(),
            "a web page (HTML) saved in place of the file, so use the site's download button",
        ),
        (
            "model.safetensors",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 346284714\n".to_vec(),
            "a git-lfs pointer and not the file itself, so download the file with the site's download button or `git \
             lfs pull`",
        ),
        ("notes.txt", b"my weights are elsewhere".to_vec(), "plain text"),
        ("model.bin", b"GGUF\x03\0\0\0\0\0\0\0".to_vec(), "a GGUF file of a quantised language model"),
        (
            "keras_model.h5",
            b"\x89HDF\r\n\x1a\n\0\0".to_vec(),
            "an HDF5 file with weights of Keras or TensorFlow (Teachable Machine exports such), which cannot be an \
             ancestor; the pictures it learned from can be used in step 2",
        ),
        ("cat.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(), "a picture (PNG)"),
        ("cat.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF".to_vec(), "a picture (JPEG)"),
        ("weights.tar.gz", b"\x1f\x8b\x08\0\0\0\0\0".to_vec(), "a gzip archive, which has to be unpacked first"),
        ("sizes.pkl", b"\x80\x04\x95\x05\0\0\0\0\0\0\0}\x94.".to_vec(), "a Python pickle that PyTorch did not write"),
        ("empty.pth", vec![], "empty, perhaps a download that was cut off"),
        ("random.dat", vec![0xfe, 0xdc, 0xba, 0x98, 0x12, 0x93, 0xa0, 0xff, 0x01], "of a kind that is not known here"),
        (
            "noise.safetensors",
            vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
            "no safetensors file: its header would have 578437695752307201 bytes and does not open with a brace",
        ),
    ];
    for (name, bytes, found) in table {
        assert_eq!(sentence(open_bytes(name, bytes)), format!("`{name}` is {found}; {FITS}"));
    }
}

/// A safetensors file with these keys, all scalars.
fn with_keys(keys: &[&str]) -> Vec<u8> {
    let one = |key: &&str| (key.to_string(), HostTensor { shape: vec![1], values: vec![0.0] });
    plain(&keys.iter().map(one).collect())
}

#[test]
fn other_models_are_named_by_their_keys() {
    let table: &[(&[&str], &str)] = &[
        (
            &["patch_embed.proj.weight", "layers.0.blocks.0.attn.relative_position_bias_table"],
            "a Swin Transformer (`layers.0.blocks.0.attn.relative_position_bias_table`)",
        ),
        (&["stem.0.weight", "stages.0.blocks.0.conv_dw.weight"], "a ConvNeXt (`stages.0.blocks.0.conv_dw.weight`)"),
        (&["downsample_layers.0.0.weight"], "a ConvNeXt (`downsample_layers.0.0.weight`)"),
        (
            &["layer1.0.conv1.weight", "layer1.0.se.conv1.weight"],
            "a squeeze-and-excitation ResNet (`layer1.0.se.conv1.weight`)",
        ),
        (
            &["conv1.0.weight", "layer1.0.conv1.weight"],
            "a ResNet with several convolutions in its stem (`conv1.0.weight`)",
        ),
        (&["features.0.weight", "features.3.squeeze.weight"], "a SqueezeNet (`features.3.squeeze.weight`)"),
        (&["visual.layer1.0.conv1.weight"], "a CLIP model whose tower is a ResNet (`visual.layer1.0.conv1.weight`)"),
        (
            &["bert.embeddings.word_embeddings.weight"],
            "a language model (BERT) (`bert.embeddings.word_embeddings.weight`)",
        ),
        (
            &["patch_embed.proj.weight", "blocks.0.attn.gate.weight"],
            "a Vision Transformer with gated attention (`blocks.0.attn.gate.weight`)",
        ),
        (
            &["patch_embed.proj.weight", "blocks.0.attn.lambda_q1"],
            "a Vision Transformer with differential attention (`blocks.0.attn.lambda_q1`)",
        ),
        (&[], "no tensors at all"),
        (&["a", "b", "c", "d"], "4 tensors of an unknown model (`a`, `b`, `c`, …)"),
    ];
    for (keys, found) in table {
        assert_eq!(
            sentence(open_bytes("m.safetensors", with_keys(keys))),
            format!("`m.safetensors` holds {found}; {FITS}")
        );
    }
}

#[test]
fn a_config_of_another_model_is_refused_even_if_the_keys_fit() {
    let config = FileHandle::from_bytes("config.json", br#"{"model_type": "yolos", "hidden_size": 32}"#.to_vec());
    let said = sentence(open(&[fixture("hf_vit/model.safetensors"), config]));
    assert_eq!(said, format!("`config.json` holds a model of type `yolos`; {FITS}"));
    let text = br#"{"model_type": "vit", "hidden_act": "mish"}"#.to_vec();
    let said = sentence(open(&[fixture("hf_vit/model.safetensors"), FileHandle::from_bytes("config.json", text)]));
    let found = "a Vision Transformer with the activation `mish`, which is not known here";
    assert_eq!(said, format!("`config.json` holds {found}; {FITS}"));
}

#[test]
fn a_config_that_does_not_go_with_the_weights_is_refused() {
    let config = FileHandle::from_bytes("config.json", br#"{"model_type": "vit", "num_attention_heads": 7}"#.to_vec());
    assert_eq!(
        sentence(open(&[fixture("hf_vit/model.safetensors"), config])),
        "`config.json` does not fit the weights: it says 7 heads, which cannot share 32 channels evenly; drop the one \
         that belongs to them, or none"
    );
}

#[test]
fn descriptions_or_nothing_at_all_are_no_weights() {
    assert_eq!(sentence(open(&[])), format!("no weights among no files; {FITS}"));
    assert_eq!(sentence(open(&fixtures(&["timm.json"]))), format!("no weights among `timm.json`; {FITS}"));
}

#[test]
fn the_same_weights_twice_are_refused() {
    let twice =
        [fixture("vit.safetensors"), FileHandle::from_bytes("copy.safetensors", fixture_bytes("vit.safetensors"))];
    let said = "`blocks.0.attn.proj.bias` is in both `vit.safetensors` and `copy.safetensors`; drop only one of them";
    assert_eq!(sentence(open(&twice)), said);
}

#[test]
fn damaged_headers_are_refused_with_what_does_not_add_up() {
    let entry = |key: &str, shape: &str, start: u64, end: u64| {
        format!(r#""{key}":{{"dtype":"F32","shape":{shape},"data_offsets":[{start},{end}]}}"#)
    };
    let table = [
        (raw("{\"a\": ", &[]), "its header is not readable (EOF while parsing a value at line 1 column 6)"),
        (
            raw(&format!("{{{},{}}}", entry("a", "[4]", 0, 16), entry("b", "[4]", 8, 24)), &[0; 24]),
            "`b` and `a` overlap at byte 8",
        ),
        (
            raw(&format!("{{{}}}", entry("a", "[4]", 0, 16)), &[0; 10]),
            "`a` should end at byte 16 of the data, but the file stops after 10; it is cut off",
        ),
        (
            raw(&format!("{{{}}}", entry("a", "[5]", 0, 16)), &[0; 16]),
            "`a` of shape [5] and type F32 cannot fill bytes 0..16",
        ),
        (
            raw(&format!("{{{}}}", entry("a", "[4294967296, 4294967296]", 0, 0)), &[]),
            "`a` of shape [4294967296, 4294967296] and type F32 cannot fill bytes 0..0",
        ),
        (
            raw(&format!("{{{}}}", entry("a", "[1]", 8, 4)), &[0; 16]),
            "`a` of shape [1] and type F32 cannot fill bytes 8..4",
        ),
        (
            raw(r#"{"a":{"dtype":"Q7","shape":[1],"data_offsets":[0,4]}}"#, &[0; 4]),
            "the header's entry `a` is not readable (unknown variant `Q7`",
        ),
    ];
    for (bytes, problem) in table {
        let said = sentence(open_bytes("m.safetensors", bytes));
        assert!(said.starts_with(&format!("`m.safetensors` is damaged: {problem}")), "{said}");
        assert!(said.ends_with("; get the file again"), "{said}");
    }
}

#[test]
fn an_oversized_header_is_refused_before_it_is_read() {
    let mut bytes = raw("{}", &[]);
    bytes[..8].copy_from_slice(&(1_u64 << 40).to_le_bytes());
    let said = "`m.safetensors` is damaged: its header claims 1099511627776 bytes, at most 16777216 make sense; get the file again";
    assert_eq!(sentence(open_bytes("m.safetensors", bytes.clone())), said);
    bytes[..8].copy_from_slice(&5000_u64.to_le_bytes());
    let said = "`m.safetensors` ends at byte 10, but bytes 8..5008 are needed; the file is cut off, so get it again";
    assert_eq!(sentence(open_bytes("m.safetensors", bytes)), said);
}

#[test]
fn a_tensor_of_the_wrong_shape_is_refused() {
    let mut tensors = crate_tensors("vit.safetensors");
    tensors.insert("blocks.1.norm2.bias".into(), HostTensor { shape: vec![31], values: vec![0.0; 31] });
    let said = "`blocks.1.norm2.bias` has shape [31], but the other tensors ask for [32]; the weights are mixed up";
    assert_eq!(sentence(open_bytes("m.safetensors", plain(&tensors))), said);
}

#[test]
fn values_that_are_not_numbers_are_counted() {
    let mut tensors = crate_tensors("vit.safetensors");
    let values = &mut tensors.get_mut("blocks.1.mlp.fc1.weight").unwrap().values;
    (values[3], values[70], values[71]) = (f32::NAN, f32::INFINITY, f32::NEG_INFINITY);
    let checkpoint = open_bytes("m.safetensors", plain(&tensors)).unwrap();
    assert_eq!(
        read(&checkpoint, "blocks.1.mlp.fc1.weight").unwrap_err().to_string(),
        "`blocks.1.mlp.fc1.weight` holds 3 of 2048 values that are not finite numbers (NaN or infinity); training went \
         wrong or the file is damaged, so take another checkpoint"
    );
    read(&checkpoint, "blocks.0.mlp.fc1.weight").unwrap();
}

#[test]
fn integers_are_not_read_as_weights() {
    let bytes = fixture_bytes("vit.safetensors");
    let header = String::from_utf8_lossy(&bytes[..4096]).into_owned();
    let at = header.find("\"cls_token\":{\"dtype\":\"F32\"").unwrap() + "\"cls_token\":{\"dtype\":\"".len();
    let mut bytes = bytes;
    bytes[at..at + 3].copy_from_slice(b"I32");
    let checkpoint = open_bytes("m.safetensors", bytes).unwrap();
    let said = "`cls_token` is stored as I32; F32, F16, BF16 and F64 can be read, so save the weights in one of them";
    assert_eq!(read(&checkpoint, "cls_token").unwrap_err().to_string(), said);
}

#[test]
fn positions_that_form_no_square_are_refused() {
    let mut tensors = crate_tensors("vit.safetensors");
    tensors.insert("pos_embed".into(), HostTensor { shape: vec![1, 14, 32], values: vec![0.0; 14 * 32] });
    let found = "14 position embeddings, which do not form a square of patches";
    assert_eq!(
        sentence(open_bytes("m.safetensors", plain(&tensors))),
        format!("`m.safetensors` holds {found}; {FITS}")
    );
    let positions = tensors.remove("pos_embed").unwrap();
    assert_eq!(
        sentence(open_bytes("m.safetensors", plain(&tensors))),
        "`pos_embed` is missing from the weights; save or fetch the whole model again"
    );
    tensors.insert("pos_embeding".into(), positions);
    let said = "`pos_embed` is missing from the weights, the nearest name is `pos_embeding`; \
                save or fetch the whole model again";
    assert_eq!(sentence(open_bytes("m.safetensors", plain(&tensors))), said);
}

/// The tensors of a fixture under their keys and others, changed by `change`.
fn changed(name: &str, change: impl Fn(&mut Tensors)) -> Result<Checkpoint, CheckpointError> {
    let mut tensors = crate_tensors(name);
    change(&mut tensors);
    open_bytes("m.safetensors", plain(&tensors))
}

fn vector(count: usize) -> HostTensor {
    HostTensor { shape: vec![count], values: vec![0.5; count] }
}

#[test]
fn a_tensor_that_has_no_place_in_a_layer_the_stem_or_the_head_is_named() {
    let table = [
        ("blocks.1.attn.surplus", "a Vision Transformer of a form that is not known here"),
        ("blocks.0.attn.k_post_norm.weight", "a Vision Transformer with norms where none stand here"),
        ("head.scale", "a Vision Transformer of a form that is not known here"),
        ("patch_embed.post_norm.weight", "a Vision Transformer with norms where none stand here"),
        ("fc_norm.weight", ""),
    ];
    for (key, what) in table {
        let opened = changed("vit.safetensors", |tensors| _ = tensors.insert(key.into(), vector(32)));
        match what {
            // It takes the classifier with it, and that is said.
            "" => assert_eq!(opened.unwrap().config.classes(), None),
            _ => {
                let found = format!("{what}: 1 of its tensors have no place here (`{key}`)");
                assert_eq!(sentence(opened), format!("`m.safetensors` holds {found}; {FITS}"));
            }
        }
    }
    // What was saved beside the model is listed, and it opens.
    let beside = changed("vit.safetensors", |tensors| _ = tensors.insert("decoder.weight".into(), vector(32))).unwrap();
    assert_eq!(beside.unexpected.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["decoder.weight"]);
}

#[test]
fn one_tensor_under_two_names_is_refused() {
    let twice = |tensors: &mut Tensors| {
        let gamma = tensors["blocks.1.ls2.gamma"].clone();
        tensors.insert("blocks.1.gamma_2".into(), gamma);
    };
    let said = sentence(changed("layer_scale.safetensors", twice));
    let twice = "holds `blocks.1.ls2.gamma` twice, as `blocks.1.gamma_2` and as `blocks.1.ls2.gamma`";
    assert!(said.contains(twice), "{said}");
}

#[test]
fn norms_behind_the_branches_are_refused_although_the_tensors_are_those_of_a_vit() {
    // No CLS token, no biases of queries, keys and values, a norm of the mean: timm's `_rpn_` models.
    let said = sentence(changed("average_pool_without_cls.safetensors", |tensors| {
        tensors.retain(|key, _| !key.ends_with("qkv.bias"));
    }));
    assert!(said.contains("may be one whose norms follow its branches (timm's `_rpn_` models)"), "{said}");
    assert!(changed("average_pool_without_cls.safetensors", |_| ()).is_ok());
}

#[test]
fn rotary_frequencies_that_are_not_those_of_every_layer_are_refused() {
    let said = sentence(changed("vit.safetensors", |tensors| _ = tensors.insert("rope.freqs".into(), vector(8))));
    assert!(said.contains("with rotary positions of a form that is not known here"), "{said}");
}
