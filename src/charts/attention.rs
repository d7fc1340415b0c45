//! What a head looks at: the picture, dark where it gets little attention.

use leptos::ev::MouseEvent;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::Element;

use super::SavePicture;
use crate::format::digits;
use crate::state::App;
use crate::strings::text;

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
            let grid = map.grid;
            let one = |values: &[f32], kind: String, from: Option<usize>| {
                (values.len() == grid * grid).then(|| {
                    let label = (t.map_label)(map.layer + 1, map.head + 1, &kind);
                    let choose = move |event: MouseEvent| {
                        if let (Some(_), Some(patch)) = (from, patch_under(&event, grid)) {
                            app.look_from(patch);
                        }
                    };
                    let handle = from.map(|_| "map-from");
                    view! {
                        <div class:from=from.is_some() data-testid=handle on:click=choose>
                            {veiled(&picture, grid, values, label, kind, from)}
                        </div>
                    }
                })
            };
            let far = digits(f64::from(map.patch_distance));
            Some(view! {
                <div class="maps">
                    {one(&map.from_patch, (t.from_patch)(&far), Some(map.patch))}
                    {one(&map.received, t.received.to_owned(), None)}
                    {one(&map.from_cls, t.from_cls.to_owned(), None)}
                </div>
            })
        })
    };
    view! { {maps} }
}

/// The patch of a map that was clicked.
fn patch_under(event: &MouseEvent, grid: usize) -> Option<usize> {
    let map = event.target()?.dyn_into::<Element>().ok()?.closest("svg.map").ok()??;
    let shown = map.get_bounding_client_rect();
    let place = |at: f64, from: f64, length: f64| {
        let share = (at - from) / length;
        (0.0..1.0).contains(&share).then_some((share * grid as f64) as usize)
    };
    let column = place(f64::from(event.client_x()), shown.left(), shown.width())?;
    let row = place(f64::from(event.client_y()), shown.top(), shown.height())?;
    Some(row * grid + column)
}

/// One picture under a veil that lifts where attention is; the patch it comes from stands in a frame.
fn veiled(
    picture: &str,
    grid: usize,
    values: &[f32],
    label: String,
    kind: String,
    from: Option<usize>,
) -> impl IntoView + use<> {
    let frame = |patch: usize| {
        let rect = |class: &'static str| {
            view! { <rect class=class x=patch % grid y=patch / grid width="1" height="1"></rect> }
        };
        // Dark around light, to be seen on any picture.
        view! { {rect("frame dark")} {rect("frame light")} }
    };
    view! {
        <figure>
            <svg class="map" role="img" aria-label=label viewBox=format!("0 0 {grid} {grid}")>
                <image href=picture.to_owned() width=grid height=grid preserveAspectRatio="none"></image>
                <g class="veil" shape-rendering="crispEdges">{veil(grid, values)}</g>
                {from.map(frame)}
            </svg>
            <figcaption>{kind}</figcaption>
            <SavePicture name="attention"/>
        </figure>
    }
}

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
