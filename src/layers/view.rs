//! Step 3 of Learngene by layers: which layers of the ancestor are worth inheriting.

use crate::ancestor::shape::layer_count;
use crate::layers::actions::{choose_best, condense, names_of_layers, toggle_layer};
use crate::layers::chart::{SimilarityChart, SimilarityTable};
use crate::prelude::*;
use crate::widgets::{Check, ChoiceField, JobBar, More, NumberField, Press, Step, needs, row, said, tick};
use heirloom_plan::protocol::{JobKind, Likeness};
use heirloom_plan::settings::Key;

#[component]
pub fn LayersStep() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().layers;
    let missing = Signal::derive(move || needs(store, 2, [t.need_ancestor, t.need_pictures, t.need_both]));
    let has = Memo::new(move |_| store.layers.report.with(Option::is_some));
    let took = move || {
        store.layers.report.with(|report| {
            let report = report.as_ref()?;
            let [first, last] = report.losses.map(|loss| digits(f64::from(loss)));
            if report.settings.likeness == Likeness::Influence {
                return Some((t.looked)(report.pictures, &duration(report.seconds)));
            }
            Some((t.took)(report.pictures, &duration(report.seconds), &first, &last))
        })
    };
    view! {
        <Step id="heads" number=3 heading=&t.heading missing>
            {row(vec![
                Press::new("condense", "", move |_| condense(store))
                    .words(said(move || if has.get() { t.condense_again } else { t.condense }))
                    .quiet_while(move || has.get())
                    .off_while(move || is_busy(store))
                    .told(took),
            ])}
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
    let store = expect_context::<Store>();
    let rule = Memo::new(move |_| store.settings.with(|s| (s.best_layers, s.by_max)));
    Effect::new(move |before: Option<(usize, bool)>| {
        let now = rule.get();
        if before.is_some_and(|before| before != now) {
            choose_best(store);
        }
        now
    });
    view! {
        <div class="fields">
            <NumberField id="layers-k" key=Key::BestLayers max=Signal::derive(move || layer_count(store).max(1) as f64)/>
        </div>
    }
}

/// One box per layer of the ancestor.
#[component]
fn Chosen() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().layers;
    // Boxes are made anew for other layers or scores only: a box that is clicked keeps the focus.
    let labels = Memo::new(move |_| {
        let by_max = store.settings.with(|settings| settings.by_max);
        store.layers.report.with(|report| {
            let scores = report.as_ref().map(|report| report.scores(by_max).scores.clone());
            let label = |(layer, name): (usize, String)| {
                let score = scores.as_ref().and_then(|all| all.get(layer)).map(|score| format!("{score:.3}"));
                (t.toggle)(&name, score.as_deref())
            };
            names_of_layers(store).into_iter().enumerate().map(label).collect::<Vec<_>>()
        })
    });
    let boxes = move || {
        let one = |(layer, label): (usize, String)| {
            let is_on = move || store.settings.with(|settings| settings.chosen.contains(&layer));
            let change = move |on| toggle_layer(store, layer, on);
            view! { <div class="check">{tick(format!("layer-{}", layer + 1), label, false, is_on, change)}</div> }
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
    let ways = Likeness::ALL.map(|likeness| (likeness.name(), (text().layers.likeness_name)(likeness))).to_vec();
    view! {
        <More>
            <NumberField id="pseudo-layers" key=Key::PseudoLayers/>
            <NumberField id="condense-steps" key=Key::PseudoSteps/>
            <NumberField id="condense-lr" key=Key::PseudoLr/>
            <NumberField id="condense-share" key=Key::Slice/>
            <NumberField id="condense-probe" key=Key::Probe/>
            <Check id="score-max" key=Key::ByMax/>
            <ChoiceField id="condense-likeness" key=Key::Likeness options=ways/>
            <HeldOut/>
        </More>
    }
}

/// Classes that the pseudo descendant learns.
#[component]
fn HeldOut() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().layers;
    let names = Memo::new(move |_| {
        store.pictures.with(|pictures| {
            let classes = pictures.as_ref().map(|pictures| pictures.classes.as_slice()).unwrap_or_default();
            classes.iter().map(|class| class.name.clone()).collect::<Vec<_>>()
        })
    });
    let boxes = move || {
        let one = |(index, name): (usize, String)| {
            let (own, label) = (name.clone(), name.clone());
            let is_on = move || store.layers.classes.with(|classes| classes.contains(&own));
            let change = move |on: bool| {
                store.layers.classes.update(|classes| {
                    classes.retain(|other| *other != name);
                    classes.extend(on.then(|| name.clone()));
                });
            };
            view! { <div class="check">{tick(format!("condense-class-{}", index + 1), label, false, is_on, change)}</div> }
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
