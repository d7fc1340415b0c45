//! What can go wrong while training.

/// Why training could not go on.
#[derive(Debug, thiserror::Error, serde::Serialize)]
pub enum TrainError {
    /// The loss of a step is NaN or infinite; the weights are still those of the step before.
    #[error(
        "the loss of step `{step}` is `{loss}`, expected a finite number: the weights before that step are kept; try a \
         smaller learning rate, a longer warm-up or gradient clipping"
    )]
    LossNotFinite {
        /// Step, counted from 1.
        step: usize,
        /// The loss.
        loss: f32,
    },
    /// The gradient of a step is NaN or infinite though its loss is not.
    #[error(
        "the gradient of step `{step}` has norm `{norm}`, expected a finite number: the weights before that step are \
         kept; try a smaller learning rate or a longer warm-up"
    )]
    GradientNotFinite {
        /// Step, counted from 1.
        step: usize,
        /// Global norm of the gradient.
        norm: f32,
    },
    /// The outputs of a model on judged pictures are NaN or infinite.
    #[error("the model answers `{value}` on a validation picture, expected finite numbers: its weights are spoiled")]
    LogitsNotFinite {
        /// One of the bad values.
        value: f32,
    },
    /// Pictures and labels do not belong together.
    #[error("{what}: found `{found}`, expected `{expected}`")]
    Mismatch {
        /// What was compared.
        what: String,
        /// What there is.
        found: String,
        /// What there should be.
        expected: String,
    },
    /// An earlier step broke off half-way.
    #[error("the model was lost when an earlier step broke off; restore the run or start it again")]
    ModelLost,
    /// A saved state does not fit.
    #[error("the saved state has no tensor `{name}`; it was saved by another model or is incomplete")]
    MissingTensor {
        /// The absent name.
        name: String,
    },
    /// A saved state is unreadable.
    #[error("the saved state cannot be read: {0}")]
    State(String),
    /// Not even one picture at a time has room.
    #[error(
        "training this model on a single picture needs more memory than there is; choose fewer layers, fewer heads or \
         smaller pictures"
    )]
    OutOfMemory,
    /// Numbers could not be read back from the device.
    #[error(transparent)]
    Device(#[from] heirloom_nn::device::ReadError),
    /// The caller's pictures or models failed.
    #[error("{0}")]
    Source(String),
}
