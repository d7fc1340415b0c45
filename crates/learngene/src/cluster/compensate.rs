//! Compensated expansion (docs/methods.md, section 1.9): the projections of a descendant's heads, and the second matrices of
//! feed-forward networks that stand for others, fitted to some pictures, layer by layer, so that what was kept makes up
//! for what was left out. Nothing is trained: sums are made on the device, each layer's small system is solved on the host.

use burn::module::Param;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};

use super::{ExpansionPlan, LayerPlan};
use crate::Matrix;
use crate::copy::detached_linear;
use heirloom_nn::device::{ReadError, read, read_all};
use heirloom_nn::kernels::linear;
use heirloom_nn::vit::{Block, Look, Vit};

/// Pictures that a fit is made on.
pub const FIT_PICTURES: usize = 100;
/// Ridge on the change of a matrix, relative to the mean diagonal of the inputs' Gram matrix. A tenth of it comes nearer
/// to the ancestor's tokens, and classifies worse.
pub const FIT_RIDGE: f64 = 0.1;

/// The layers that were fitted, and how near the descendant comes.
#[derive(Clone, Debug)]
pub struct Fit {
    /// For each layer its output projection `[heads * head_dim, embed_dim]`.
    projections: Vec<Linear>,
    /// For each layer the second matrix `[mlp_dim, embed_dim]` of a feed-forward network that stands for another.
    seconds: Vec<Option<Linear>>,
    /// Over all pictures and tokens behind the last layer.
    pub likeness: Likeness,
}

/// How near a descendant's tokens are to the ancestor's behind the layer that its last layer comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Likeness {
    /// Mean cosine; 1 is alike.
    pub cosine: f64,
    /// Squared difference, relative to the ancestor's squared length.
    pub error: f64,
}

impl Fit {
    /// Puts the fitted layers into a descendant of the same plan.
    pub(super) fn apply(&self, layer: usize, block: &mut Block) {
        block.attn.proj = detached_linear(&self.projections[layer]);
        if let (Some(second), Some(mlp)) = (&self.seconds[layer], &mut block.mlp) {
            mlp.fc2 = detached_linear(second);
        }
    }
}

/// Tokens of all pictures on either side, batch by batch.
struct Sides<'a> {
    ancestor: &'a Vit,
    /// `[batch, tokens, embed_dim]`, before layer `at`.
    theirs: Vec<Tensor<3>>,
    at: usize,
    /// The descendant's.
    ours: Vec<Tensor<3>>,
}

/// How near a descendant is to its ancestor before any training; with a `ridge`, after fitting it. `descendant` has every
/// layer's feed-forward network and starts as `plan` says; pictures are `[batch, channels, image_size, image_size]`.
///
/// # Errors
/// When the device is lost.
pub(super) async fn fit(
    ancestor: &Vit,
    mut descendant: Vit,
    plan: &ExpansionPlan,
    pictures: &[Tensor<4>],
    ridge: Option<f64>,
) -> Result<Fit, ReadError> {
    let tokens: Vec<Tensor<3>> = pictures.iter().map(|images| descendant.embed(images.clone())).collect();
    let mut sides = Sides { ancestor, theirs: tokens.clone(), at: 0, ours: tokens };
    let (mut projections, mut seconds) = (Vec::new(), Vec::new());
    for (layer, block) in plan.layers.iter().zip(&mut descendant.blocks) {
        sides.lead_ancestor_to(layer.source_layer);
        let has_own_ffn = layer.ffn_layer == layer.source_layer;
        let is_shared = plan.ffn_group_of(projections.len()).is_some();
        let attended = sides.attend(layer.source_layer);
        if let Some(ridge) = ridge {
            block.attn.proj = sides.fit_projection(layer, block, &attended, ridge).await?;
        }
        sides.pass_attention(block);
        let fed = sides.feed(layer.source_layer);
        let mut second = None;
        if let (Some(ridge), Some(mlp), false, false) = (ridge, &mut block.mlp, has_own_ffn, is_shared) {
            let hidden = |tokens: &Tensor<3>| mlp.hidden(block.norm2.forward(tokens.clone()));
            let inputs = sides.ours.iter().map(hidden).collect();
            mlp.fc2 = fit_linear(&mlp.fc2, inputs, &fed, ridge).await?;
            second = Some(detached_linear(&mlp.fc2));
        }
        sides.pass_ffn(block);
        projections.push(detached_linear(&block.attn.proj));
        seconds.push(second);
    }
    Ok(Fit { projections, seconds, likeness: sides.likeness().await? })
}

impl Sides<'_> {
    /// Takes the ancestor's tokens through its layers up to `layer`.
    fn lead_ancestor_to(&mut self, layer: usize) {
        while self.at < layer {
            self.attend(self.at);
            self.feed(self.at);
        }
    }

    /// Takes the ancestor's tokens through a layer's attention; gives what that wrote, before layer scale.
    fn attend(&mut self, layer: usize) -> Vec<Tensor<3>> {
        let block = &self.ancestor.blocks[layer];
        let mut written = Vec::with_capacity(self.theirs.len());
        for tokens in &mut self.theirs {
            let mut see = |attended: &Tensor<3>| written.push(attended.clone());
            let look = Look { attended: Some(&mut see), ..Look::default() };
            *tokens = block.forward_attn(tokens.clone(), None, look);
        }
        written
    }

    /// As [`Sides::attend`], through its feed-forward network.
    fn feed(&mut self, layer: usize) -> Vec<Tensor<3>> {
        let block = &self.ancestor.blocks[layer];
        let mut written = Vec::with_capacity(self.theirs.len());
        for tokens in &mut self.theirs {
            written.extend(block.mlp.as_ref().map(|mlp| mlp.forward(block.norm2.forward(tokens.clone()))));
            *tokens = block.forward_mlp(tokens.clone(), None);
        }
        self.at = layer + 1;
        written
    }

    fn pass_attention(&mut self, block: &Block) {
        for tokens in &mut self.ours {
            *tokens = block.forward_attn(tokens.clone(), None, Look::default());
        }
    }

    fn pass_ffn(&mut self, block: &Block) {
        for tokens in &mut self.ours {
            *tokens = block.forward_mlp(tokens.clone(), None);
        }
    }

    /// The projection whose copies together write as near as they can to what the ancestor's attention wrote.
    async fn fit_projection(
        &self,
        layer: &LayerPlan,
        block: &Block,
        attended: &[Tensor<3>],
        ridge: f64,
    ) -> Result<Linear, ReadError> {
        let (heads, width) = (layer.heads.len(), block.attn.head_dim);
        // Head `i` starts from cluster `i mod c`: the first ones differ, all others are their copies.
        let kept = layer.heads.iter().map(|source| source.cluster + 1).max().unwrap_or(0).min(heads);
        let source = &self.ancestor.blocks[layer.source_layer].attn.proj;
        let columns = |source: usize| source_columns(source, width, &block.attn.proj.weight.val().device());
        let own = layer.heads[..kept].iter().map(|head| source.weight.val().inner().select(0, columns(head.head)));
        let start = Linear {
            weight: Param::from_tensor(Tensor::cat(own.collect(), 0)),
            bias: source.bias.as_ref().map(|bias| Param::from_tensor(bias.val().inner())),
        };
        let mixed = self.ours.iter().map(|tokens| {
            let qkv = block.attn.qkv(block.norm1.forward(tokens.clone()));
            block.attn.mixed(qkv).narrow(2, 0, kept * width)
        });
        let fitted = fit_linear(&start, mixed.collect(), attended, ridge).await?;
        let copies =
            |head: usize| layer.heads.iter().filter(|other| other.cluster == layer.heads[head].cluster).count();
        let parts = (0..heads).map(|head| {
            let part = fitted.weight.val().narrow(0, head % kept * width, width);
            part / copies(head) as f32
        });
        Ok(Linear { weight: Param::from_tensor(Tensor::cat(parts.collect(), 0)), bias: fitted.bias })
    }

    async fn likeness(&self) -> Result<Likeness, ReadError> {
        let (mut cosine, mut error, mut length, mut count) = (0.0, 0.0, 0.0, 0.0);
        for (ours, theirs) in self.ours.iter().zip(&self.theirs) {
            let [batch, tokens, _] = ours.dims();
            let over = |tensor: Tensor<3>| tensor.sum_dim(2);
            let square = |tensor: &Tensor<3>| over(tensor.clone() * tensor.clone());
            let (own, other) = (square(ours), square(theirs));
            let angle = over(ours.clone() * theirs.clone()) / (own * other.clone()).sqrt().clamp_min(f32::MIN_POSITIVE);
            let apart = square(&(ours.clone() - theirs.clone()));
            let sums = [angle, apart, other].map(|tensor| tensor.sum().reshape([1, 1]));
            let sums = read(Tensor::cat(sums.to_vec(), 0)).await?;
            cosine += f64::from(sums[0]);
            error += f64::from(sums[1]);
            length += f64::from(sums[2]);
            count += (batch * tokens) as f64;
        }
        Ok(Likeness { cosine: cosine / count.max(1.0), error: error / length.max(f64::MIN_POSITIVE) })
    }
}

/// The rows of a projection that belong to a head.
fn source_columns(head: usize, width: usize, device: &Device) -> Tensor<1, burn::tensor::Int> {
    Tensor::arange((head * width) as i64..((head + 1) * width) as i64, device)
}

/// `start` changed as little as the ridge wants and as much as brings `inputs` near to `wanted`:
/// `min ‖(Y − Ȳ) − (Z − Z̄)(W₀ + Δ)‖² + λ‖Δ‖²`, with `b = Ȳ − Z̄ W`.
///
/// # Shapes
/// `inputs: [batch, tokens, D]`, `wanted: [batch, tokens, D_out]`
async fn fit_linear(
    start: &Linear,
    inputs: Vec<Tensor<3>>,
    wanted: &[Tensor<3>],
    ridge: f64,
) -> Result<Linear, ReadError> {
    let (mut sums, device) = (Option::<Sums>::None, start.weight.val().device());
    let [width, out] = start.weight.dims();
    for (input, wanted) in inputs.into_iter().zip(wanted) {
        let [batch, tokens, _] = input.dims();
        let left = wanted.clone() - linear(start, input.clone());
        let (input, left) = (input.reshape([batch * tokens, width]), left.reshape([batch * tokens, out]));
        match &mut sums {
            Some(sums) => sums.add(input, left).await?,
            None => sums = Some(Sums::of(input, left).await?),
        }
    }
    let Some(sums) = sums else { return Ok(detached_linear(start)) };
    let shifts = read_all(sums.shift.to_vec()).await?;
    let (change, bias) = sums.solve([&shifts[0], &shifts[1]], ridge);
    let bias = Tensor::<1>::from_data(TensorData::new(bias, [out]), &device);
    let own = start.bias.as_ref().map(|bias| bias.val().inner());
    let change = Tensor::from_data(TensorData::new(change.to_f32(), [width, out]), &device);
    Ok(Linear {
        weight: Param::from_tensor(start.weight.val().inner() + change),
        // A projection of a model without such biases keeps none.
        bias: own.map(|own| Param::from_tensor(own + bias)),
    })
}

/// Sums over rows of an input `z` and of what is left to be written, `r`; both shifted by their means in the first batch,
/// so that f32 does not drown what differs in what is common.
struct Sums {
    shift: [Tensor<2>; 2],
    /// `zᵀz`, `[D, D]`.
    gram: Matrix,
    /// `zᵀr`, `[D, D_out]`.
    cross: Matrix,
    /// Sums of the rows, `[1, D]` and `[1, D_out]`.
    rows: [Matrix; 2],
    count: f64,
}

impl Sums {
    async fn of(input: Tensor<2>, left: Tensor<2>) -> Result<Self, ReadError> {
        let ([_, width], [_, out]) = (input.dims(), left.dims());
        let mut sums = Self {
            shift: [input.clone().mean_dim(0), left.clone().mean_dim(0)],
            gram: Matrix::zeros(width, width),
            cross: Matrix::zeros(width, out),
            rows: [Matrix::zeros(1, width), Matrix::zeros(1, out)],
            count: 0.0,
        };
        sums.add(input, left).await?;
        Ok(sums)
    }

    async fn add(&mut self, input: Tensor<2>, left: Tensor<2>) -> Result<(), ReadError> {
        let [rows, _] = input.dims();
        let [by, left_by] = self.shift.clone();
        let (input, left) = (input - by, left - left_by);
        let turned = input.clone().transpose();
        let sums =
            vec![turned.clone().matmul(input.clone()), turned.matmul(left.clone()), input.sum_dim(0), left.sum_dim(0)];
        let [own, other] = &mut self.rows;
        for (sum, values) in [&mut self.gram, &mut self.cross, own, other].into_iter().zip(read_all(sums).await?) {
            sum.add(&Matrix::from_f32(sum.rows, sum.columns, &values));
        }
        self.count += rows as f64;
        Ok(())
    }

    /// The change `[D, D_out]`, and what is added to the bias `[D_out]`.
    fn solve(&self, shifts: [&[f32]; 2], ridge: f64) -> (Matrix, Vec<f32>) {
        let [own, other] = &self.rows;
        let centred = |sum: &Matrix, right: &Matrix| {
            let mut sum = sum.clone();
            sum.add(&own.transposed().times(right).scaled(-1.0 / self.count));
            sum
        };
        let (mut gram, cross) = (centred(&self.gram, own), centred(&self.cross, other));
        let size = gram.rows;
        let ridge = ridge * gram.values.iter().step_by(size + 1).sum::<f64>() / size as f64;
        gram.values.iter_mut().step_by(size + 1).for_each(|value| *value += ridge);
        let change = gram.solve_symmetric(&cross);
        let mean = |rows: &Matrix, shift: &[f32]| Matrix {
            values: rows.values.iter().zip(shift).map(|(sum, shift)| sum / self.count + f64::from(*shift)).collect(),
            ..rows.clone()
        };
        let moved = mean(own, shifts[0]).times(&change);
        let bias =
            mean(other, shifts[1]).values.into_iter().zip(moved.values).map(|(mean, moved)| (mean - moved) as f32);
        (change, bias.collect())
    }
}
