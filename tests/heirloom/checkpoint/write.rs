//! Writing, and reading again what was written.

use super::files::*;
use heirloom_checkpoint::{Description, METADATA_KEY, Preprocessing, write_config, write_safetensors};
use heirloom_nn::vit::{HostTensor, Pool, VitConfig};
use heirloom_platform::file::FileHandle;

/// Tensors with different values everywhere.
fn varied(config: &VitConfig) -> Tensors {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    let mut fill =
        |shape: Vec<usize>| HostTensor { values: (0..shape.iter().product()).map(|_| next()).collect(), shape };
    config.tensors().into_iter().map(|(key, shape)| (key, fill(shape))).collect()
}

fn describe(config: VitConfig) -> Description {
    let preprocessing = Preprocessing { mean: [0.5, 0.4, 0.3], std: [0.2; 3], image_size: config.image_size };
    let labels = config.classes.map(|classes| (0..classes).map(|class| format!("class \"{class}\" ü")).collect());
    Description { config: config.into(), labels, preprocessing: Some(preprocessing) }
}

/// A descendant: its three heads of 16 channels do not add up to its width of 32.
fn descendant() -> VitConfig {
    VitConfig { num_heads: 3, ..tiny() }
}

#[test]
fn an_export_opens_again_exactly() {
    let all = VitConfig { qk_norm: true, layer_scale: true, register_tokens: 2, distilled: true, ..descendant() };
    let average =
        VitConfig { pool: Pool::Avg, qkv_bias: false, cls_token: false, pos_embed_prefix: false, ..descendant() };
    for config in [descendant(), all, average, VitConfig { classes: None, norm_eps: 1e-5, ..tiny() }] {
        let (tensors, description) = (varied(&config), describe(config.clone()));
        let checkpoint =
            open_bytes("descendant.safetensors", write_safetensors(tensors.clone(), &description)).unwrap();
        assert_eq!((&checkpoint.config, &checkpoint.labels), (&config.into(), &description.labels));
        assert_eq!(checkpoint.preprocessing, description.preprocessing);
        assert!(checkpoint.missing.is_empty() && checkpoint.unexpected.is_empty() && checkpoint.assumptions.is_empty());
        assert_eq!(checkpoint.family, "ViT (made here, timm names)");
        for (key, expected) in tensors {
            assert_eq!(tensor(&checkpoint, &key), expected, "{key}");
        }
    }
}

#[test]
fn others_can_read_an_export() {
    let (tensors, description) = (varied(&descendant()), describe(descendant()));
    let bytes = write_safetensors(tensors.clone(), &description);
    let (length, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!((length + 8) % 8, 0);
    let metadata = header.metadata().clone().unwrap();
    assert_eq!(metadata["format"], "pt");
    assert_eq!(serde_json::from_str::<Description>(&metadata[METADATA_KEY]).unwrap(), description);
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.len(), tensors.len());
    let qkv = file.tensor("blocks.1.attn.qkv.weight").unwrap();
    assert_eq!(qkv.shape(), [144, 32]);
    let expected: Vec<u8> = tensors["blocks.1.attn.qkv.weight"].values.iter().flat_map(|v| v.to_le_bytes()).collect();
    assert_eq!(qkv.data(), expected);
}

#[test]
fn a_config_of_ours_describes_weights_that_lost_their_metadata() {
    let tensors = varied(&descendant());
    let config = FileHandle::from_bytes("config.json", write_config(&describe(descendant()), 18).into_bytes());
    let checkpoint = open(&[FileHandle::from_bytes("bare.safetensors", plain(&tensors)), config]).unwrap();
    assert_eq!(checkpoint.config, descendant().into());
    assert_eq!(tensor(&checkpoint, "blocks.0.attn.proj.weight"), tensors["blocks.0.attn.proj.weight"]);
}

#[test]
fn a_description_that_lies_about_its_size_is_refused() {
    let lie = |config: VitConfig| {
        sentence(open_bytes("m.safetensors", write_safetensors(varied(&tiny()), &describe(config))))
    };
    let said = lie(VitConfig { num_heads: 4, ..tiny() });
    let expected = "`blocks.0.attn.qkv.weight` has shape [96, 32], but the other tensors ask for [192, 32]; the weights are mixed up";
    assert_eq!(said, expected);
    let said = lie(VitConfig { patch_size: 5, ..tiny() });
    assert_eq!(said, "`m.safetensors` is damaged: patches of 5 px do not tile pictures of 16 px; get the file again");
    let text = serde_json::to_string(&describe(VitConfig { depth: 1 << 60, ..tiny() })).unwrap();
    let header = serde_json::json!({ "__metadata__": { METADATA_KEY: text } , "patch_embed.proj.weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} });
    let said = sentence(open_bytes("m.safetensors", raw(&header.to_string(), &[0; 4])));
    assert_eq!(
        said,
        "`m.safetensors` is damaged: `depth` would be 1152921504606846976, between 1 and 512 makes sense; get the file again"
    );
}
