//! Attention drawn over a picture.

use leptos::prelude::*;

/// Exponent under which attention is drawn; the paper draws `A^0.25`, else one patch outshines all others.
const EXPONENT: f32 = 0.25;

/// Tiles of one unit a side, dark where there is little attention and warm where there is much, for on a black picture
/// light alone shows nothing: `values` are `[grid * grid]`.
pub fn veil(grid: usize, values: &[f32]) -> impl IntoView + use<> {
    let most = values.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    let tile = |(index, value): (usize, &f32)| {
        let seen = (value.max(0.0) / most).powf(EXPONENT);
        let warm = seen * seen;
        let fill = format!("rgb({:.0} {:.0} 0)", 255.0 * warm, 176.0 * warm);
        let opacity = format!("{:.3}", 0.94 * (1.0 - seen) + 0.35 * warm);
        view! { <rect x=index % grid y=index / grid width="1" height="1" fill=fill fill-opacity=opacity></rect> }
    };
    values.iter().enumerate().map(tile).collect_view()
}

/// Where most attention is.
pub fn strongest(values: &[f32]) -> Option<usize> {
    (0..values.len()).max_by(|a, b| values[*a].total_cmp(&values[*b]))
}
