//! What timm must be told to build the same MobileNetV2: the name of one of its own, or the stages of a descendant.

use serde_json::{Map, Value, json};

use heirloom_plan::config::{CnnConfig, StageConfig};

/// timm's own, and how many times as wide as the paper's they are.
const KNOWN: [(&str, f64); 5] = [
    ("mobilenetv2_035", 0.35),
    ("mobilenetv2_050", 0.5),
    ("mobilenetv2_075", 0.75),
    ("mobilenetv2_100", 1.0),
    ("mobilenetv2_140", 1.4),
];

/// The model of timm that is built alike; `None` for descendants of some stages.
pub(super) fn architecture(config: &CnnConfig) -> Option<&'static str> {
    let is_alike = |multiplier: f64| {
        let known = CnnConfig::mobilenet_v2(multiplier, 1);
        known.stem == config.stem && known.stages == config.stages && known.conv_head == config.conv_head
    };
    KNOWN.into_iter().find(|(_, multiplier)| is_alike(*multiplier)).map(|(name, _)| name)
}

/// Lines of Python that load `file` into timm; `None` where the network is no MobileNetV2, or has another stem than timm's.
pub(super) fn python(config: &CnnConfig, file: &str) -> Option<String> {
    let stem = config.stem.filter(|stem| config.is_mobile() && (stem.kernel, stem.stride) == (3, 2))?;
    // None: timm's 0.
    let head = config.conv_head.unwrap_or(0);
    let classes = config.classes.unwrap_or(0);
    let channels = if config.channels == 3 { String::new() } else { format!(", in_chans={}", config.channels) };
    let (import, build) = match architecture(config) {
        Some(name) => {
            ("import timm\n", format!("model = timm.create_model(\"{name}\", num_classes={classes}{channels})\n"))
        }
        None => {
            let stages: Vec<String> = config.stages.iter().map(|stage| format!("[\"{}\"]", notation(stage))).collect();
            let build = format!(
                "stages = decode_arch_def([{}])\n\
                 model = EfficientNet(stages, num_classes={classes}, num_features={head}, stem_size={}, fix_stem=True,\n\
                 {:21}round_chs_fn=int, act_layer=ReLU6{channels})\n",
                stages.join(", "),
                stem.width,
                ""
            );
            ("from timm.models.efficientnet import EfficientNet, decode_arch_def\nfrom torch.nn import ReLU6\n", build)
        }
    };
    Some(format!(
        "{import}from safetensors.torch import load_file\n\n{build}\
         model.load_state_dict(load_file(\"{file}\"), strict=True)\nmodel.eval()\n"
    ))
}

/// A stage in timm's notation: blocks (`ir` expands, `ds` does not), repeats, kernel, stride, expansion and channels.
fn notation(stage: &StageConfig) -> String {
    let StageConfig { depth, stride, inner, width, .. } = *stage;
    match inner / width.max(1) {
        1 => format!("ds_r{depth}_k3_s{stride}_c{width}"),
        expansion => format!("ir_r{depth}_k3_s{stride}_e{expansion}_c{width}"),
    }
}

/// timm's own description, with which `timm.create_model("local-dir:…", pretrained=True)` builds and fills the model.
pub(super) fn description(config: &CnnConfig, labels: Option<&[String]>) -> Option<Map<String, Value>> {
    let size = config.image_size;
    let mut all = Map::new();
    all.insert("architecture".into(), json!(architecture(config)?));
    all.insert("num_classes".into(), json!(config.classes.unwrap_or(0)));
    if let Some(labels) = labels {
        all.insert("label_names".into(), json!(labels));
    }
    let picture = json!({
        "input_size": [config.channels, size, size], "first_conv": "conv_stem", "classifier": "classifier",
    });
    all.insert("pretrained_cfg".into(), picture);
    Some(all)
}
