//! What a head looks at: the picture, dark where it gets little attention.

use leptos::ev::MouseEvent;
use wasm_bindgen::JsCast;
use web_sys::Element;

use crate::charts::SavePicture;
use crate::charts::veil::veil;
use crate::heads::actions::look_from;
use crate::prelude::*;

/// The attention of the chosen head on the chosen picture.
#[component]
pub fn AttentionView() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().heads;
    let maps = move || {
        store.heads.attention.with(|map| {
            let map = map.as_ref()?;
            let picture =
                store.heads.report.with(|heads| heads.as_ref().and_then(|h| h.pictures.get(map.picture).cloned()))?;
            let grid = map.grid;
            let one = |values: &[f32], kind: String, from: Option<usize>| {
                (values.len() == grid * grid).then(|| {
                    let label = (t.map_label)(map.layer + 1, map.head + 1, &kind);
                    let choose = move |event: MouseEvent| {
                        if let (Some(_), Some(patch)) = (from, patch_under(&event, grid)) {
                            look_from(store, patch);
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
