//! What keeps a configuration from being absurd, whoever wrote it, before anybody allocates by it.

use super::super::error::CheckpointError;
use super::super::infer_cnn;
use super::super::stored::MAX_ELEMENTS;
use heirloom_plan::config::{ModelConfig, Pool, Rope, RopeGrid, StitchedConfig, VitConfig};

/// Keeps absurd numbers from being multiplied, on 32-bit machines too.
pub(super) fn check_bounds(file: &str, config: &VitConfig) -> Result<(), CheckpointError> {
    let c = config;
    let bounds = [
        ("image_size", c.image_size, 1 << 14),
        ("patch_size", c.patch_size, 1 << 10),
        ("channels", c.channels, 64),
        ("embed_dim", c.embed_dim, 1 << 14),
        ("depth", c.depth, 1 << 9),
        ("num_heads", c.num_heads, 1 << 10),
        ("head_dim", c.head_dim, 1 << 12),
        ("mlp_dim", c.mlp_dim, 1 << 17),
        ("classes", c.classes.unwrap_or(1), 1 << 20),
        ("register_tokens", c.register_tokens + 1, 1 << 10),
    ];
    let damaged = |problem: String| Err(CheckpointError::Damaged { name: file.into(), problem });
    if let Some((name, value, most)) = bounds.into_iter().find(|(_, value, most)| !(1..=*most).contains(value)) {
        return damaged(format!("`{name}` would be {value}, between 1 and {most} makes sense"));
    }
    if !c.image_size.is_multiple_of(c.patch_size) {
        return damaged(format!("patches of {} px do not tile pictures of {} px", c.patch_size, c.image_size));
    }
    if let Some(problem) = odd_places(c).or_else(|| odd_pool(c)) {
        return damaged(problem);
    }
    let wide = |factors: &[usize]| factors.iter().map(|&factor| factor as u64).product::<u64>();
    let largest = [
        wide(&[3, c.num_heads, c.head_dim, c.embed_dim]),
        wide(&[c.mlp_dim, c.embed_dim]),
        wide(&[c.options.attn_pool.map_or(1, |pool| pool.mlp_dim.max(2 * c.embed_dim)), c.embed_dim]),
        wide(&[c.embed_dim, c.channels, c.patch_size, c.patch_size]),
        wide(&[c.grid() + 1, c.grid() + 1, c.embed_dim]),
        wide(&[c.classes.unwrap_or(1), 2, c.embed_dim]),
        // Every pair of tokens, and the table they are taken from.
        if c.options.relative_bias { wide(&[c.tokens(), c.tokens(), c.num_heads.max(4)]) } else { 0 },
    ];
    match largest.into_iter().max() {
        Some(elements) if elements > MAX_ELEMENTS as u64 => {
            damaged(format!("one tensor would have {elements} elements"))
        }
        _ => Ok(()),
    }
}

/// What cannot be computed of how attention knows places.
fn odd_places(config: &VitConfig) -> Option<String> {
    let VitConfig { options, head_dim, .. } = config;
    if let Some(rope) = options.rope {
        let [temperature, offset] = match rope.grid {
            RopeGrid::Index { offset, .. } => [rope.temperature, offset],
            RopeGrid::Centred | RopeGrid::Learned => [rope.temperature, 0.0],
        };
        if !Rope::fits(*head_dim) {
            return Some(format!("heads of {head_dim} channels cannot be turned by places, multiples of 4 can"));
        }
        if !(1e-3..=1e9).contains(&temperature) || !(-1e6..=1e6).contains(&offset) {
            return Some(format!("rotary positions of temperature {temperature} and offset {offset}"));
        }
    }
    let has_cls_alone = config.cls_token && config.prefix_tokens() == 1;
    if config.pool == Pool::ClsAvg && !config.cls_token {
        return Some("a classifier that sees CLS, which is not there".to_string());
    }
    (options.relative_bias && !has_cls_alone)
        .then(|| "biases of relative places, but CLS is not the only token before the patches".to_string())
}

/// What does not add up of the attention pooling.
fn odd_pool(config: &VitConfig) -> Option<String> {
    let (width, pool) = (config.embed_dim, config.options.attn_pool);
    match pool {
        None => (config.pool == Pool::Map).then(|| "attention pooling without its sizes".to_string()),
        Some(_) if config.pool != Pool::Map => Some("the sizes of an attention pooling that is not used".to_string()),
        Some(pool) if pool.heads == 0 || !width.is_multiple_of(pool.heads) => {
            Some(format!("{} heads of the attention pooling cannot share {width} channels", pool.heads))
        }
        Some(pool) => (!(1..=1 << 17).contains(&pool.mlp_dim)).then(|| format!("`mlp_dim` of {}", pool.mlp_dim)),
    }
}

/// Keeps a description from being absurd before anybody allocates by it; `file` names where it stood.
///
/// # Errors
/// Names the number that makes no sense.
pub fn check_config(file: &str, config: &ModelConfig) -> Result<(), CheckpointError> {
    match config {
        ModelConfig::Vit(config) => check_bounds(file, config),
        ModelConfig::Stitched(config) => check_stitched(file, config),
        ModelConfig::Cnn(config) => infer_cnn::check_bounds(file, config),
    }
}

/// As [`check_bounds`], of both parts of a stitched model, and whether they fit.
fn check_stitched(file: &str, config: &StitchedConfig) -> Result<(), CheckpointError> {
    check_bounds(file, &config.front)?;
    check_bounds(file, &config.end)?;
    config.check().map_err(|error| CheckpointError::Damaged { name: file.into(), problem: error.to_string() })
}
