//! Step 5: the race.

use super::experiment::{Budget, race_name};
use super::small;
use super::verdict::RaceVerdict;
use crate::prelude::*;
use crate::store::EngineState;
use crate::training::actions::{pause_or_continue, train};
use crate::training::curves::{CurvesChart, CurvesTable, Measure};
use crate::training::experiment::{ChooseExperiment, ExperimentResults};
use crate::widgets::{Check, JobBar, More, NumberField, Press, Step, row, said};
use heirloom_plan::protocol::{JobKind, RaceReport, RaceState};
use heirloom_plan::settings::Key;

#[component]
pub fn TrainingStep() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().training;
    let missing = Signal::derive(move || {
        let nothing = store.plans.descendant.with(Option::is_none) && store.training.race.with(Option::is_none);
        nothing.then_some(t.need)
    });
    let has = Memo::new(move |_| store.training.race.with(Option::is_some));
    view! {
        <Step id="training" number=5 heading=&t.heading missing>
            <ChooseExperiment/>
            <Budget/>
            <Buttons/>
            <p data-testid="train-status" class="lead">{move || status(store)}</p>
            <WarmUp/>
            <JobBar kind=JobKind::Train/>
            <Show when=move || has.get()>
                <ExperimentResults/>
                <Curves/>
                <RaceVerdict/>
            </Show>
            <MoreTraining/>
        </Step>
    }
}

/// The first steps have a line of their own: their pace says nothing of the rest.
#[component]
fn WarmUp() -> impl IntoView {
    let store = expect_context::<Store>();
    let is_warming_up = Memo::new(move |_| {
        store.jobs.with(|jobs| {
            let job = jobs.iter().find(|job| job.kind == JobKind::Train)?;
            job.progress.as_ref().filter(|progress| progress.is_warming_up).map(|_| ())
        })
    });
    let words = move || {
        is_warming_up.get().map(|()| view! { <p class="hint" data-testid="train-warm-up">{text().race.warming_up}</p> })
    };
    view! { <div aria-live="polite">{words}</div> }
}

fn state(store: Store) -> Option<RaceState> {
    store.training.race.with(|race| race.as_ref().map(|race| race.state))
}

#[component]
fn Buttons() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().training;
    let state = Memo::new(move |_| state(store));
    let is_going = move || matches!(state.get(), Some(RaceState::Running | RaceState::Paused));
    let is_training = Memo::new(move |_| has_job(store, JobKind::Train));
    let has_arm = Memo::new(move |_| store.settings.with(|s| !s.arms.is_empty()));
    // A dead engine's successor is not yet where it stood.
    let is_ready = move || store.engine.state.with(|state| matches!(state, EngineState::Ready(_)));
    let is_planned = move || has_arm.get() && store.plans.descendant.with(Option::is_some);
    let can_start = move || is_ready() && !is_busy(store) && !is_going() && is_planned();
    let start = Press::new("train-start", "", move |_| train(store))
        .words(said(move || if state.get().is_some() { t.start_again } else { t.start }))
        .off_while(move || !can_start());
    let pause = Press::new("train-pause", "", move |_| pause_or_continue(store))
        .words(said(move || if state.get() == Some(RaceState::Paused) { t.resume } else { t.pause }))
        .off_while(move || !is_going());
    let stop =
        Press::new("train-stop", t.stop, move |_| stop(store)).off_while(move || !is_going() && !is_training.get());
    view! {
        {row(vec![start, pause.quiet(), stop.quiet()])}
        <Show when=move || !has_arm.get()>
            <p class="missing">{t.need_arm}</p>
        </Show>
    }
}

fn status(store: Store) -> String {
    let t = &text().training;
    store.training.race.with(|race| {
        let is_waiting = has_job(store, JobKind::Train);
        match race {
            Some(race) if race.state == RaceState::Running => running(store, race),
            Some(race) if race.state == RaceState::Paused => t.paused.to_owned(),
            _ if is_waiting => t.preparing.to_owned(),
            Some(race) if race.state == RaceState::Stopped => t.stopped.to_owned(),
            Some(race) => (t.finished)(&small::results(store).unwrap_or_else(|| results(race))),
            None => t.idle.to_owned(),
        }
    })
}

/// Steps of all runs of the race together, from the progress of the job: reports of the race come only with measured
/// points. Races of an experiment that ended count as before it.
fn steps_done(store: Store, race: &RaceReport) -> usize {
    let reported = race.runs.iter().map(|run| run.step).sum();
    let told = store.jobs.with(|jobs| {
        let progress = jobs.iter().find(|job| job.kind == JobKind::Train)?.progress.as_ref()?;
        if progress.is_preparing {
            return None;
        }
        let before = store.training.report.with(|report| {
            let races = report.iter().flat_map(|report| &report.races);
            races.take_while(|one| one.first_run < race.first_run).map(|one| one.settings.steps * one.runs.len()).sum()
        });
        progress.done.checked_sub(before)
    });
    told.unwrap_or(0).max(reported)
}

/// The starts of a seed take their steps in turn, so that their curves grow side by side; or they run one by one.
fn running(store: Store, race: &RaceReport) -> String {
    let t = &text().training;
    let is_preparing = store.jobs.with(|jobs| {
        let progress = jobs.iter().find(|job| job.kind == JobKind::Train).and_then(|job| job.progress.as_ref());
        progress.is_some_and(|progress| progress.is_preparing)
    });
    if is_preparing {
        return t.preparing.to_owned();
    }
    let (steps, arms) = (race.settings.steps.max(1), race.settings.arms.len().max(1));
    let lanes = if race.settings.is_interleaved { arms } else { 1 };
    let of_heat = steps * lanes;
    let done = steps_done(store, race);
    let heat = (done / of_heat).min((race.runs.len() / lanes).saturating_sub(1));
    let Some(runs) = race.runs.get(heat * lanes..(heat + 1) * lanes) else { return t.preparing.to_owned() };
    let trained = runs.iter().filter(|run| !run.arm.is_frozen() || runs.len() == 1);
    let names: Vec<_> = trained.map(|run| (t.arm)(run.arm)).collect();
    let step = (done.saturating_sub(heat * of_heat) / lanes).min(steps);
    let place = runs.first().map(|run| (t.running)(&names.join(t.and), run.seed, step, steps));
    let speed = runs.iter().find(|run| run.steps_per_second > 0.0).map(|run| (t.speed)(&digits(run.steps_per_second)));
    let experiment = store.training.report.with(|report| {
        let report = report.as_ref()?;
        let at = report.races.iter().position(|one| one.first_run == race.first_run)?;
        Some(format!("{} ({})", (text().race.race_of)(at + 1, report.total), race_name(report, at)))
    });
    [place, experiment, speed].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// Mean accuracy of each start at its last point.
fn results(race: &RaceReport) -> String {
    let t = &text().training;
    let arms = race.settings.arms.iter().filter_map(|&arm| {
        let last: Vec<f64> = race
            .runs
            .iter()
            .filter(|run| run.arm == arm)
            .filter_map(|run| run.points.last().map(|point| f64::from(point.validation_accuracy)))
            .collect();
        let mean = last.iter().sum::<f64>() / last.len() as f64;
        (!last.is_empty()).then(|| (t.result)((t.arm)(arm), &percent(mean)))
    });
    let results = arms.collect::<Vec<_>>().join(", ");
    if results.is_empty() { t.no_result.to_owned() } else { results }
}

#[component]
fn Curves() -> impl IntoView {
    let measure = RwSignal::new(Measure::default());
    let t = &text().training;
    let options = Measure::ALL.map(|one| {
        let value = format!("{one:?}");
        view! { <option value=value>{one.name()}</option> }
    });
    let choose = move |event| {
        let value = event_target_value(&event);
        measure.set(Measure::ALL.into_iter().find(|one| format!("{one:?}") == value).unwrap_or_default());
    };
    view! {
        <div class="field inline">
            <label for="train-measure">{t.show}</label>
            <select id="train-measure" data-testid="train-measure" on:change=choose>
                {options.into_iter().collect_view()}
            </select>
        </div>
        <CurvesChart measure/>
        <CurvesTable/>
    }
}

#[component]
fn MoreTraining() -> impl IntoView {
    view! {
        <More>
            <NumberField id="train-steps" key=Key::Steps/>
            <NumberField id="train-seeds" key=Key::Seeds/>
            <NumberField id="train-batch" key=Key::Batch/>
            <NumberField id="train-relative-lr" key=Key::RelativeLr/>
            <NumberField id="train-fresh-lr" key=Key::FreshLr/>
            <NumberField id="train-lr" key=Key::Lr/>
            <NumberField id="train-warmup" key=Key::Warmup/>
            <NumberField id="train-decay" key=Key::WeightDecay/>
            <NumberField id="train-smoothing" key=Key::LabelSmoothing/>
            <NumberField id="train-drop-path" key=Key::DropPath/>
            <NumberField id="train-clip" key=Key::ClipNorm/>
            <NumberField id="train-validate" key=Key::ValidateEvery/>
            <NumberField id="train-micro-batch" key=Key::MicroBatch/>
            <NumberField id="target-accuracy" key=Key::Accuracy/>
            <Check id="train-interleaved" key=Key::Interleaved/>
            <Check id="train-augment" key=Key::Augment/>
        </More>
    }
}
