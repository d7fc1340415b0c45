//! The scale of mean attention distances.
//!
//! Distances are in pixels of the measured picture, so every threshold on them grows with the picture (docs/methods.md, section 1.2).

/// The paper's threshold at 224 px, for heads (`eps`) and for feed-forward networks (`eps_ffn`), px.
pub const EPS_AT_224: f32 = 10.0;

/// The paper's threshold for pictures of another size: `10 / 224 · s`, px.
pub fn scaled_eps(image_size: usize) -> f32 {
    EPS_AT_224 * image_size as f32 / 224.0
}
