//! Exports for other programs: written here with the scores that our own model gives, then run by onnxruntime
//! (`tests/e2e/exports`) and by timm or NumPy (`tests/python/check_export.py`) on the same pictures.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::files::tiny;
use burn::tensor::{Device, Tensor, TensorData};
use heirloom_checkpoint::{
    Checkpoint, Description, OnnxError, Preprocessing, timm_form, write_config, write_onnx, write_package,
    write_safetensors,
};
use heirloom_nn::cnn::{BlockKind, CnnConfig, Shortcut, StageConfig, StemConfig};
use heirloom_nn::device::read;
use heirloom_nn::model::{Model, ModelConfig};
use heirloom_nn::vit::{Activation, FinalNorm, HostTensor, Pool, StitchedConfig, VitConfig, VitOptions};
use heirloom_platform::file::FileHandle;
use serde_json::json;

/// Pictures that every model is asked about.
const PICTURES: usize = 3;

/// Numbers in [-0.5, 0.5).
struct Draw(u32);

impl Draw {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as f32 / (1 << 24) as f32 - 0.5
    }
}

/// Weights without one that could be left out unseen: norms are not one, biases not zero.
fn weights(config: impl Into<ModelConfig>, seed: u32) -> BTreeMap<String, HostTensor> {
    let mut draw = Draw(seed);
    let mut fill = |(key, shape): (String, Vec<usize>)| {
        let is_scale = shape.len() == 1 && ["weight", "gamma", "running_var"].iter().any(|end| key.ends_with(end));
        let value = |number: f32| match shape[..] {
            _ if is_scale => 1.0 + 0.4 * number,
            // A convolution that neither grows nor shrinks what it is given.
            [_, input, rows, columns] => number * (12.0 / (input * rows * columns) as f32).sqrt(),
            _ => 0.6 * number,
        };
        let values = (0..shape.iter().product()).map(|_| value(draw.next())).collect();
        (key, HostTensor { shape, values })
    };
    config.into().tensors().into_iter().map(&mut fill).collect()
}

/// Every part that a Vision Transformer may have, in timm's form and in that of descendants.
fn variants() -> Vec<(&'static str, VitConfig)> {
    let no_cls = VitConfig { pool: Pool::Avg, cls_token: false, pos_embed_prefix: false, ..tiny() };
    let registers = VitConfig { register_tokens: 3, layer_scale: true, ..tiny() };
    let usual = VitOptions::default();
    let relu = VitOptions { activation: Activation::Relu, ..usual };
    let clip = VitOptions { activation: Activation::QuickGelu, pre_norm: true, patch_bias: false, ..usual };
    let normed = VitOptions { activation: Activation::GeluTanh, final_norm: FinalNorm::Tokens, ..usual };
    let one_head = VitOptions { dist_head: false, ..usual };
    let attn_pool = crate::vit::asked().attn_pool;
    let aim =
        VitOptions { gated: true, activation: Activation::Silu, final_norm: FinalNorm::Tokens, ..crate::vit::rms() };
    let beit = VitOptions { attn_norm: false, mlp_norm: false, ..crate::vit::biased() };
    vec![
        ("plain", tiny()),
        ("wider_heads", VitConfig { num_heads: 3, ..tiny() }),
        ("narrower_heads", VitConfig { num_heads: 1, qk_norm: true, norm_eps: 1e-5, ..tiny() }),
        ("qk_norm", VitConfig { qk_norm: true, qkv_bias: false, ..tiny() }),
        ("registers", VitConfig { pos_embed_prefix: false, ..registers.clone() }),
        ("registers_and_cls_position", registers.clone()),
        ("average_with_registers", VitConfig { pool: Pool::Avg, num_heads: 5, head_dim: 8, ..registers }),
        ("average_without_cls", no_cls.clone()),
        ("distilled", VitConfig { distilled: true, ..tiny() }),
        ("no_classifier", VitConfig { classes: None, mlp_dim: 50, norm_eps: 1e-12, ..tiny() }),
        ("deep", VitConfig { depth: 6, embed_dim: 64, num_heads: 4, mlp_dim: 256, image_size: 32, ..tiny() }),
        ("one_channel", VitConfig { channels: 1, ..tiny() }),
        ("gated", VitConfig { options: VitOptions { activation: Activation::Silu, gated: true, ..usual }, ..tiny() }),
        ("clip", VitConfig { norm_eps: 1e-5, options: clip, ..tiny() }),
        ("clip_with_bias", VitConfig { options: VitOptions { patch_bias: true, ..clip }, ..tiny() }),
        ("mean_of_normed", VitConfig { options: normed, pool: Pool::Avg, ..tiny() }),
        ("no_final_norm", VitConfig { options: VitOptions { final_norm: FinalNorm::None, ..relu }, ..tiny() }),
        ("eva", VitConfig { num_heads: 3, layer_scale: true, options: crate::vit::turned(), ..tiny() }),
        ("eva_of_usual_heads", VitConfig { pool: Pool::Avg, options: crate::vit::turned(), ..tiny() }),
        ("dinov3", VitConfig { register_tokens: 4, pos_embed_prefix: false, options: crate::vit::centred(), ..tiny() }),
        ("beit", VitConfig { pos_embed_prefix: false, layer_scale: true, options: beit, ..tiny() }),
        ("siglip", VitConfig { pool: Pool::Map, options: crate::vit::asked(), ..no_cls.clone() }),
        ("asked_beside_cls", VitConfig { pool: Pool::Map, options: crate::vit::asked(), ..tiny() }),
        (
            "perception",
            VitConfig { pool: Pool::Map, options: VitOptions { attn_pool, ..crate::vit::turned() }, ..tiny() },
        ),
        ("mixed", VitConfig { layer_scale: true, options: crate::vit::mixed(), ..tiny() }),
        ("mixed_of_other_heads", VitConfig { num_heads: 3, options: crate::vit::mixed(), ..tiny() }),
        ("aimv2", VitConfig { qkv_bias: false, norm_eps: 1e-5, options: aim, pool: Pool::Avg, ..no_cls.clone() }),
        ("aimv2_of_other_heads", VitConfig { num_heads: 3, qk_norm: true, options: aim, ..tiny() }),
        (
            "sapiens2",
            VitConfig {
                layer_scale: true,
                qk_norm: true,
                register_tokens: 4,
                pos_embed_prefix: false,
                options: VitOptions { gated: true, activation: Activation::Silu, ..crate::vit::centred_rms() },
                ..tiny()
            },
        ),
        ("distilled_without_classifier", VitConfig { distilled: true, options: one_head, ..tiny() }),
        ("cls_and_mean", VitConfig { pool: Pool::ClsAvg, ..tiny() }),
        ("beit_of_other_heads", VitConfig { num_heads: 5, head_dim: 12, options: beit, ..tiny() }),
    ]
}

/// Two models stitched together, as they are cut out of a pool: other widths, heads and depths, layers left out on both
/// sides.
fn stitched() -> Vec<(&'static str, StitchedConfig)> {
    let deep = |config: VitConfig| VitConfig { depth: 4, ..config };
    let wide = |config: VitConfig| VitConfig { embed_dim: 48, num_heads: 3, mlp_dim: 96, ..config };
    let tokens = VitConfig { register_tokens: 2, layer_scale: true, pool: Pool::Avg, ..tiny() };
    let distilled = VitConfig { distilled: true, ..tiny() };
    let between = |front, end, front_layer, end_layer| StitchedConfig { front, end, front_layer, end_layer };
    vec![
        ("stitched", between(tiny(), wide(tiny()), 0, 1)),
        ("stitched_registers_and_average", between(deep(tokens.clone()), deep(wide(tokens)), 2, 3)),
        ("stitched_distilled", between(distilled.clone(), wide(deep(distilled)), 1, 0)),
    ]
}

/// Every block, shortcut and pooling that a convolutional network may have.
fn networks() -> Vec<(&'static str, CnnConfig)> {
    let stage = |block, [input, inner, width]: [usize; 3], stride, shortcut| StageConfig {
        block,
        depth: 2,
        input,
        inner,
        width,
        stride,
        shortcut,
    };
    let residual = |kernel, pool, stages| CnnConfig {
        image_size: 24,
        stem: Some(StemConfig { width: 8, kernel, stride: 1 + usize::from(pool), pool }),
        stages,
        ..CnnConfig::cifar_resnet(1, Shortcut::Zeros, 4)
    };
    let (zeros, projection) = (Shortcut::Zeros, Shortcut::Projection);
    let basic = vec![stage(BlockKind::Basic, [8, 8, 8], 1, zeros), stage(BlockKind::Basic, [8, 13, 13], 2, zeros)];
    let bottleneck = vec![
        stage(BlockKind::Bottleneck, [8, 4, 16], 1, projection),
        stage(BlockKind::Bottleneck, [16, 8, 24], 2, projection),
    ];
    let plain =
        vec![stage(BlockKind::Plain, [3, 8, 8], 2, projection), stage(BlockKind::Plain, [8, 12, 12], 2, projection)];
    let vgg =
        CnnConfig { image_size: 20, stages: plain, hidden: vec![10], classes: Some(4), ..CnnConfig::vgg([1; 5], 4) };
    // A residual and none, an expansion and none, and timm's own smallest.
    let inverted = vec![
        stage(BlockKind::Inverted, [8, 8, 8], 1, projection),
        stage(BlockKind::Inverted, [8, 40, 10], 2, projection),
    ];
    let stem = Some(StemConfig { width: 8, kernel: 3, stride: 2, pool: false });
    let mobile = CnnConfig { stem, conv_head: Some(20), ..residual(3, false, inverted) };
    let known = CnnConfig { image_size: 32, ..CnnConfig::mobilenet_v2(0.35, 4) };
    vec![
        ("mobilenet", mobile.clone()),
        ("mobilenet_without_classifier", CnnConfig { classes: None, ..mobile }),
        // Its first five blocks.
        ("mobilenetv2_035_cut", CnnConfig { classes: Some(4), ..known.cut(5).unwrap() }),
        ("mobilenetv2_035", known),
        ("resnet_zeros", residual(3, false, basic)),
        ("resnet_bottleneck", residual(7, true, bottleneck)),
        // A map of 5 × 5 places pooled to 3 × 3: windows that overlap.
        ("vgg", CnnConfig { pooled_side: 3, hidden_norm: true, ..vgg.clone() }),
        ("vgg_without_classifier", CnnConfig { pooled_side: 5, classes: None, ..vgg }),
    ]
}

fn describe(config: &ModelConfig) -> Description {
    let preprocessing = Preprocessing { mean: [0.5, 0.4, 0.3], std: [0.2; 3], image_size: config.image_size() };
    let labels = config.classes().map(|classes| (0..classes).map(|class| format!("class \"{class}\" ü")).collect());
    Description { config: config.clone(), labels, preprocessing: Some(preprocessing) }
}

/// The model in all formats, its pictures and its scores, as files of `target/tmp/exports`.
async fn write_case(name: &str, config: ModelConfig, device: &Device) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("exports");
    std::fs::create_dir_all(&folder).unwrap();
    let mut weights = weights(config.clone(), 7);
    let model = Model::load(&config, &mut weights, device).await.unwrap();
    let mut draw = Draw(11);
    let channels = config.vit().map_or(3, |vit| vit.channels);
    let shape = [PICTURES, channels, config.image_size(), config.image_size()];
    let pictures: Vec<f32> = (0..shape.iter().product()).map(|_| 4.0 * draw.next()).collect();
    let images = Tensor::<4>::from_data(TensorData::new(pictures.clone(), shape), device);
    let scores = read(model.logits(images, None)).await.unwrap();

    let state = model.state().await.unwrap();
    // As it is, and in timm's form: both must give the same scores.
    let onnx = write_onnx(state.clone(), &describe(&model.config())).unwrap();
    let (config, state) = match config.vit() {
        Some(vit) => {
            let (vit, state) = timm_form(vit, state);
            (vit.into(), state)
        }
        None => (config, state),
    };
    let description = describe(&config);
    let resize = config.image_size() * 8 / 7;
    let put = |ending: &str, bytes: &[u8]| std::fs::write(folder.join(format!("{name}.{ending}")), bytes).unwrap();
    put("onnx", &onnx);
    put("zip", &write_package(state.clone(), &description, resize).unwrap());
    put("safetensors", &write_safetensors(state, &description));
    let mut case: serde_json::Value = serde_json::from_str(&serde_json::to_string(&description).unwrap()).unwrap();
    (case["shape"], case["pictures"]) = (json!(shape), json!(pictures));
    (case["outputs"], case["scores"]) = (json!(scores.len() / PICTURES), json!(scores));
    put("json", case.to_string().as_bytes());
}

#[test]
fn every_variant_is_written_for_other_programs_to_check() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("exports");
    _ = std::fs::remove_dir_all(&folder);
    let vits = variants().into_iter().map(|(name, config)| (name, ModelConfig::from(config)));
    let pairs = stitched().into_iter().inspect(|(_, config)| config.check().unwrap());
    let networks = networks().into_iter().inspect(|(_, config)| config.check().unwrap());
    let pairs = pairs.map(|(name, config)| (name, config.into()));
    let cases: Vec<_> = vits.chain(pairs).chain(networks.map(|(name, config)| (name, config.into()))).collect();
    pollster::block_on(async {
        let device = crate::support::device().await;
        for (name, config) in &cases {
            write_case(name, config.clone(), &device).await;
        }
    });
    // What the others must find: a model that was never written would not be missed.
    let names: Vec<_> = cases.iter().map(|(name, _)| *name).collect();
    assert_eq!(names.iter().collect::<std::collections::BTreeSet<_>>().len(), names.len());
    std::fs::write(folder.join("cases.txt"), names.join("\n")).unwrap();
}

#[test]
fn the_form_for_timm_is_the_same_function() {
    pollster::block_on(async {
        let device = crate::support::device().await;
        let config = VitConfig { register_tokens: 2, distilled: true, ..tiny() };
        let before = Model::load(&config.clone().into(), &mut weights(config.clone(), 3), &device).await.unwrap();
        let (form, state) = timm_form(&config, before.state().await.unwrap());
        assert!(!form.pos_embed_prefix);
        let mut state: BTreeMap<_, _> = state.into_iter().collect();
        let after = Model::load(&form.into(), &mut state, &device).await.unwrap();
        let mut draw = Draw(5);
        let picture = TensorData::new((0..768).map(|_| draw.next()).collect::<Vec<_>>(), [1, 3, 16, 16]);
        let scores = async |model: &Model| read(model.logits(Tensor::from_data(picture.clone(), &device), None)).await;
        crate::support::assert_close(&scores(&after).await.unwrap(), &scores(&before).await.unwrap(), 1e-5);
        // What needs no other form keeps its own.
        let plain: Vec<_> = weights(tiny(), 3).into_iter().collect();
        assert_eq!(timm_form(&tiny(), plain.clone()), (tiny(), plain));
    });
}

#[test]
fn weights_of_another_model_are_no_onnx() {
    let description = describe(&tiny().into());
    let whole = weights(tiny(), 1);
    let refusal = |tensors: BTreeMap<String, HostTensor>| write_onnx(tensors, &description).unwrap_err();
    let mut less = whole.clone();
    less.remove("blocks.1.mlp.fc2.bias");
    assert!(matches!(refusal(less), OnnxError::Missing(key) if key == "blocks.1.mlp.fc2.bias"));
    let mut more = whole.clone();
    more.insert("blocks.2.norm1.bias".into(), whole["norm.bias"].clone());
    assert!(matches!(refusal(more), OnnxError::Unused(key) if key == "blocks.2.norm1.bias"));
    let large = describe(&VitConfig { embed_dim: 16_384, num_heads: 1024, ..tiny() }.into());
    assert!(matches!(write_onnx([], &large), Err(OnnxError::TooLarge { bytes }) if bytes > 1 << 31));
}

#[test]
fn a_package_opens_again_and_tells_people_and_programs_the_same() {
    let config = VitConfig { num_heads: 3, ..tiny() };
    let description = describe(&config.clone().into());
    let bytes = write_package(weights(config.clone(), 2), &description, 18).unwrap();
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let mut take = |name: &str| {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut zip.by_name(name).unwrap(), &mut bytes).unwrap();
        bytes
    };
    let file = FileHandle::from_bytes("model.safetensors", take("model.safetensors"));
    let checkpoint = pollster::block_on(Checkpoint::open(&[file])).unwrap();
    assert_eq!(checkpoint.config, ModelConfig::from(config));
    let config_json: serde_json::Value = serde_json::from_slice(&take("config.json")).unwrap();
    assert_eq!(config_json["preprocessing"]["resize"], 18);
    assert_eq!(config_json["preprocessing"]["mean"], json!([0.5, 0.4, 0.3]));
    assert_eq!(config_json["preprocessing"]["crop"], "center");
    assert_eq!(config_json["labels"][1], "class \"1\" ü");
    assert_eq!(config_json.get("architecture"), None, "timm has no model whose heads are wider than its tokens");
    assert_eq!(String::from_utf8(take("labels.txt")).unwrap().lines().nth(4), Some("class \"4\" ü"));
    let readme = String::from_utf8(take("README.txt")).unwrap();
    assert!(readme.contains("attn_head_dim=16") && readme.contains("Resize(18"), "{readme}");
}

#[test]
fn a_model_of_timms_shape_says_so_in_its_config() {
    let text = write_config(&describe(&tiny().into()), 18);
    let config: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(config["architecture"], "vit_base_patch16_224");
    assert_eq!(config["model_args"]["num_heads"], 2);
    let share = config["pretrained_cfg"]["crop_pct"].as_f64().unwrap();
    assert_eq!((16.0 / share).floor(), 18.0);
}
