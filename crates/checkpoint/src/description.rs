//! What is said about the weights beside their tensors: our own metadata, `config.json` of Hugging Face or timm,
//! `preprocessor_config.json`.

use super::error::CheckpointError;
use super::foreign;
use super::timm_names;
use heirloom_plan::config::{Activation, ModelConfig};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Channels of a head of OpenCLIP's towers, where nothing says others.
const OPEN_CLIP_HEAD: usize = 64;

/// Key under which our own exports keep their [`Description`] in the metadata of a safetensors file.
pub const METADATA_KEY: &str = "heirloom";

/// How pictures are prepared: scaled to `image_size`, to 0..1, then `(value - mean) / std`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preprocessing {
    /// Mean of each channel, 0..1.
    pub mean: [f32; 3],
    /// Standard deviation of each channel, 0..1.
    pub std: [f32; 3],
    /// Side of the picture, px.
    pub image_size: usize,
}

/// Everything an export of ours says about itself, enough to build the model again without guessing. It stands in the
/// metadata of the safetensors file and, the same JSON, in `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// The model.
    pub config: ModelConfig,
    /// Names of the classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// How pictures are prepared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preprocessing: Option<Preprocessing>,
}

/// What foreign descriptions and our own say, as far as they say it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Hints {
    /// Where it was said, for errors.
    pub source: String,
    /// Our own description, which leaves nothing to infer.
    pub own: Option<Description>,
    /// Hugging Face's `model_type`.
    pub model_type: Option<String>,
    /// timm's `architecture`.
    pub architecture: Option<String>,
    /// Heads per layer.
    pub num_heads: Option<usize>,
    /// Epsilon of the layer norms.
    pub norm_eps: Option<f64>,
    /// Side of the picture, px.
    pub image_size: Option<usize>,
    /// Activation of the feed-forward networks.
    pub activation: Option<Activation>,
    /// Whether there is a norm behind the last layer.
    pub final_norm: Option<bool>,
    /// `rope_theta` of Hugging Face's DINOv3.
    pub rope_temperature: Option<f64>,
    /// timm's `global_pool`.
    pub global_pool: Option<String>,
    /// Names of the classes.
    pub labels: Option<Vec<String>>,
    /// Mean and standard deviation of the channels.
    pub normalisation: Option<([f32; 3], [f32; 3])>,
}

impl Hints {
    /// Adds what the metadata of a safetensors file says; files of others say nothing that is needed.
    pub(super) fn add_metadata(
        &mut self,
        name: &str,
        metadata: &BTreeMap<String, String>,
    ) -> Result<(), CheckpointError> {
        let Some(text) = metadata.get(METADATA_KEY) else { return Ok(()) };
        let own = serde_json::from_str(text).map_err(|error| CheckpointError::Damaged {
            name: name.into(),
            problem: format!("its own description is not readable ({error})"),
        })?;
        (self.own, self.source) = (Some(own), name.into());
        Ok(())
    }

    /// Adds a JSON file. Says whether anything in it was of use.
    pub(super) fn add_json(&mut self, name: &str, json: &Value) -> Result<bool, CheckpointError> {
        if let Some(own) = json.get("config").and_then(|_| serde_json::from_value(json.clone()).ok()) {
            // The weights' own metadata knows better than a file that may belong to others.
            self.own.get_or_insert(own);
            self.source = name.into();
            return Ok(true);
        }
        let normalisation =
            |json: &Value, mean: &str, std: &str| Some((floats(json.get(mean)?)?, floats(json.get(std)?)?));
        if let Some(found) = normalisation(json, "image_mean", "image_std") {
            self.normalisation = Some(found);
            return Ok(true);
        }
        if let Some(model) = json.get("model_cfg").filter(|model| model.get("vision_cfg").is_some()) {
            return self.add_open_clip(name, model, json.get("preprocess_cfg").unwrap_or(&Value::Null));
        }
        let text = |key: &str| json.get(key).and_then(Value::as_str).map(String::from);
        let (model_type, architecture) = (text("model_type"), text("architecture"));
        if model_type.is_none() && architecture.is_none() && json.get("hidden_size").is_none() {
            return Ok(false);
        }
        (self.model_type, self.architecture, self.source) = (model_type, architecture, name.into());
        // The description of a CLIP is that of two towers.
        let json = json.get("vision_config").filter(|tower| tower.is_object()).unwrap_or(json);
        self.refuse_other_models(name, json)?;
        let arguments = json.get("model_args").unwrap_or(&Value::Null);
        // Older files of timm say it all at the top.
        let picture = json.get("pretrained_cfg").unwrap_or(json);
        let number = |at: &Value, key: &str| at.get(key).and_then(Value::as_u64).map(|n| n as usize);
        self.num_heads = number(json, "num_attention_heads").or(number(arguments, "num_heads"));
        self.norm_eps = json.get("layer_norm_eps").and_then(Value::as_f64);
        let first = |value: &Value, at: usize| value.get(at).and_then(Value::as_u64).map(|n| n as usize);
        self.image_size = number(json, "image_size")
            .or_else(|| first(json.get("image_size")?, 0))
            .or_else(|| number(arguments, "img_size"))
            .or_else(|| first(picture.get("input_size")?, 1));
        let argument = |key: &str| arguments.get(key).and_then(Value::as_str).map(String::from);
        self.global_pool = argument("global_pool").or(text("global_pool"));
        let rope = json.get("rope_theta").or_else(|| json.get("rope_parameters")?.get("rope_theta"));
        self.rope_temperature = rope.and_then(Value::as_f64);
        self.final_norm = arguments.get("final_norm").and_then(Value::as_bool);
        if let Some(name) = &self.architecture {
            self.final_norm = self.final_norm.or_else(|| timm_names::final_norm(name));
        }
        self.labels = labels(json);
        self.normalisation = self.normalisation.take().or_else(|| normalisation(picture, "mean", "std"));
        Ok(true)
    }

    /// Adds OpenCLIP's `open_clip_config.json`.
    fn add_open_clip(&mut self, name: &str, model: &Value, picture: &Value) -> Result<bool, CheckpointError> {
        let tower = model.get("vision_cfg").unwrap_or(&Value::Null);
        let number = |key: &str| tower.get(key).and_then(Value::as_u64).map(|n| n as usize);
        let is_set = |at: &Value, key: &str| at.get(key).and_then(Value::as_bool) == Some(true);
        // Of whatever changes the tower without another name for its tensors.
        let unknown = ["attentional_pool", "no_ln_pre", "final_ln_after_pool", "input_patchnorm"];
        let pools_otherwise = tower.get("pool_type").and_then(Value::as_str).filter(|&pool| pool != "tok");
        if let Some(key) = unknown.into_iter().find(|key| is_set(tower, key)).or(pools_otherwise.map(|_| "pool_type")) {
            let found = format!("a CLIP model with `{key}`, which is not known here");
            return Err(CheckpointError::OtherModel { name: name.into(), found });
        }
        self.source = name.into();
        self.image_size = number("image_size");
        let head_width = number("head_width").unwrap_or(OPEN_CLIP_HEAD).max(1);
        self.num_heads = number("width").map(|width| width / head_width);
        self.activation = Some(if is_set(model, "quick_gelu") { Activation::QuickGelu } else { Activation::Gelu });
        self.norm_eps = Some(1e-5);
        let colours = |key: &str| floats(picture.get(key)?);
        self.normalisation = self.normalisation.take().or_else(|| Some((colours("mean")?, colours("std")?)));
        Ok(true)
    }

    /// What it is if not ours; the activation, if it is.
    fn refuse_other_models(&mut self, name: &str, json: &Value) -> Result<(), CheckpointError> {
        let other = |found: String| Err(CheckpointError::OtherModel { name: name.into(), found });
        if let Some(found) = self.model_type.as_deref().and_then(foreign::recognise_model_type) {
            return other(found);
        }
        if let Some(found) = self.architecture.as_deref().and_then(timm_names::other) {
            return other(found);
        }
        if let Some(key) =
            json.get("model_args").and_then(Value::as_object).and_then(|all| all.keys().find(unknown_argument))
        {
            return other(format!("a Vision Transformer built with `{key}`, which is not known here"));
        }
        let is_set = |key: &str| json.get(key).and_then(Value::as_bool) == Some(true);
        if let Some(key) = ["downsample_in_bottleneck", "downsample_in_first_stage"].into_iter().find(|key| is_set(key))
        {
            return other(format!("a ResNet with `{key}`, whose strides are others than torchvision's"));
        }
        let said = json.get("hidden_act").or_else(|| json.get("model_args")?.get("act_layer"));
        let Some(said) = said.and_then(Value::as_str) else { return Ok(()) };
        self.activation = Activation::named(said);
        let is_resnet = self.model_type.as_deref() == Some("resnet");
        match self.activation {
            Some(activation) if is_resnet && activation != Activation::Relu => {
                other(format!("a ResNet with the activation `{said}` instead of ReLU"))
            }
            Some(_) => Ok(()),
            None => other(format!("a Vision Transformer with the activation `{said}`, which is not known here")),
        }
    }
}

/// Arguments of timm's constructors that change what the same tensors compute.
fn unknown_argument(key: &&String) -> bool {
    let known = [
        "rope_",
        "ref_feat_shape",
        "use_post_norm",
        "use_rot_pos_emb",
        "block_fn",
        "attn_type",
        "scale_",
        "pool_include_prefix",
    ];
    known.iter().any(|part| key.starts_with(part))
}

fn floats(value: &Value) -> Option<[f32; 3]> {
    let numbers: Vec<f32> =
        value.as_array()?.iter().map(|number| number.as_f64().map(|n| n as f32)).collect::<Option<_>>()?;
    numbers.try_into().ok()
}

/// Class names: Hugging Face's `id2label`, or timm's `label_names` with `label_descriptions`, formerly `labels`.
fn labels(json: &Value) -> Option<Vec<String>> {
    if let Some(map) = json.get("id2label").and_then(Value::as_object) {
        return (0..map.len()).map(|id| map.get(&id.to_string())?.as_str().map(String::from)).collect();
    }
    let names: Vec<&str> = json
        .get("label_names")
        .or_else(|| json.get("labels"))?
        .as_array()?
        .iter()
        .map(Value::as_str)
        .collect::<Option<_>>()?;
    let describe = |name: &str| json.get("label_descriptions")?.get(name)?.as_str().map(String::from);
    Some(names.into_iter().map(|name| describe(name).unwrap_or_else(|| name.to_string())).collect())
}
