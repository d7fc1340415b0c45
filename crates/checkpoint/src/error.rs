//! Everything that can be wrong with weights, as sentences a person can act on.

use heirloom_platform::file::FileError;

/// What would fit instead; the end of every refusal.
pub const WOULD_FIT: &str = "a Vision Transformer (ViT, DeiT, DINOv2 or 3, EVA, BEiT, CLIP or SigLIP, from timm or Hugging Face), a ResNet, a \
                             MobileNetV2 or a VGG with batch norm would fit, as `.safetensors` or `.pth`";

/// Why weights could not be read.
#[derive(Debug, thiserror::Error, serde::Serialize)]
pub enum CheckpointError {
    /// The platform refused, or the file is shorter than it says.
    #[error(transparent)]
    File(#[from] FileError),
    /// Nothing among the files holds weights.
    #[error("no weights among {found}; {WOULD_FIT}")]
    NoWeights {
        /// The files, in words.
        found: String,
    },
    /// The file is of another kind altogether: a picture, a web page, ONNX.
    #[error("`{name}` is {found}; {WOULD_FIT}")]
    NotWeights {
        /// Name of the file.
        name: String,
        /// What it is.
        found: String,
    },
    /// The weights are of a model that this program does not have.
    #[error("`{name}` holds {found}; {WOULD_FIT}")]
    OtherModel {
        /// Name of the file.
        name: String,
        /// The model, and by which key it was recognised.
        found: String,
    },
    /// The file contradicts itself or its format.
    #[error("`{name}` is damaged: {problem}; get the file again")]
    Damaged {
        /// Name of the file.
        name: String,
        /// What does not add up.
        problem: String,
    },
    /// One of several shards was not handed over.
    #[error("`{shard}` is missing, the weights are spread over several files; drop all of them together")]
    MissingShard {
        /// The file that is not there.
        shard: String,
    },
    /// Two files hold the same tensor.
    #[error("`{key}` is in both `{first}` and `{second}`; drop only one of them")]
    Duplicate {
        /// The tensor.
        key: String,
        /// One file.
        first: String,
        /// The other file.
        second: String,
    },
    /// One tensor of the model stands twice in the file, e.g. once wrapped and once not.
    #[error("`{name}` holds `{key}` twice, as `{first}` and as `{second}`; save one model only")]
    Twice {
        /// Name of the file.
        name: String,
        /// The tensor of the model.
        key: String,
        /// One key of the file.
        first: String,
        /// The other key.
        second: String,
    },
    /// The description beside the weights does not go with them.
    #[error("`{name}` does not fit the weights: {problem}; drop the one that belongs to them, or none")]
    Description {
        /// Name of the description.
        name: String,
        /// What does not fit.
        problem: String,
    },
    /// A tensor the model needs is not there.
    #[error(
        "`{key}` is missing from the weights{}; save or fetch the whole model again",
        nearest.as_ref().map_or(String::new(), |near| format!(", the nearest name is `{near}`"))
    )]
    Missing {
        /// timm key.
        key: String,
        /// The nearest name among those nobody uses.
        nearest: Option<String>,
    },
    /// A tensor has another shape than its neighbours ask for.
    #[error("`{key}` has shape {found:?}, but the other tensors ask for {expected:?}; the weights are mixed up")]
    Shape {
        /// timm key.
        key: String,
        /// Shape in the file.
        found: Vec<usize>,
        /// Shape that follows from the configuration.
        expected: Vec<usize>,
    },
    /// A tensor is stored in a way this program does not read.
    #[error("`{key}` is stored as {dtype}; F32, F16, BF16 and F64 can be read, so save the weights in one of them")]
    ElementType {
        /// Key in the file.
        key: String,
        /// Its element type.
        dtype: String,
    },
    /// A tensor holds NaN or infinite values.
    #[error(
        "`{key}` holds {count} of {total} values that are not finite numbers (NaN or infinity); \
         training went wrong or the file is damaged, so take another checkpoint"
    )]
    NotFinite {
        /// timm key.
        key: String,
        /// How many.
        count: usize,
        /// Of how many.
        total: usize,
    },
}
