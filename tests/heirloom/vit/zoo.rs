//! Every form of Vision Transformer against timm (`tests/fixtures/zoo/make.py`): scores, attention distance, what is
//! written of it, and whether descendants of it train.

use burn::tensor::{Device, Tensor, TensorData};
use heirloom_checkpoint::{Checkpoint, CheckpointError, Description, timm_form, write_onnx, write_safetensors};
use heirloom_learngene::cluster::measure;
use heirloom_learngene::{Initializer, LayersOnALine, WeightSelection};
use heirloom_nn::device::read;
use heirloom_nn::vit::{Activation, FinalNorm, Hooks, Pool, Vit, VitConfig};
use heirloom_platform::file::FileHandle;
use serde_json::Value;

use super::reference::floats;
use crate::support::assert_close;

macro_rules! fixtures {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_bytes!(concat!("../../fixtures/zoo/", $name, ".safetensors")) as &[u8])),*]
    };
}

pub const FIXTURES: [(&str, &[u8]); 35] = fixtures![
    "vit_base_patch16_clip_224",
    "vit_base_patch16_clip_quickgelu_224",
    "vit_giant_patch14_reg4_dinov2",
    "vit_base_patch16_siglip_gap_224",
    "vit_base_patch32_siglip_gap_256",
    "vit_so150m_patch16_reg4_gap_256",
    "vit_intern300m_patch14_448",
    "vit_small_patch16_dinov3_qkvb",
    "vit_small_plus_patch16_dinov3",
    "eva02_base_patch14_224",
    "eva02_base_patch16_clip_224",
    "eva02_tiny_patch14_224",
    "vit_small_patch16_rope_ape_224",
    "vit_base_patch16_rope_reg1_gap_256",
    "vit_pe_lang_large_patch14_448",
    "beit_base_patch16_224",
    "hf_dinov3_gated",
    "hf_beit",
    "hf_data2vec_shared",
    "hf_clip",
    "vit_base_patch16_siglip_224",
    "vit_pe_core_base_patch16_224",
    "vit_so150m_patch16_reg4_map_256",
    "hf_siglip",
    "hf_dinov2_classifier",
    "hf_deit_alone",
    "hf_dinov3_alone",
    "vit_small_patch16_rope_mixed_ape_224",
    "aimv2_large_patch14_224",
    "vit_large_patch16_sapiens2",
    "beit3_base_patch16_224",
    "hf_beit_both",
    "hf_vit_mae",
    "openai_clip",
    "mmpretrain",
];

/// What is passed over or written out does not change the answer.
const NOTES: [&str; 5] = [
    "`visual.proj` is left out",
    "the tower of pictures is taken",
    "keys and values that several heads share are written out",
    "left alone outside `vit.`",
    "`pooler` is left out",
];

pub fn reference() -> Value {
    serde_json::from_slice(include_bytes!("../../fixtures/zoo/reference.json")).unwrap()
}

pub async fn open(bytes: Vec<u8>, config: Option<&Value>) -> Result<Checkpoint, CheckpointError> {
    let mut files = vec![FileHandle::from_bytes("model.safetensors", bytes)];
    files.extend(config.map(|config| FileHandle::from_bytes("config.json", config.to_string().into_bytes())));
    Checkpoint::open(&files).await
}

async fn scores(model: &Vit, pictures: &[f32], device: &Device) -> Vec<f32> {
    let images = TensorData::new(pictures.to_vec(), [2, 3, 12, 12]);
    read(model.logits(Tensor::<4>::from_data(images, device), &mut Hooks::default())).await.unwrap()
}

on_every_engine! {
    async fn every_form_answers_measures_and_is_written_as_in_timm(device: Device) {
        let reference = reference();
        let pictures = floats(&reference["pictures"]);
        for (name, bytes) in FIXTURES {
            let case = &reference["models"][name];
            let checkpoint = open(bytes.to_vec(), Some(&case["config"])).await.unwrap();
            checkpoint.check_complete().unwrap();
            let mut said = checkpoint.assumptions.clone();
            said.retain(|one| !NOTES.iter().any(|note| one.starts_with(note)));
            let [said_of_pictures] = said.as_slice() else { panic!("{name}: {said:?}") };
            assert!(said_of_pictures.starts_with("ImageNet's mean and deviation of the colours: nothing says"), "{name}");
            assert_eq!(checkpoint.unexpected.len(), 0, "{name}");
            let vit = checkpoint.config.vit().unwrap();
            let model = Vit::load(vit, &mut &checkpoint, &device).await.unwrap();
            let expected = floats(&case["scores"]);
            assert_close(&scores(&model, &pictures, &device).await, &expected, 1e-4);
            let measured = measure(&model, pictures[..3 * 144].to_vec(), false).await.unwrap();
            let distance: Vec<f32> = case["distance"].as_array().unwrap().iter().flat_map(floats).collect();
            assert_close(&measured.distance.concat(), &distance, 1e-4);

            let description = Description { config: checkpoint.config.clone(), labels: None, preprocessing: None };
            let state = model.state().await.unwrap();
            assert!(write_onnx(state.clone(), &description).is_ok(), "{name}");
            // As it is, and under the names that timm has for it.
            let (timm, renamed) = timm_form(vit, state.clone());
            let timm = Description { config: timm.into(), ..description.clone() };
            for (description, state) in [(description, state), (timm, renamed)] {
                let again = open(write_safetensors(state, &description), None).await.unwrap();
                assert_eq!((&again.config, again.unexpected.len()), (&description.config, 0), "{name}");
                let again = Vit::load(again.config.vit().unwrap(), &mut &again, &device).await.unwrap();
                assert_close(&scores(&again, &pictures, &device).await, &expected, 1e-4);
            }
        }
    }
}

#[test]
fn descendants_keep_the_form_of_their_ancestor() {
    pollster::block_on(async {
        let device = heirloom_nn::device::cpu();
        let reference = reference();
        let pictures = floats(&reference["pictures"]);
        for (name, bytes) in FIXTURES {
            let checkpoint = open(bytes.to_vec(), Some(&reference["models"][name]["config"])).await.unwrap();
            let config = checkpoint.config.vit().unwrap().clone();
            let ancestor = Vit::load(&config, &mut &checkpoint, &device).await.unwrap();
            // All of it selected is the ancestor itself, but for the classifier.
            let whole = WeightSelection::new(ancestor.clone(), config.clone()).unwrap().start(1).await.unwrap();
            let (head, head_dist) = (ancestor.head.clone(), ancestor.head_dist.clone());
            let whole = Vit { head, head_dist, ..whole.assembled().vit().unwrap().clone() };
            let expected = floats(&reference["models"][name]["scores"]);
            assert_close(&scores(&whole, &pictures, &device).await, &expected, 1e-4);
            let narrow = VitConfig { embed_dim: 8, num_heads: 1, mlp_dim: config.mlp_dim / 2, ..config.clone() };
            let narrow = WeightSelection::new(ancestor.clone(), narrow).unwrap().start(1).await.unwrap();
            let between = LayersOnALine::new(ancestor.clone(), 3, 5, 12).unwrap().start(1).await.unwrap();
            for vit in [narrow, between].map(|one| one.assembled().vit().unwrap().clone()) {
                assert_eq!(vit.config.options, config.options, "{name}");
                let found: Vec<_> = vit.state().await.unwrap().into_iter().map(|(key, one)| (key, one.shape)).collect();
                let [mut found, mut expected] = [found, vit.config.tensors()];
                found.sort();
                expected.sort();
                assert_eq!(found, expected, "{name}");
                assert!(scores(&vit, &pictures, &device).await.iter().all(|score| score.is_finite()), "{name}");
            }
        }
    });
}

#[test]
fn what_leaves_no_trace_in_the_weights_is_said_when_it_is_assumed() {
    pollster::block_on(async {
        let bare = |name: &str| FIXTURES.iter().find(|(one, _)| *one == name).unwrap().1.to_vec();
        let clip = open(bare("vit_base_patch16_clip_224"), None).await.unwrap();
        let vit = clip.config.vit().unwrap();
        assert_eq!((vit.norm_eps, vit.options.pre_norm, vit.options.patch_bias), (1e-5, true, false));
        assert!(clip.assumptions.iter().any(|said| said.contains("GELU in its erf form")), "{:?}", clip.assumptions);
        assert!(clip.assumptions.iter().any(|said| said.contains("epsilon 1e-5")), "{:?}", clip.assumptions);
        let mean = open(bare("vit_base_patch16_siglip_gap_224"), None).await.unwrap();
        let vit = mean.config.vit().unwrap();
        assert_eq!((vit.pool, vit.options.final_norm), (Pool::Avg, FinalNorm::Tokens));
        assert!(mean.assumptions.iter().any(|said| said.contains("the mean of the patches")), "{:?}", mean.assumptions);
        let gated = open(bare("vit_giant_patch14_reg4_dinov2"), None).await.unwrap();
        let options = gated.config.vit().unwrap().options;
        assert_eq!((options.gated, options.activation), (true, Activation::Silu));
        // Without a word that there is no last norm, it is missing.
        let open_end = open(bare("vit_intern300m_patch14_448"), None).await.unwrap();
        let said = open_end.check_complete().unwrap_err().to_string();
        assert!(said.starts_with("`norm.weight` is missing"), "{said}");
    });
}

/// Tensors as the file has them.
fn keys(bytes: &[u8]) -> Vec<String> {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let mut keys: Vec<String> = header.as_object().unwrap().keys().cloned().collect();
    keys.retain(|key| key != "__metadata__");
    keys.sort();
    keys
}

#[test]
fn what_timm_keeps_in_other_classes_is_written_under_their_names() {
    pollster::block_on(async {
        let (device, reference) = (heirloom_nn::device::cpu(), reference());
        for (name, bytes) in FIXTURES.iter().filter(|(name, _)| name.starts_with("beit_") || name.contains("rope")) {
            let checkpoint = open(bytes.to_vec(), Some(&reference["models"][name]["config"])).await.unwrap();
            let vit = checkpoint.config.vit().unwrap();
            let state = Vit::load(vit, &mut &checkpoint, &device).await.unwrap().state().await.unwrap();
            let (config, state) = timm_form(vit, state);
            let description = Description { config: config.into(), labels: None, preprocessing: None };
            let mut expected = keys(bytes);
            // Whole biases: a class of timm that has them for keys too.
            expected.retain(|key| name.starts_with("beit_") || !key.ends_with("_bias"));
            let mut found = keys(&write_safetensors(state, &description));
            found.retain(|key| name.starts_with("beit_") || !name.contains("reg1") || !key.ends_with("qkv.bias"));
            assert_eq!(found, expected, "{name}");
        }
    });
}

#[test]
fn rotary_positions_are_known_by_the_tensors_where_no_other_model_has_them() {
    pollster::block_on(async {
        let bare = |name: &str| FIXTURES.iter().find(|(one, _)| *one == name).unwrap().1.to_vec();
        for (name, said) in [
            ("vit_small_patch16_dinov3_qkvb", "rotary positions as in DINOv3"),
            ("eva02_base_patch14_224", "rotary positions as in EVA-02"),
            ("eva02_tiny_patch14_224", "rotary positions as in EVA-02"),
        ] {
            let named = open(bare(name), Some(&reference()["models"][name]["config"])).await.unwrap();
            let opened = open(bare(name), None).await.unwrap();
            let [found, expected] = [&opened, &named].map(|one| one.config.vit().unwrap().clone());
            assert_eq!((found.options.rope, found.norm_eps), (expected.options.rope, expected.norm_eps), "{name}");
            assert!(opened.assumptions.iter().any(|one| one.contains(said)), "{name}: {:?}", opened.assumptions);
        }
        // DeiT III and RoPE-ViT share their tensors: what is taken is said.
        let open_end = open(bare("vit_small_patch16_rope_ape_224"), None).await.unwrap();
        assert!(open_end.assumptions.iter().any(|one| one.contains("RoPE-ViT")), "{:?}", open_end.assumptions);
        // Without positions of any kind nothing is known.
        let said = open(bare("vit_base_patch16_rope_reg1_gap_256"), None).await.unwrap_err().to_string();
        assert!(said.starts_with("`pos_embed` is missing"), "{said}");
    });
}
