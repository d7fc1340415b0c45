//! From a picture to an answer.

use heirloom_lanes::{ChannelScale, Resizer, evaluation_window, normalise, softmax_rows_with_lse};
use heirloom_plan::config::ModelConfig;
use serde::Deserialize;

use super::PlayerError;
use super::model::Model;
use super::weights::Weights;

/// Most pixels of a picture, as in Heirloom.
const MAX_PIXELS: u64 = 50_000_000;

/// What the weights say about themselves (`heirloom_checkpoint::Description`).
#[derive(Deserialize)]
struct Description {
    config: ModelConfig,
    labels: Option<Vec<String>>,
    preprocessing: Option<Preprocessing>,
}

#[derive(Deserialize)]
struct Preprocessing {
    mean: [f32; 3],
    std: [f32; 3],
}

/// A model that names pictures.
pub struct Player {
    model: Model,
    labels: Vec<String>,
    scale: ChannelScale,
    image_size: usize,
}

/// What the model says of a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The share of each class; together 1.
    pub shares: Vec<f32>,
    /// How much of what the classifier's input saw came from each patch, row by row; a square.
    pub seen: Vec<f32>,
}

impl Player {
    /// Opens safetensors that describe themselves, as Heirloom writes them.
    ///
    /// # Errors
    /// When they are damaged, or hold a model that cannot be run here.
    pub fn open(bytes: &[u8]) -> Result<Self, PlayerError> {
        let weights = Weights::read(bytes)?;
        let said = weights.metadata.get("heirloom").map(String::as_str).unwrap_or_default();
        let said: Description =
            serde_json::from_str(said).map_err(|error| PlayerError::Damaged(format!("its description: {error}")))?;
        let classes = said.config.classes().ok_or(PlayerError::NoClasses)?;
        let numbered = || (1..=classes).map(|class| format!("class {class}")).collect();
        let labels = said.labels.filter(|labels| labels.len() == classes);
        // ImageNet's, as where Heirloom opens a file that does not say it.
        let usual = Preprocessing { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
        let Preprocessing { mean, std } = said.preprocessing.unwrap_or(usual);
        let scale = ChannelScale {
            scale: std.map(|std| 1.0 / (255.0 * std)),
            shift: std::array::from_fn(|channel| -mean[channel] / std[channel]),
        };
        let (model, image_size) = (Model::load(&said.config, weights)?, said.config.image_size());
        Ok(Self { model, labels: labels.unwrap_or_else(numbered), scale, image_size })
    }

    /// Names of the classes, in the order of the shares.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Side of the picture that the model sees, px.
    pub fn image_size(&self) -> usize {
        self.image_size
    }

    /// Takes the rows of a picture of `width × height`, `[rows, width, 3]`, and makes of them what the model sees.
    ///
    /// # Errors
    /// When it has no pixels or too many.
    pub fn begin(&self, width: usize, height: usize) -> Result<Resizer, PlayerError> {
        if width == 0 || height == 0 || width as u64 * height as u64 > MAX_PIXELS {
            return Err(PlayerError::Picture { width, height });
        }
        let (scaled, window) = evaluation_window(width, height, self.image_size);
        Ok(Resizer::to_window((width, height), scaled, window))
    }

    /// What the model says of a picture whose rows all came.
    ///
    /// # Panics
    /// When rows are missing, or the picture was begun for another model.
    pub fn answer(&self, picture: Resizer) -> Answer {
        let pixels = picture.finish();
        let mut image = vec![0.0; pixels.len()];
        normalise(&pixels, self.scale, &mut image);
        self.answer_image(&image)
    }

    /// What the model says of a prepared picture, `[3, image_size, image_size]`.
    ///
    /// # Panics
    /// When the picture has another size.
    pub fn answer_image(&self, image: &[f32]) -> Answer {
        let (mut shares, seen) = self.scores(image);
        let classes = shares.len();
        softmax_rows_with_lse(&mut shares, classes, 1.0, &mut [0.0]);
        Answer { shares, seen }
    }

    /// Class scores before the softmax, and what was looked at; see [`Player::answer_image`].
    ///
    /// # Panics
    /// When the picture has another size.
    pub fn scores(&self, image: &[f32]) -> (Vec<f32>, Vec<f32>) {
        assert_eq!(image.len(), 3 * self.image_size * self.image_size, "the picture has the model's size");
        self.model.forward(image)
    }
}
