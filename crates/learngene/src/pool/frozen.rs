//! The ancestor as a teacher: of the pool's picture size, without classifier, without autodiff.

use burn::module::{Module, Param};
use burn::tensor::TensorData;

use heirloom_nn::device::{ReadError, read};
use heirloom_nn::vit::{Vit, VitConfig};
use heirloom_plan::resample::resample_pos_embed;

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
        let (rows, width) = (old.pos_embed_prefix_rows(), old.embed_dim);
        let (positions, device) = (frozen.pos_embed.val(), frozen.pos_embed.val().device());
        let values = resample_pos_embed(&read(positions).await?, rows, (from, from), (to, to), width);
        frozen.pos_embed = Param::from_data(TensorData::new(values, [1, rows + to * to, width]), &device);
    }
    Ok(frozen)
}
