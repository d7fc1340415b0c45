//! What a race asks of its caller: pictures and start values.

use super::TrainError;
use burn::tensor::{Device, Int, Tensor, TensorData};

/// Pictures as a model takes them.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// `[batch, channels, height, width]`, row-major.
    pub pixels: Vec<f32>,
    /// The four lengths of `pixels`.
    pub shape: [usize; 4],
    /// `[batch]`, classes.
    pub labels: Vec<usize>,
}

impl Batch {
    /// The pictures on a device, `[batch, channels, height, width]`.
    ///
    /// # Errors
    /// When pixels, shape and labels do not fit together.
    pub fn images(&self, device: &Device) -> Result<Tensor<4>, TrainError> {
        if self.pixels.len() != self.shape.iter().product::<usize>() || self.labels.len() != self.shape[0] {
            return Err(TrainError::Mismatch {
                what: "a batch".into(),
                found: format!("{} values, {} labels", self.pixels.len(), self.labels.len()),
                expected: format!("those of shape {:?}", self.shape),
            });
        }
        Ok(Tensor::from_data(TensorData::new(self.pixels.clone(), self.shape), device))
    }

    /// The labels on a device, `[batch]`.
    pub fn targets(&self, device: &Device) -> Tensor<1, Int> {
        let labels: Vec<i32> = self.labels.iter().map(|&label| label as i32).collect();
        Tensor::from_data(TensorData::new(labels, [self.labels.len()]), device)
    }
}

/// Where the pictures of a race come from.
pub trait Batches {
    /// The batch of an optimiser step: a pure function of `(seed, step)`, so that every arm sees the same pictures in
    /// the same crops, and a resumed race goes on exactly.
    fn training(&mut self, seed: u64, step: usize) -> impl Future<Output = Result<Batch, TrainError>>;

    /// Some validation pictures, `index` below [`Batches::validation_batches`]; may be empty.
    fn validation(&mut self, index: usize) -> impl Future<Output = Result<Batch, TrainError>>;

    /// Batches of validation pictures.
    fn validation_batches(&self) -> usize;

    /// Steps of one pass over the training pictures, fractional.
    fn steps_per_epoch(&self) -> f64;
}

/// How the arms of a race start. The race knows no method: whatever makes a model can be an arm.
pub trait Initializers<M> {
    /// The untrained model of an arm for a seed, on the device it shall be trained on.
    fn start(&mut self, arm: usize, seed: u64) -> impl Future<Output = Result<M, TrainError>>;

    /// Does a piece of what has to be done before [`Initializers::start`], and says how much is done of how much; `None`
    /// when nothing is left.
    fn prepare(&mut self, _arm: usize, _seed: u64) -> impl Future<Output = Result<Option<(usize, usize)>, TrainError>> {
        std::future::ready(Ok(None))
    }

    /// A model of the same shape, whose weights are about to be replaced.
    fn blank(&mut self, arm: usize, seed: u64) -> impl Future<Output = Result<M, TrainError>> {
        self.start(arm, seed)
    }

    /// Whether the arm stays as it starts: it takes no steps, and its accuracy is a level line.
    fn is_frozen(&self, _arm: usize) -> bool {
        false
    }
}
