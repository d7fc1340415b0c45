//! Stitched models: written, opened again, refused.

use super::files::*;
use heirloom_checkpoint::{Description, write_config, write_safetensors};
use heirloom_nn::vit::{HostTensor, StitchedConfig, VitConfig};
use heirloom_platform::file::FileHandle;

fn stitched(at: [usize; 2]) -> StitchedConfig {
    let end = VitConfig { embed_dim: 48, num_heads: 3, mlp_dim: 64, ..tiny() };
    StitchedConfig { front: tiny(), end, front_layer: at[0], end_layer: at[1] }
}

fn export(config: &StitchedConfig) -> (Tensors, Description) {
    let fill = |(at, (key, shape)): (usize, (String, Vec<usize>))| {
        let values = (0..shape.iter().product()).map(|value: usize| (at * 100 + value % 97) as f32 / 64.0).collect();
        (key, HostTensor { values, shape })
    };
    let tensors = config.tensors().into_iter().enumerate().map(fill).collect();
    (tensors, Description { config: config.clone().into(), labels: None, preprocessing: None })
}

#[test]
fn a_stitched_export_opens_again_exactly() {
    let config = stitched([0, 1]);
    let (tensors, description) = export(&config);
    let bytes = write_safetensors(tensors.clone(), &description);
    let checkpoint = open_bytes("stitched.safetensors", bytes).unwrap();
    assert_eq!(checkpoint.config, config.clone().into());
    assert_eq!(checkpoint.parameters, config.parameters());
    assert_eq!(checkpoint.family, "stitched ViT (made here, timm names)");
    assert!(checkpoint.missing.is_empty() && checkpoint.unexpected.is_empty() && checkpoint.assumptions.is_empty());
    for (key, expected) in &tensors {
        assert_eq!(tensor(&checkpoint, key), *expected, "{key}");
    }
    // Weights that lost their metadata need the description beside them.
    let described = FileHandle::from_bytes("config.json", write_config(&description, 8).into_bytes());
    let bare = || FileHandle::from_bytes("bare.safetensors", plain(&tensors));
    assert_eq!(open(&[bare(), described]).unwrap().config, config.into());
    let said = sentence(open(&[bare()]));
    assert!(said.starts_with("`bare.safetensors` holds two Vision Transformers stitched together, without"), "{said}");
}

#[test]
fn a_stitched_export_that_lies_about_its_parts_is_refused() {
    let (tensors, _) = export(&stitched([0, 1]));
    let lie = |config: StitchedConfig| {
        let description = Description { config: config.into(), labels: None, preprocessing: None };
        sentence(open_bytes("s.safetensors", write_safetensors(tensors.clone(), &description)))
    };
    let depth = tiny().depth;
    let said = lie(stitched([depth, 0]));
    assert!(said.starts_with("`s.safetensors` is damaged: the front model has"), "{said}");
    let said = lie(StitchedConfig { end: VitConfig { patch_size: 5, ..tiny() }, ..stitched([0, 0]) });
    assert!(said.contains("patches of 5 px do not tile"), "{said}");
    let said = lie(StitchedConfig { end: VitConfig { embed_dim: 32, ..stitched([0, 1]).end }, ..stitched([0, 1]) });
    let said_of_stitch =
        "`stitch.weight` has shape [48, 32], but the other tensors ask for [32, 32]; the weights are mixed up";
    assert_eq!(said, said_of_stitch);
}
