//! Step 3: how far every head looks, and which of them are alike.

use crate::ancestor::shape::has_no_heads;
use crate::heads::actions::{ask_attention, look_from, measure};
use crate::heads::attention::AttentionView;
use crate::heads::chart::{HeadsChart, HeadsTable};
use crate::prelude::*;
use crate::widgets::{Check, JobBar, More, NumberField, Press, Step, needs, row, said};
use heirloom_plan::protocol::{AttentionMap, ClusterReport, JobKind};
use heirloom_plan::settings::{EPS_SIZE, Key};

#[component]
pub fn HeadsStep() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().heads;
    let missing = Signal::derive(move || match has_no_heads(store) {
        true => Some(text().cnn.no_heads),
        false => needs(store, 1, [t.need_ancestor, t.need_pictures, t.need_both]),
    });
    let has = Memo::new(move |_| store.heads.report.with(Option::is_some));
    let took = move || {
        store
            .heads
            .report
            .with(|heads| heads.as_ref().map(|heads| (t.took)(heads.pictures.len(), &duration(heads.seconds))))
    };
    view! {
        <Step id="heads" number=3 heading=&t.heading missing>
            {row(vec![
                Press::new("measure-heads", "", move |_| measure(store))
                    .words(said(move || if has.get() { t.measure_again } else { t.measure }))
                    .quiet_while(move || has.get())
                    .off_while(move || is_busy(store))
                    .told(took),
            ])}
            <JobBar kind=JobKind::Measure stop_id="measure-stop"/>
            <Show when=move || has.get()>
                <HeadsChart/>
                <EpsSlider/>
                {move || store.plans.clusters.get().map(kept)}
                <HeadsTable/>
                <Look/>
            </Show>
            <MoreHeads/>
        </Step>
    }
}

/// The slider shows px at the ancestor's picture size; the settings keep px at 224.
#[component]
fn EpsSlider() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().heads;
    // A slider that comes back to where it was does not say that it changed.
    let sliding = store.plans.is_sliding;
    let (_, most, step) = Key::Eps.setting().range();
    let scale =
        move || store.heads.report.with(|heads| heads.as_ref().map_or(1.0, |heads| heads.image_size as f64 / EPS_SIZE));
    let eps = move || store.settings.with(|settings| settings.eps) * scale();
    view! {
        <div class="slider">
            <label for="eps-slider">
                {t.eps} " " <output for="eps-slider">{move || (t.eps_value)(&digits(eps()))}</output>
                <span class="term">{t.eps_term}</span>
            </label>
            <input
                type="range"
                id="eps-slider"
                data-testid="eps-slider"
                min="0"
                max=move || plain(most * scale())
                step=step
                prop:value=move || plain(eps())
                aria-valuetext=move || (t.eps_value)(&digits(eps()))
                on:input=move |event| {
                    if let Ok(px) = event_target_value(&event).parse::<f64>() {
                        sliding.set(true);
                        store.settings.update(|settings| settings.eps = px / scale());
                    }
                }
                on:change=move |_| sliding.set(false)
                on:pointerup=move |_| sliding.set(false)
                on:blur=move |_| sliding.set(false)
            />
        </div>
    }
}

fn kept(clusters: ClusterReport) -> impl IntoView {
    let t = &text().heads;
    let saved = 1.0 - clusters.stored_parameters as f64 / clusters.ancestor_parameters.max(1) as f64;
    let parameters =
        (t.saved)(&short(clusters.stored_parameters), &short(clusters.ancestor_parameters), &percent(saved));
    let groups = clusters
        .ffn_groups
        .iter()
        .filter(|group| group.len() > 1)
        .map(|group| group.iter().map(|layer| (layer + 1).to_string()).collect::<Vec<_>>().join(" = "));
    let groups: Vec<String> = groups.collect();
    let all_ffns = clusters.layers.len();
    view! {
        <dl class="facts">
            <div>
                <dt>{t.kept_label}</dt>
                <dd data-testid="kept-heads">{(t.kept)(clusters.kept_heads, clusters.total_heads)}</dd>
            </div>
            <div>
                <dt>{t.ffn_label}</dt>
                <dd data-testid="kept-ffns">{(t.ffns)(clusters.kept_ffns, all_ffns)}</dd>
            </div>
            <div>
                <dt>{t.saved_label}</dt>
                <dd data-testid="stored-parameters">{parameters}</dd>
            </div>
        </dl>
        <p class="hint" data-testid="ffn-groups">
            {if groups.is_empty() { t.no_ffn_groups.to_owned() } else { (t.ffn_groups)(&groups.join(", ")) }}
        </p>
    }
}

/// Attention of one head on one picture.
#[component]
fn Look() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().heads;
    let count = move |of: fn(&heirloom_plan::protocol::HeadsReport) -> usize| {
        store.heads.report.with(|heads| heads.as_ref().map_or(0, of))
    };
    let layers = move || count(|heads| heads.distance.len());
    let heads = move || count(|heads| heads.distance.first().map_or(0, Vec::len));
    let pictures = move || count(|heads| heads.pictures.len());
    // Remembered, so that the list is not made anew with every map.
    let of_map = move |part: fn(&AttentionMap) -> usize| {
        Memo::new(move |_| store.heads.attention.with(|map| map.as_ref().map_or(0, part)))
    };
    let (patches, patch) = (of_map(|map| map.grid * map.grid), of_map(|map| map.patch));
    let looking = move || <[usize; 3]>::from(store.heads.looking.get());
    let choice = move |id, label, count: Signal<usize>, place: usize| {
        let on_choose = move |number| {
            let mut looking = <[usize; 3]>::from(store.heads.looking.get_untracked());
            looking[place] = number;
            let [layer, head, picture] = looking;
            ask_attention(store, layer, head, picture);
        };
        view! { <Choice id label count chosen=Signal::derive(move || looking()[place]) on_choose/> }
    };
    view! {
        <section class="look" aria-labelledby="maps-title">
            <h3 id="maps-title">{t.look}</h3>
            <p class="hint">{t.look_intro}</p>
            <div class="row">
                {choice("map-layer", t.layer, Signal::derive(layers), 0)}
                {choice("map-head", t.head, Signal::derive(heads), 1)}
                {choice("map-picture", t.picture, Signal::derive(pictures), 2)}
                <Choice
                    id="map-patch"
                    label=t.patch
                    count=patches.into()
                    chosen=patch.into()
                    on_choose=move |patch| look_from(store, patch)
                />
            </div>
            <AttentionView/>
        </section>
    }
}

/// A choice of a number from 1 to `count`; 0-based inside.
#[component]
fn Choice(
    id: &'static str,
    label: &'static str,
    count: Signal<usize>,
    chosen: Signal<usize>,
    on_choose: impl Fn(usize) + 'static,
) -> impl IntoView {
    let options = move || {
        let option = |index: usize| {
            view! { <option value=index selected=move || chosen.get() == index>{index + 1}</option> }
        };
        (0..count.get()).map(option).collect_view()
    };
    view! {
        <div class="field inline">
            <label for=id>{label}</label>
            <select
                id=id
                data-testid=id
                prop:value=move || chosen.get().to_string()
                on:change=move |event| on_choose(event_target_value(&event).parse().unwrap_or_default())
            >
                {options}
            </select>
        </div>
    }
}

#[component]
fn MoreHeads() -> impl IntoView {
    view! {
        <More>
            <NumberField id="measure-pictures" key=Key::MeasuredPictures/>
            <NumberField id="min-heads" key=Key::MinHeads/>
            <NumberField id="eps-ffn" key=Key::EpsFfn/>
            <Check id="strict" key=Key::Strict/>
            <Check id="renormalise" key=Key::Renormalise/>
        </More>
    }
}
