//! Step 3 of Learngene by layers: which layers of the ancestor are worth inheriting.

use leptos::prelude::*;

use crate::charts::{SimilarityChart, SimilarityTable};
use crate::format::{digits, duration};
use crate::state::App;
use crate::strings::text;
use crate::widgets::{Check, JobBar, More, NumberField, Step};
use heirloom_plan::protocol::JobKind;

#[component]
pub fn LayersStep() -> impl IntoView {
    let app = expect_context::<App>();
    let t = &text().layers;
    let missing = Signal::derive(move || {
        let has_pictures = app.pictures.with(|p| p.as_ref().is_some_and(|p| p.classes.len() > 1));
        match (app.ancestor.with(Option::is_some), has_pictures) {
            (true, true) => None,
            (false, true) => Some(t.need_ancestor),
            (true, false) => Some(t.need_pictures),
            (false, false) => Some(t.need_both),
        }
    });
    let has = Memo::new(move |_| app.layers.report.with(Option::is_some));
    let took = move || {
        app.layers.report.with(|report| {
            let report = report.as_ref()?;
            let [first, last] = report.losses.map(|loss| digits(f64::from(loss)));
            Some((t.took)(report.pictures, &duration(report.seconds), &first, &last))
        })
    };
    view! {
        <Step id="heads" number=3 heading=&t.heading missing>
            <div class="row">
                <button
                    type="button"
                    data-testid="condense"
                    class:quiet=move || has.get()
                    disabled=move || app.busy()
                    on:click=move |_| app.condense()
                >
                    {move || if has.get() { t.condense_again } else { t.condense }}
                </button>
                <span class="hint">{took}</span>
            </div>
            <p class="hint">{t.reading}</p>
            <JobBar kind=JobKind::Condense stop_id="condense-stop"/>
            <Show when=move || has.get()>
                <SimilarityChart/>
                <SimilarityTable/>
            </Show>
            <HowMany/>
            <Chosen/>
            <MoreLayers/>
        </Step>
    }
}

/// `k`; the best layers are ticked again when it changes.
#[component]
fn HowMany() -> impl IntoView {
    let app = expect_context::<App>();
    let t = &text().layers;
    let rule = Memo::new(move |_| app.settings.with(|s| (s.by_layers.k, s.by_layers.by_max)));
    Effect::new(move |before: Option<(usize, bool)>| {
        let now = rule.get();
        if before.is_some_and(|before| before != now) {
            app.choose_best();
        }
        now
    });
    view! {
        <div class="fields">
            <NumberField
                id="layers-k"
                label=t.k
                hint=t.k_hint.to_owned()
                get=|s| s.by_layers.k as f64
                set=|s, v| s.by_layers.k = v as usize
                min=1.0
                max=Signal::derive(move || app.layer_count().max(1) as f64)
                step=1.0
            />
        </div>
    }
}

/// One box per layer of the ancestor.
#[component]
fn Chosen() -> impl IntoView {
    let app = expect_context::<App>();
    let t = &text().layers;
    // Boxes are made anew for other layers or scores only: a box that is clicked keeps the focus.
    let labels = Memo::new(move |_| {
        let by = app.settings.with(|settings| settings.by_layers.clone());
        app.layers.report.with(|report| {
            let scores = report.as_ref().map(|report| by.scores(report).scores.clone());
            let label = |(layer, name): (usize, String)| {
                let score = scores.as_ref().and_then(|all| all.get(layer)).map(|score| format!("{score:.3}"));
                (t.toggle)(&name, score.as_deref())
            };
            app.layer_names().into_iter().enumerate().map(label).collect::<Vec<_>>()
        })
    });
    let boxes = move || {
        let one = |(layer, label): (usize, String)| {
            let is_on = move || app.settings.with(|settings| settings.chosen.contains(&layer));
            let id = format!("layer-{}", layer + 1);
            view! {
                <div class="check">
                    <label for=id.clone()>
                        <input
                            type="checkbox"
                            id=id.clone()
                            data-testid=id.clone()
                            prop:checked=is_on
                            on:change=move |event| app.toggle_layer(layer, event_target_checked(&event))
                        />
                        <span>{label}</span>
                    </label>
                </div>
            }
        };
        labels.get().into_iter().enumerate().map(one).collect_view()
    };
    view! {
        <fieldset class="field" data-testid="layers-chosen">
            <legend>{t.choose}</legend>
            <div class="toggles">{boxes}</div>
            <small>{t.choose_hint}</small>
        </fieldset>
    }
}

#[component]
fn MoreLayers() -> impl IntoView {
    let t = &text().layers;
    view! {
        <More>
            <NumberField id="pseudo-layers" label=t.pseudo_layers hint=t.pseudo_layers_hint.to_owned() get=|s| s.by_layers.condense.layers as f64 set=|s, v| s.by_layers.condense.layers = v as usize min=1.0 max=64.0 step=1.0/>
            <NumberField id="condense-steps" label=t.steps hint=t.steps_hint.to_owned() get=|s| s.by_layers.condense.steps as f64 set=|s, v| s.by_layers.condense.steps = v as usize min=1.0 max=1e5 step=1.0/>
            <NumberField id="condense-lr" label=t.lr hint=t.lr_hint.to_owned() get=|s| s.by_layers.condense.lr set=|s, v| s.by_layers.condense.lr = v min=0.0 max=1.0 step=0.0001/>
            <NumberField id="condense-share" label=t.share hint=t.share_hint.to_owned() get=|s| s.by_layers.condense.share set=|s, v| s.by_layers.condense.share = v min=0.01 max=1.0 step=0.05/>
            <NumberField id="condense-probe" label=t.probe hint=t.probe_hint.to_owned() get=|s| s.by_layers.condense.probe as f64 set=|s, v| s.by_layers.condense.probe = v as usize min=2.0 max=4096.0 step=1.0/>
            <Check id="score-max" label=t.max hint=t.max_hint get=|s| s.by_layers.by_max set=|s, v| s.by_layers.by_max = v/>
            <Check id="condense-learned" label=t.learned hint=t.learned_hint get=|s| s.by_layers.learned set=|s, v| s.by_layers.learned = v/>
            <HeldOut/>
        </More>
    }
}

/// Classes that the pseudo descendant learns.
#[component]
fn HeldOut() -> impl IntoView {
    let app = expect_context::<App>();
    let t = &text().layers;
    let names = Memo::new(move |_| {
        app.pictures.with(|pictures| {
            let classes = pictures.as_ref().map(|pictures| pictures.classes.as_slice()).unwrap_or_default();
            classes.iter().map(|class| class.name.clone()).collect::<Vec<_>>()
        })
    });
    let boxes = move || {
        let one = |(index, name): (usize, String)| {
            let (id, shown) = (format!("condense-class-{}", index + 1), name.clone());
            let own = name.clone();
            let is_on = move || app.settings.with(|s| s.by_layers.condense.classes.contains(&own));
            let toggle = move |event| {
                let on = event_target_checked(&event);
                app.settings.update(|settings| {
                    let classes = &mut settings.by_layers.condense.classes;
                    classes.retain(|other| *other != name);
                    if on {
                        classes.push(name.clone());
                    }
                });
            };
            view! {
                <div class="check">
                    <label for=id.clone()>
                        <input type="checkbox" id=id.clone() prop:checked=is_on on:change=toggle/>
                        <span>{shown}</span>
                    </label>
                </div>
            }
        };
        names.get().into_iter().enumerate().map(one).collect_view()
    };
    view! {
        <fieldset class="field" data-testid="condense-classes">
            <legend>{t.classes}</legend>
            {boxes}
            <small>{t.classes_hint}</small>
        </fieldset>
    }
}
