//! What a shared basis must know of the ancestor's tokens: mean, variance and covariance behind each of its blocks.
//!
//! Products of tokens are summed on the device and read once, for they are as large as the width squared; means and
//! variances are read with every batch, which also waits for the device.

use burn::tensor::{Tensor, TensorData};

use crate::Matrix;
use heirloom_nn::device::{ReadError, read, read_all};

/// Sums over the tokens behind every block. Tokens are shifted by the mean of the first batch: some channels of a ViT
/// are a hundred times as large as others and nearly constant, and their squares would drown the rest in f32.
#[derive(Default)]
pub struct TokenSums {
    places: Vec<PlaceSums>,
    /// Tokens seen.
    rows: f64,
}

struct PlaceSums {
    /// `[1, D]`, on the device and here.
    shift: (Tensor<2>, Vec<f64>),
    sum: Vec<f64>,
    squares: f64,
    /// `[D, D]`.
    products: Option<Tensor<2>>,
}

/// What was measured behind one block.
#[derive(Clone, Debug, PartialEq)]
pub struct PlaceMoments {
    /// Mean of each channel, `[D]`.
    pub mean: Vec<f64>,
    /// Mean square of `t − mean` over tokens and channels.
    pub variance: f64,
    /// Mean of `(t − mean) (t − mean)ᵀ`, `[D, D]`, if it was asked for.
    pub covariance: Option<Matrix>,
}

impl TokenSums {
    /// Adds the tokens of some pictures, block by block; `has_products` asks for covariances.
    ///
    /// # Shapes
    /// `tokens: [batch, tokens, D]` each, without autodiff
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn add(&mut self, tokens: Vec<Tensor<3>>, has_products: bool) -> Result<(), ReadError> {
        let mut rows = 0;
        for (at, tokens) in tokens.into_iter().enumerate() {
            let [batch, count, width] = tokens.dims();
            rows = batch * count;
            let tokens = tokens.reshape([rows, width]);
            if self.places.len() == at {
                self.places.push(PlaceSums::start(&tokens).await?);
            }
            self.places[at].add(tokens, has_products).await?;
        }
        self.rows += rows as f64;
        Ok(())
    }

    /// What was measured behind each block.
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn finish(self) -> Result<Vec<PlaceMoments>, ReadError> {
        let mut measured = Vec::with_capacity(self.places.len());
        for place in self.places {
            measured.push(place.finish(self.rows.max(1.0)).await?);
        }
        Ok(measured)
    }
}

impl PlaceSums {
    async fn start(tokens: &Tensor<2>) -> Result<Self, ReadError> {
        let [_, width] = tokens.dims();
        let mean = read(tokens.clone().mean_dim(0)).await?;
        let shift = Tensor::from_data(TensorData::new(mean.clone(), [1, width]), &tokens.device());
        let shift = (shift, mean.into_iter().map(f64::from).collect());
        Ok(Self { shift, sum: vec![0.0; width], squares: 0.0, products: None })
    }

    async fn add(&mut self, tokens: Tensor<2>, has_products: bool) -> Result<(), ReadError> {
        let shifted = tokens - self.shift.0.clone();
        let mut numbers =
            read_all(vec![shifted.clone().sum_dim(0), shifted.clone().square().sum_dim(0)]).await?.into_iter();
        for (sum, part) in self.sum.iter_mut().zip(numbers.next().unwrap_or_default()) {
            *sum += f64::from(part);
        }
        self.squares += numbers.next().unwrap_or_default().into_iter().map(f64::from).sum::<f64>();
        if has_products {
            let part = shifted.clone().transpose().matmul(shifted);
            self.products = Some(match self.products.take() {
                Some(products) => products + part,
                None => part,
            });
        }
        Ok(())
    }

    async fn finish(self, rows: f64) -> Result<PlaceMoments, ReadError> {
        // Of shifted tokens; the rest is brought back to the mean.
        let lift: Vec<f64> = self.sum.iter().map(|sum| sum / rows).collect();
        let width = lift.len();
        let square: f64 = lift.iter().map(|lift| lift * lift).sum();
        let variance = ((self.squares / rows - square) / width.max(1) as f64).max(0.0);
        let covariance = match self.products {
            None => None,
            Some(products) => {
                let mut covariance = Matrix::from_f32(width, width, &read(products).await?).scaled(1.0 / rows);
                for (row, of_row) in covariance.values.chunks_mut(width.max(1)).zip(&lift) {
                    row.iter_mut().zip(&lift).for_each(|(value, of_column)| *value -= of_row * of_column);
                }
                Some(covariance)
            }
        };
        let mean = self.shift.1.iter().zip(&lift).map(|(shift, lift)| shift + lift).collect();
        Ok(PlaceMoments { mean, variance, covariance })
    }
}
