//! One picture, large, under the attention of the model: a dialog over the page.

use leptos::html::Dialog;

use crate::charts::veil::{strongest, veil};
use crate::prelude::*;
use crate::trial::actions::ask_look;
use heirloom_plan::protocol::{Look, LookAt};

/// Which heads are shown; of the rollout there is only one map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Heads {
    #[default]
    Mean,
    One(usize),
}

/// The dialog. It is open while a picture is looked at.
#[component]
pub fn LookDialog() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().trying;
    let dialog = NodeRef::<Dialog>::new();
    let is_open = Memo::new(move |_| store.trial.looking.with(Option::is_some));
    Effect::new(move |_| {
        if let Some(dialog) = dialog.get() {
            let moved = match (is_open.get(), dialog.open()) {
                (true, false) => dialog.show_modal(),
                (false, true) => {
                    dialog.close();
                    Ok(())
                }
                _ => Ok(()),
            };
            if let Err(error) = moved {
                log::error!("the dialog does not open: {error:?}");
            }
        }
    });
    let title = move || store.trial.looking.with(|looking| looking.as_ref().map(|looking| looking.title.clone()));
    view! {
        <dialog
            node_ref=dialog
            class="look-dialog"
            data-testid="look"
            aria-labelledby="look-title"
            on:close=move |_| store.trial.looking.set(None)
        >
            <div class="look-head">
                <h3 id="look-title">{title}</h3>
                <button type="button" class="quiet" data-testid="look-close" on:click=move |_| store.trial.looking.set(None)>
                    {t.look_close}
                </button>
            </div>
            <Show when=move || is_open.get()>
                <Inside/>
            </Show>
        </dialog>
    }
}

#[component]
fn Inside() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().trying;
    let heads = RwSignal::new(Heads::default());
    let opacity = RwSignal::new(100.0_f64);
    let has = Memo::new(move |_| store.trial.look.with(|look| look.as_ref().map(|look| look.layers)));
    let picture = move || store.trial.look.with(|look| look.as_ref().map(|look| covered(look, heads.get(), opacity)));
    view! {
        <div class="look-body" aria-busy=move || has.get().is_none().to_string()>
            {picture}
            <Show when=move || has.get().is_none()><p class="hint">{t.look_waiting}</p></Show>
            <Show when=move || has.get() == Some(0)><p class="missing">{t.look_none}</p></Show>
            <Show when=move || has.get().is_some_and(|layers| layers > 0)>
                <div class="look-tools">
                    <ChooseLayer/>
                    <ChooseHead heads/>
                    <div class="field">
                        <label for="look-opacity">{t.look_opacity}</label>
                        <input
                            type="range"
                            id="look-opacity"
                            data-testid="look-opacity"
                            min="0"
                            max="100"
                            step="5"
                            prop:value=move || opacity.get().to_string()
                            on:input=move |event| opacity.set(event_target_value(&event).parse().unwrap_or(100.0))
                        />
                    </div>
                    <p class="hint">{t.look_hint}</p>
                </div>
            </Show>
        </div>
    }
}

/// The picture under its veil, and in words where most attention is.
fn covered(look: &Look, heads: Heads, opacity: RwSignal<f64>) -> impl IntoView + use<> {
    let t = &text().trying;
    let map = match heads {
        Heads::One(head) if look.maps.len() > 1 => look.maps.get(head).cloned().unwrap_or_default(),
        _ => mean(&look.maps),
    };
    let grid = look.grid.max(1);
    let most = strongest(&map).map(|at| (t.look_strongest)(at / grid + 1, at % grid + 1, grid));
    let who = (look.layers > 0).then_some(if look.is_cls { t.look_cls } else { t.look_mean });
    let label = [who.map(str::to_owned), most.clone()].into_iter().flatten().collect::<Vec<_>>().join(" ");
    view! {
        <figure class="look-picture">
            <svg class="map" role="img" aria-label=label viewBox=format!("0 0 {grid} {grid}") data-testid="look-map">
                <image href=look.url.clone() width=grid height=grid preserveAspectRatio="none"></image>
                <g class="veil" shape-rendering="crispEdges" opacity=move || opacity.get() / 100.0>{veil(grid, &map)}</g>
            </svg>
            <figcaption>{who} " " {most}</figcaption>
        </figure>
    }
}

fn mean(maps: &[Vec<f32>]) -> Vec<f32> {
    let Some((first, rest)) = maps.split_first() else { return Vec::new() };
    let mut sum = first.clone();
    rest.iter().for_each(|map| sum.iter_mut().zip(map).for_each(|(sum, value)| *sum += value));
    sum.iter().map(|sum| sum / maps.len() as f32).collect()
}

#[component]
fn ChooseLayer() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().trying;
    let at = Memo::new(move |_| store.trial.look.with(|look| look.as_ref().map(|look| look.at)));
    let layers = Memo::new(move |_| store.trial.look.with(|look| look.as_ref().map_or(0, |look| look.layers)));
    let option = move |layer: usize| {
        view! { <option value=layer selected=move || at.get() == Some(LookAt::Layer(layer))>{(t.look_layer)(layer + 1)}</option> }
    };
    let choose = move |event| {
        let layer = event_target_value(&event).parse().map_or(LookAt::Rollout, LookAt::Layer);
        ask_look(store, layer);
    };
    view! {
        <div class="field">
            <label for="look-layer">{t.look_layers}</label>
            <select id="look-layer" data-testid="look-layer" on:change=choose>
                {move || (0..layers.get()).map(option).collect_view()}
                <option value="rollout" selected=move || at.get() == Some(LookAt::Rollout)>{t.look_rollout}</option>
            </select>
        </div>
    }
}

#[component]
fn ChooseHead(heads: RwSignal<Heads>) -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().trying;
    let count = Memo::new(move |_| store.trial.look.with(|look| look.as_ref().map_or(0, |look| look.maps.len())));
    let choose = move |event| heads.set(event_target_value(&event).parse().map_or(Heads::Mean, Heads::One));
    let option = |head: usize| view! { <option value=head>{(t.look_head)(head + 1)}</option> };
    // Another layer keeps the head; the rollout, which has none, goes back to the mean.
    Effect::new(move |_| {
        count.track();
        heads.set(Heads::Mean);
    });
    view! {
        <div class="field">
            <label for="look-head">{t.look_heads}</label>
            <select id="look-head" data-testid="look-head" disabled=move || count.get() < 2 on:change=choose>
                <option value="mean">{t.look_average}</option>
                {move || (0..count.get()).map(option).collect_view()}
            </select>
        </div>
    }
}
