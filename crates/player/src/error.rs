//! Why a page cannot run its model.

/// Why a model is not run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize)]
pub enum PlayerError {
    /// A family that is not computed here.
    #[error("a page that names pictures runs Vision Transformers, and this is {0}; save it as .onnx or .safetensors")]
    Family(&'static str),
    /// A part that is not computed here.
    #[error("a page that names pictures does not compute {0}, which this model has; save it as .onnx or .safetensors")]
    Part(&'static str),
    /// No classifier.
    #[error("this model has no classifier, so a page could not name pictures with it; train a descendant first")]
    NoClasses,
    /// A number that makes no sense.
    #[error("the model's description has `{what}` = {found}, which makes no model; save the page again")]
    Config {
        /// Which number.
        what: &'static str,
        /// What it is.
        found: usize,
    },
    /// The weights are not readable.
    #[error("the model inside this page is damaged ({0}); get the page again")]
    Damaged(String),
    /// A tensor is not there, or another one.
    #[error("the model inside this page holds `{key}` as {found}, but {expected:?} is needed; get the page again")]
    Tensor {
        /// Its key.
        key: String,
        /// Its shape, or `nothing`.
        found: String,
        /// The shape asked for.
        expected: Vec<usize>,
    },
    /// No picture.
    #[error("a picture of {width} × {height} px cannot be looked at; choose one with at most 50 million pixels")]
    Picture {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
    },
}
