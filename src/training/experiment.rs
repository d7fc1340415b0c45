//! Choosing what is raced, and the results of several races.

use super::verdict::{ExperimentTable, ExperimentVerdict, rate};
use crate::descendant::follow::forecast;
use crate::prelude::*;
use crate::training::heat::HeatMaps;
use crate::training::points::{Along, PointsChart};
use crate::training::runs::chosen_experiment;
use crate::widgets::{ChoiceField, ListField, tick};
use heirloom_plan::protocol::{DescendantPlan, Design, ExperimentReport, Init};
use heirloom_plan::settings::{Experiment, Key};

/// Starts, kind of experiment, and its lists.
#[component]
pub fn ChooseExperiment() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().race;
    let kind = Memo::new(move |_| store.settings.with(|settings| settings.experiment));
    let options = Experiment::ALL.map(|one| (one.name(), (t.kind)(one.name()))).to_vec();
    let lists = move || {
        let lists: &[_] = match kind.get() {
            Experiment::Race => &[],
            Experiment::Family => &[("family-sizes", Key::Sizes)],
            Experiment::Sweep => &[("sweep-rates", Key::Rates), ("sweep-batches", Key::Batches)],
            Experiment::Shares => &[("share-list", Key::Shares)],
            Experiment::Depths => &[],
        };
        lists.iter().map(|&(id, key)| view! { <ListField id key/> }).collect_view()
    };
    view! {
        <div class="fields experiment">
            <ChoiceField
                id="experiment-kind"
                key=Key::Experiment
                options
                hint=Signal::derive(move || (t.experiment_hint)(kind.get().name()).to_owned())
            />
            {lists}
        </div>
        <fieldset class="starts">
            <legend>{t.compare}</legend>
            <div class="starts-list">{Init::ALL.map(|arm| view! { <Start arm/> }).into_iter().collect_view()}</div>
            <small>{t.compare_hint}</small>
        </fieldset>
    }
}

#[component]
fn Start(arm: Init) -> impl IntoView {
    let store = expect_context::<Store>();
    let id = format!("arm-{}", arm.name());
    let hint = format!("{id}-hint");
    let is_on = move || store.settings.with(|settings| settings.arms.contains(&arm));
    let change = move |on| store.settings.update(|settings| set_arm(&mut settings.arms, arm, on));
    view! {
        <div class="field check">
            {tick(id, (text().training.arm)(arm), true, is_on, change)}
            <small id=hint>{(text().race.explain)(arm.name())}</small>
        </div>
    }
}

/// Adds a start or takes it away, in the order in which they are shown.
fn set_arm(arms: &mut Vec<Init>, arm: Init, on: bool) {
    let is_chosen = |one: &Init| if *one == arm { on } else { arms.contains(one) };
    *arms = Init::ALL.into_iter().filter(is_chosen).collect();
}

/// How much the chosen experiment is, before it is started.
#[component]
pub fn Budget() -> impl IntoView {
    let store = expect_context::<Store>();
    let words = move || {
        let chosen = chosen_experiment(store).filter(|_| !is_busy(store))?;
        let forecast = forecast(store, &chosen)?;
        let time = forecast.seconds.map(duration);
        Some((text().race.budget)(forecast.steps, forecast.runs, forecast.races, time.as_deref()))
    };
    view! { <p class="hint" data-testid="train-budget">{words}</p> }
}

/// What makes a race of an experiment differ from the others.
pub fn race_name(report: &ExperimentReport, race: usize) -> String {
    let t = &text().race;
    let Some(found) = report.races.get(race) else { return String::new() };
    match &report.settings.design {
        Design::Race => String::new(),
        Design::Family(_) => match &found.settings.descendant {
            DescendantPlan::Cluster(settings) => (t.size)(Some(settings.heads), settings.layers),
            DescendantPlan::Layers(settings) => (t.size)(None, settings.layers),
            DescendantPlan::Tied(settings) => (t.size)(None, settings.layers),
        },
        Design::Sweep { .. } => (t.rate_and_batch)(&rate(found.settings.lr), found.settings.batch),
        Design::Shares(_) => (t.share)(&percent(found.settings.share)),
        Design::Depths { .. } if found.settings.arms.contains(&Init::Tuned) => {
            (t.trained_on)(&(t.first_blocks)(found.settings.cut))
        }
        Design::Depths { .. } => (t.first_blocks)(found.settings.cut),
    }
}

/// Results of an experiment of several races; nothing while a single race is on the screen.
#[component]
pub fn ExperimentResults() -> impl IntoView {
    let store = expect_context::<Store>();
    let kind = Memo::new(move |_| {
        store.training.report.with(|report| report.as_ref().map(|report| Experiment::of(&report.settings.design)))
    });
    let along = RwSignal::new(Along::default());
    let choose = move |event| {
        let value = event_target_value(&event);
        along.set(Along::SIZES.into_iter().find(|one| one.key() == value).unwrap_or_default());
    };
    let chart = move || match kind.get() {
        None | Some(Experiment::Race) => ().into_any(),
        Some(Experiment::Sweep) => view! { <HeatMaps/> }.into_any(),
        Some(Experiment::Shares) => view! { <PointsChart along=Signal::stored(Along::Share)/> }.into_any(),
        Some(kind @ (Experiment::Family | Experiment::Depths)) => {
            // Blocks of a network are no heads, and its stages no blocks.
            let sizes = if kind == Experiment::Depths { &Along::SIZES[..2] } else { &Along::SIZES[..] };
            let axes =
                sizes.iter().map(|one| view! { <option value=one.key()>{(text().race.axis_name)(one.key())}</option> });
            view! {
                <div class="field inline">
                    <label for="family-axis">{text().race.axis}</label>
                    <select id="family-axis" data-testid="family-axis" on:change=choose>
                        {axes.collect_view()}
                    </select>
                </div>
                <PointsChart along/>
            }
            .into_any()
        }
    };
    view! {
        <Show when=move || kind.get().is_some()>
            {chart}
            <ExperimentVerdict/>
            <ExperimentTable/>
            <ChooseRace/>
        </Show>
    }
}

/// Which race's curves are shown.
#[component]
fn ChooseRace() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().race;
    let count =
        Memo::new(move |_| store.training.report.with(|report| report.as_ref().map_or(0, |report| report.races.len())));
    let options = move || {
        let names =
            |report: &ExperimentReport| (0..count.get()).map(|race| race_name(report, race)).collect::<Vec<_>>();
        let names = store.training.report.with_untracked(|report| report.as_ref().map(names)).unwrap_or_default();
        let option = |(race, name): (usize, String)| view! { <option value=race selected=move || store.training.shown.get() == Some(race)>{name}</option> };
        names.into_iter().enumerate().map(option).collect_view()
    };
    let choose = move |event| store.training.shown.set(event_target_value(&event).parse().ok());
    view! {
        <div class="field inline">
            <label for="experiment-race">{t.show_race}</label>
            <select id="experiment-race" data-testid="experiment-race" on:change=choose>
                <option value="">{t.latest}</option>
                {options}
            </select>
        </div>
    }
}
