//! Block influence: how far a layer turns the tokens that go through it, `1 − E cos(x_in, x_out)` (Men et al. 2024,
//! ShortGPT, arXiv 2403.03853). A layer that changes little can be left out without harming the function much, which
//! needs no pseudo descendant to be seen.

use burn::tensor::Tensor;

use heirloom_nn::device::{ReadError, read_all};
use heirloom_nn::vit::{Hooks, Vit};

/// Sums over batches, in f64.
#[derive(Clone, Debug, Default)]
pub struct Influence {
    /// Of the cosines of all tokens, per layer.
    sums: Vec<f64>,
    tokens: usize,
    batches: usize,
}

impl Influence {
    /// Batches seen.
    pub fn batches(&self) -> usize {
        self.batches
    }

    /// Sees one batch.
    ///
    /// # Shapes
    /// `images: [batch, channels, image_size, image_size]`, without autodiff
    ///
    /// # Errors
    /// When the device does not answer.
    pub async fn add(&mut self, vit: &Vit, images: Tensor<4>) -> Result<(), ReadError> {
        let embedded = vit.embed(images);
        let [batch, tokens, _] = embedded.dims();
        let (mut before, mut cosines) = (embedded.clone(), Vec::new());
        let mut see = |_: usize, after: &Tensor<3>| {
            cosines.push(cosines_of(std::mem::replace(&mut before, after.clone()), after.clone()));
        };
        vit.encode(embedded, &mut Hooks { tokens: Some(&mut see), ..Default::default() });
        let found = read_all(cosines).await?;
        self.sums.resize(found.len(), 0.0);
        for (sum, found) in self.sums.iter_mut().zip(found) {
            *sum += found.into_iter().map(f64::from).sum::<f64>();
        }
        self.tokens += batch * tokens;
        self.batches += 1;
        Ok(())
    }

    /// `[layers][1]`: 0 for a layer that changes no direction, 2 for one that turns every token round.
    pub fn similarity(&self) -> Vec<Vec<f64>> {
        self.sums.iter().map(|sum| vec![1.0 - sum / self.tokens.max(1) as f64]).collect()
    }
}

/// Cosines of each token before and after, `[batch * tokens]`.
fn cosines_of(before: Tensor<3>, after: Tensor<3>) -> Tensor<1> {
    let [batch, tokens, _] = before.dims();
    let square = |tokens: &Tensor<3>| (tokens.clone() * tokens.clone()).sum_dim(2);
    let lengths = (square(&before) * square(&after)).sqrt().clamp_min(1e-12);
    ((before * after).sum_dim(2) / lengths).reshape([batch * tokens])
}
