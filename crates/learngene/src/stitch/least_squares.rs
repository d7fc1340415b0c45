//! The least-squares start of stitch layers (docs/methods.md, section 4.2): the affine map that takes the front's tokens nearest
//! to those the end is used to. Sums are made on the device, the small system is solved on the host in f64.

use std::collections::BTreeMap;

use burn::module::Param;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};

use super::{Configuration, StitchNet};
use crate::Matrix;
use heirloom_nn::device::{ReadError, read_all};
use heirloom_nn::vit::{Hooks, Vit};

/// Least deviation of a column, relative to its mean: a constant column would be divided by rounding.
const LEAST_DEVIATION: f32 = 1e-5;

/// An affine map `y = W x + b`.
#[derive(Clone, Debug, PartialEq)]
pub struct AffineFit {
    /// `[D_out, D_in]`.
    pub weight: Matrix,
    /// `[D_out]`.
    pub bias: Vec<f64>,
}

impl AffineFit {
    /// The map to 0.
    pub fn zero(input: usize, output: usize) -> Self {
        Self { weight: Matrix::zeros(output, input), bias: vec![0.0; output] }
    }

    /// A linear map.
    pub fn linear_map(weight: Matrix) -> Self {
        Self { bias: vec![0.0; weight.rows], weight }
    }

    /// As a layer on a device.
    pub fn linear(&self, device: &Device) -> Linear {
        let Matrix { rows, columns, .. } = self.weight;
        let weight = TensorData::new(self.weight.transposed().to_f32(), [columns, rows]);
        let bias: Vec<f32> = self.bias.iter().map(|&value| value as f32).collect();
        let bias = TensorData::new(bias, [rows]);
        Linear { weight: Param::from_data(weight, device), bias: Some(Param::from_data(bias, device)) }
    }

    /// Mean of several maps of the same widths; `None` of none.
    pub fn mean(fits: &[Self]) -> Option<Self> {
        let weights: Vec<_> = fits.iter().map(|fit| fit.weight.clone()).collect();
        let weight = Matrix::mean(&weights)?;
        let bias = (0..weight.rows).map(|row| fits.iter().map(|fit| fit.bias[row]).sum::<f64>() / fits.len() as f64);
        Some(Self { bias: bias.collect(), weight })
    }
}

/// Sums of the normal equations for one input and several outputs.
///
/// The input's columns are shifted and scaled by the mean and deviation of the first batch, and 1 is appended: tokens
/// of a ViT have columns a hundred times as large as others, whose squares would drown the rest in f32.
#[derive(Clone, Debug, Default)]
pub struct Sums {
    standard: Option<Standard>,
    /// `XᵀX`, `[D + 1, D + 1]`.
    gram: Option<Matrix>,
    /// `XᵀY`, `[D + 1, outputs · D_out]`.
    cross: Option<Matrix>,
    outputs: usize,
}

#[derive(Clone, Debug)]
struct Standard {
    shift: Vec<f32>,
    scale: Vec<f32>,
}

impl Sums {
    /// Adds some rows; every call has the same number of outputs, all of one width.
    ///
    /// # Shapes
    /// `x: [batch, tokens, D]`, `ys: [batch, tokens, D_out]`
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn add(&mut self, x: Tensor<3>, ys: Vec<Tensor<3>>) -> Result<(), ReadError> {
        let [batch, tokens, width] = x.dims();
        let (rows, device) = (batch * tokens, x.device());
        let x = x.reshape([rows, width]);
        let standard = match self.standard.take() {
            Some(standard) => standard,
            None => Standard::of(x.clone()).await?,
        };
        let row = |values: &[f32]| Tensor::<2>::from_data(TensorData::new(values.to_vec(), [1, width]), &device);
        let x = (x - row(&standard.shift)) / row(&standard.scale);
        let x = Tensor::cat(vec![x, Tensor::ones([rows, 1], &device)], 1);
        self.standard = Some(standard);
        self.outputs = ys.len();
        let ys = ys.into_iter().map(|y| {
            let [_, _, out] = y.dims();
            y.reshape([rows, out])
        });
        let y = Tensor::cat(ys.collect(), 1);
        let [_, columns] = y.dims();
        let turned = x.clone().transpose();
        let sums = read_all(vec![turned.clone().matmul(x), turned.matmul(y)]).await?;
        let shapes = [(&mut self.gram, width + 1), (&mut self.cross, columns)];
        for ((sum, columns), values) in shapes.into_iter().zip(sums) {
            let part = Matrix::from_f32(width + 1, columns, &values);
            match sum {
                Some(sum) => sum.add(&part),
                None => *sum = Some(part),
            }
        }
        Ok(())
    }

    /// The map to each output; none before any rows came.
    pub fn solve(&self) -> Vec<AffineFit> {
        let (Some(Standard { shift, scale }), Some(gram), Some(cross)) = (&self.standard, &self.gram, &self.cross)
        else {
            return Vec::new();
        };
        let (width, all) = (shift.len(), cross.columns);
        let out = all / self.outputs.max(1);
        let solved = gram.solve_symmetric(cross);
        let fit = |output: usize| {
            let mut fit = AffineFit::zero(width, out);
            for row in 0..out {
                let at = |column: usize| solved.values[column * all + output * out + row];
                fit.bias[row] = at(width);
                for column in 0..width {
                    let weight = at(column) / f64::from(scale[column]);
                    fit.weight.values[row * width + column] = weight;
                    fit.bias[row] -= weight * f64::from(shift[column]);
                }
            }
            fit
        };
        (0..self.outputs).map(fit).collect()
    }
}

impl Standard {
    async fn of(x: Tensor<2>) -> Result<Self, ReadError> {
        let mean = x.clone().mean_dim(0);
        let variance = (x - mean.clone()).square().mean_dim(0);
        let mut numbers = read_all(vec![mean, variance]).await?.into_iter();
        let (shift, variance) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
        let scale = |(mean, variance): (&f32, &f32)| variance.sqrt().max(LEAST_DEVIATION * mean.abs()).max(1e-12);
        let scale = shift.iter().zip(&variance).map(scale).collect();
        Ok(Self { shift, scale })
    }
}

/// Fits every stitch layer of a net, batch by batch; about 100 pictures do (SN-Net).
#[derive(Clone, Debug, Default)]
pub struct StitchFit {
    /// By front anchor and its layer.
    sums: BTreeMap<(usize, usize), Sums>,
}

impl StitchFit {
    /// Adds some pictures, `[batch, channels, image_size, image_size]`.
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn add(&mut self, net: &StitchNet, images: Tensor<4>) -> Result<(), ReadError> {
        let tokens: Vec<_> = net.anchors.iter().map(|anchor| tokens(anchor, images.clone())).collect();
        for ((front, layer), ends) in meetings(net) {
            // Tokens that leave layer `layer` are at `layer + 1`, behind those of the embedding.
            let x = tokens[front][layer + 1].clone();
            let ys = ends.iter().map(|&(end, _)| tokens[front + 1][end].clone()).collect();
            self.sums.entry((front, layer)).or_default().add(x, ys).await?;
        }
        Ok(())
    }

    /// The map of every stitch layer: the mean of the maps of the pairs that share it. Zero before any picture came.
    pub fn finish(&self, net: &StitchNet) -> Vec<AffineFit> {
        let mut fits = vec![Vec::new(); net.stitches.len()];
        for (place, ends) in meetings(net) {
            let solved = self.sums.get(&place).map(Sums::solve).unwrap_or_default();
            for ((_, stitch), fit) in ends.into_iter().zip(solved) {
                fits[stitch].push(fit);
            }
        }
        let mean = |(fits, [input, output]): (Vec<AffineFit>, [usize; 2])| {
            AffineFit::mean(&fits).unwrap_or_else(|| AffineFit::zero(input, output))
        };
        fits.into_iter().zip(net.widths()).map(mean).collect()
    }
}

/// For every front anchor and layer: the end layers it meets, each with its stitch layer.
fn meetings(net: &StitchNet) -> BTreeMap<(usize, usize), Vec<(usize, usize)>> {
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for configuration in net.configurations() {
        if let Configuration::Stitched { front, pair, .. } = configuration {
            found.entry((*front, pair.front)).or_default().push((pair.end, pair.stitch));
        }
    }
    found
}

/// Tokens of the embedding and of every layer.
fn tokens(model: &Vit, images: Tensor<4>) -> Vec<Tensor<3>> {
    let embedded = model.embed(images);
    let mut found = vec![embedded.clone()];
    let mut see = |_: usize, tokens: &Tensor<3>| found.push(tokens.clone());
    model.encode(embedded, &mut Hooks { tokens: Some(&mut see), ..Default::default() });
    found
}
