//! Position embeddings for other image sizes.

/// Resamples position embeddings from one grid to another: bicubic with antialiasing, as timm's
/// `resample_abs_pos_embed` does through PyTorch's `interpolate(mode="bicubic", antialias=True)`.
///
/// The cubic kernel has `a = -0.5`, as Pillow's; PyTorch without antialiasing has -0.75. Equal grids come back
/// untouched. The first `prefix_rows` rows (CLS, distillation) belong to no patch and pass unchanged.
///
/// # Shapes
/// `values`: `[prefix_rows + old rows * old columns, width]`, row-major; the result likewise with the new grid. Grids
/// are `(rows, columns)`.
///
/// # Panics
/// When `values` has another length.
pub fn resample_pos_embed(
    values: &[f32],
    prefix_rows: usize,
    old_grid: (usize, usize),
    new_grid: (usize, usize),
    width: usize,
) -> Vec<f32> {
    let prefix = prefix_rows * width;
    assert_eq!(
        values.len(),
        prefix + old_grid.0 * old_grid.1 * width,
        "`pos_embed` does not have the old grid's shape"
    );
    if old_grid == new_grid {
        return values.to_vec();
    }
    let mut resampled = values[..prefix].to_vec();
    // Along the columns: `[old rows, old columns, width]` to `[old rows, new columns, width]`.
    let columns = taps(old_grid.1, new_grid.1);
    let mut narrow = Vec::with_capacity(old_grid.0 * new_grid.1 * width);
    for row in values[prefix..].chunks_exact((old_grid.1 * width).max(1)) {
        narrow.extend(blend(row, &columns, width));
    }
    // Along the rows: a row is one long token of `new columns * width` channels.
    resampled.extend(blend(&narrow, &taps(old_grid.0, new_grid.0), new_grid.1 * width));
    resampled
}

/// For every output place: the first input place it sees, and the weights from there on.
fn taps(old: usize, new: usize) -> Vec<(usize, Vec<f32>)> {
    let scale = old as f64 / new as f64;
    // Shrinking widens the kernel so that no input is skipped; enlarging leaves it at its own width of two.
    let stretch = scale.max(1.0);
    let support = 2.0 * stretch;
    let place = |i: usize| {
        let centre = scale * (i as f64 + 0.5);
        let first = (centre - support + 0.5).max(0.0) as usize;
        let end = ((centre + support + 0.5) as usize).min(old);
        let weights: Vec<f64> = (first..end).map(|j| cubic((j as f64 - centre + 0.5) / stretch)).collect();
        let sum: f64 = weights.iter().sum();
        (first, weights.iter().map(|weight| (weight / sum) as f32).collect())
    };
    (0..new).map(place).collect()
}

/// Keys' cubic convolution kernel with `a = -0.5`.
fn cubic(x: f64) -> f64 {
    let (a, x) = (-0.5, x.abs());
    if x < 1.0 {
        ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * a
    } else {
        0.0
    }
}

/// Weighted sums of tokens of `width` channels.
fn blend(tokens: &[f32], taps: &[(usize, Vec<f32>)], width: usize) -> Vec<f32> {
    let mut blended = vec![0.0; taps.len() * width];
    for (sum, (first, weights)) in blended.chunks_exact_mut(width.max(1)).zip(taps) {
        for (token, weight) in tokens[first * width..].chunks_exact(width.max(1)).zip(weights) {
            for (sum, value) in sum.iter_mut().zip(token) {
                *sum += value * weight;
            }
        }
    }
    blended
}
