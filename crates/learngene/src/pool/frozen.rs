//! The ancestor as a teacher: of the pool's picture size, without classifier, without autodiff.

use burn::module::Module;

use crate::copy::{detached_pos_embed, fit_relative_bias};
use heirloom_nn::device::ReadError;
use heirloom_nn::vit::{Vit, VitConfig};

/// The ancestor for pictures of `image_size` px. Its own classifier, if any, names other classes than the person's and
/// is left out: a linear head is fitted on its features instead.
///
/// # Errors
/// When the device is lost.
pub async fn frozen(ancestor: &Vit, image_size: usize) -> Result<Vit, ReadError> {
    let mut frozen = ancestor.valid();
    let old = frozen.config.clone();
    frozen.config = VitConfig { image_size, classes: None, ..old.clone() };
    (frozen.head, frozen.head_dist) = (None, None);
    let (from, to) = (old.grid(), frozen.config.grid());
    if from != to {
        frozen.pos_embed = detached_pos_embed(ancestor, &frozen.config).await?;
        fit_relative_bias(&mut frozen.blocks, from, to).await?;
    }
    Ok(frozen)
}
