//! What a head looks at: the picture, dark where it gets little attention.

use leptos::prelude::*;

use crate::ui::state::App;
use crate::ui::strings::text;

/// Exponent under which attention is drawn; the paper draws `A^0.25`, else one patch outshines all others.
const EXPONENT: f32 = 0.25;

/// The attention of the chosen head on the chosen picture.
#[component]
pub fn AttentionView() -> impl IntoView {
    let app = expect_context::<App>();
    let t = &text().heads;
    let maps = move || {
        app.attention.with(|map| {
            let map = map.as_ref()?;
            let picture = app.heads.with(|heads| heads.as_ref().and_then(|h| h.pictures.get(map.picture).cloned()))?;
            let one = |values: &[f32], kind: &'static str| {
                (values.len() == map.grid * map.grid).then(|| {
                    let label = (t.map_label)(map.layer + 1, map.head + 1, kind);
                    veiled(&picture, map.grid, values, label, kind)
                })
            };
            Some(view! {
                <div class="maps">
                    {one(&map.received, t.received)} {one(&map.from_cls, t.from_cls)}
                </div>
            })
        })
    };
    view! { {maps} }
}

/// One picture under a veil that lifts where attention is.
fn veiled(picture: &str, grid: usize, values: &[f32], label: String, kind: &'static str) -> impl IntoView + use<> {
    view! {
        <figure>
            <svg class="map" role="img" aria-label=label viewBox=format!("0 0 {grid} {grid}")>
                <image href=picture.to_owned() width=grid height=grid preserveAspectRatio="none"></image>
                <g class="veil" shape-rendering="crispEdges">{veil(grid, values)}</g>
            </svg>
            <figcaption>{kind}</figcaption>
        </figure>
    }
}

/// Tiles of one unit a side, dark where there is little attention: `values` are `[grid * grid]`.
pub fn veil(grid: usize, values: &[f32]) -> impl IntoView + use<> {
    let most = values.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    let tile = |(index, value): (usize, &f32)| {
        let seen = (value.max(0.0) / most).powf(EXPONENT);
        let opacity = format!("{:.3}", 0.94 * (1.0 - seen));
        view! { <rect x=index % grid y=index / grid width="1" height="1" fill-opacity=opacity></rect> }
    };
    values.iter().enumerate().map(tile).collect_view()
}

/// Where most attention is.
pub fn strongest(values: &[f32]) -> Option<usize> {
    (0..values.len()).max_by(|a, b| values[*a].total_cmp(&values[*b]))
}
