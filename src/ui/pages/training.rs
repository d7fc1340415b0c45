//! Step 5: the race.

use leptos::prelude::*;

use crate::session::protocol::{JobKind, RaceReport, RaceState};
use crate::ui::charts::{CurvesChart, CurvesTable, Measure};
use crate::ui::format::{digits, percent};
use crate::ui::state::App;
use crate::ui::strings::text;
use crate::ui::widgets::{Check, JobBar, More, NumberField, Step};

#[component]
pub fn TrainingStep() -> impl IntoView {
    let app = expect_context::<App>();
    let t = &text().training;
    let missing = Signal::derive(move || {
        let nothing = app.descendant.with(Option::is_none) && app.race.with(Option::is_none);
        nothing.then_some(t.need)
    });
    let has = Memo::new(move |_| app.race.with(Option::is_some));
    view! {
        <Step id="training" number=5 heading=&t.heading missing>
            <Buttons/>
            <p data-testid="train-status" class="lead">{move || status(app)}</p>
            <JobBar kind=JobKind::Train/>
            <Show when=move || has.get()>
                <Curves/>
            </Show>
            <MoreTraining/>
        </Step>
    }
}

fn state(app: App) -> Option<RaceState> {
    app.race.with(|race| race.as_ref().map(|race| race.state))
}

#[component]
fn Buttons() -> impl IntoView {
    let app = expect_context::<App>();
    let t = &text().training;
    let state = Memo::new(move |_| state(app));
    let is_going = move || matches!(state.get(), Some(RaceState::Running | RaceState::Paused));
    let is_training = Memo::new(move |_| app.jobs.with(|jobs| jobs.iter().any(|job| job.kind == JobKind::Train)));
    let has_arm = Memo::new(move |_| app.settings.with(|s| s.scratch || s.inherited));
    let can_start = move || !app.busy() && !is_going() && has_arm.get() && app.descendant.with(Option::is_some);
    view! {
        <div class="row">
            <button type="button" data-testid="train-start" disabled=move || !can_start() on:click=move |_| app.train()>
                {move || if state.get().is_some() { t.start_again } else { t.start }}
            </button>
            <button
                type="button"
                class="quiet"
                data-testid="train-pause"
                disabled=move || !is_going()
                on:click=move |_| app.pause_or_continue()
            >
                {move || if state.get() == Some(RaceState::Paused) { t.resume } else { t.pause }}
            </button>
            <button
                type="button"
                class="quiet"
                data-testid="train-stop"
                disabled=move || !is_going() && !is_training.get()
                on:click=move |_| app.stop()
            >
                {t.stop}
            </button>
        </div>
        <Show when=move || !has_arm.get()>
            <p class="missing">{t.need_arm}</p>
        </Show>
    }
}

fn status(app: App) -> String {
    let t = &text().training;
    app.race.with(|race| {
        let is_waiting = app.jobs.with(|jobs| jobs.iter().any(|job| job.kind == JobKind::Train));
        match race {
            Some(race) if race.state == RaceState::Running => running(race, steps_done(app)),
            Some(race) if race.state == RaceState::Paused => t.paused.to_owned(),
            _ if is_waiting => t.preparing.to_owned(),
            Some(race) if race.state == RaceState::Stopped => t.stopped.to_owned(),
            Some(race) => (t.finished)(&results(race)),
            None => t.idle.to_owned(),
        }
    })
}

/// Steps of all runs together, from the progress of the job: reports of the race come only with measured points.
fn steps_done(app: App) -> Option<(usize, usize)> {
    app.jobs.with(|jobs| {
        let progress = jobs.iter().find(|job| job.kind == JobKind::Train)?.progress.as_ref()?;
        Some((progress.done, progress.total))
    })
}

/// The starts of a seed take their steps in turn, so that their curves grow side by side.
fn running(race: &RaceReport, done: Option<(usize, usize)>) -> String {
    let t = &text().training;
    let (steps, arms) = (race.settings.steps.max(1), race.settings.arms.len().max(1));
    let reported = || (race.runs.iter().map(|run| run.step).sum(), steps * race.runs.len());
    let (done, total) = done.filter(|(_, total)| *total > 0).unwrap_or_else(reported);
    let of_seed = steps * arms;
    let seed = (done / of_seed).min((total / of_seed).saturating_sub(1));
    let Some(run) = race.runs.get(seed * arms) else { return t.preparing.to_owned() };
    let names: Vec<_> = race.settings.arms.iter().map(|arm| (t.arm)(*arm)).collect();
    let step = ((done - seed * of_seed) / arms).min(steps);
    let place = (t.running)(&names.join(t.and), run.seed, step, steps);
    let speed = (run.steps_per_second > 0.0).then(|| (t.speed)(&digits(run.steps_per_second)));
    [Some(place), speed].into_iter().flatten().collect::<Vec<_>>().join(" · ")
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
    let t = &text().training;
    view! {
        <More>
            <fieldset class="field">
                <legend>{t.arms}</legend>
                <Check id="arm-inherited" label=(t.arm)(crate::session::protocol::StartValue::Inherited) get=|s| s.inherited set=|s, v| s.inherited = v/>
                <Check id="arm-scratch" label=(t.arm)(crate::session::protocol::StartValue::Scratch) get=|s| s.scratch set=|s, v| s.scratch = v/>
            </fieldset>
            <NumberField id="train-steps" label=t.steps hint=t.steps_hint.to_owned() get=|s| s.steps as f64 set=|s, v| s.steps = v as usize min=1.0 max=1e6 step=1.0/>
            <NumberField id="train-seeds" label=t.seeds hint=t.seeds_hint.to_owned() get=|s| s.seeds as f64 set=|s, v| s.seeds = v as usize min=1.0 max=20.0 step=1.0/>
            <NumberField id="train-batch" label=t.batch hint=t.batch_hint.to_owned() get=|s| s.batch as f64 set=|s, v| s.batch = v as usize min=1.0 max=1024.0 step=1.0/>
            <NumberField id="train-lr" label=t.lr hint=t.lr_hint.to_owned() get=|s| s.lr set=|s, v| s.lr = v min=0.0 max=1.0 step=0.00001/>
            <NumberField id="train-warmup" label=t.warmup hint=t.warmup_hint.to_owned() get=|s| s.warmup set=|s, v| s.warmup = v min=0.0 max=1.0 step=0.05/>
            <NumberField id="train-decay" label=t.decay hint=t.decay_hint.to_owned() get=|s| s.weight_decay set=|s, v| s.weight_decay = v min=0.0 max=1.0 step=0.01/>
            <NumberField id="train-smoothing" label=t.smoothing hint=t.smoothing_hint.to_owned() get=|s| s.label_smoothing set=|s, v| s.label_smoothing = v min=0.0 max=0.9 step=0.05/>
            <NumberField id="train-drop-path" label=t.drop_path hint=t.drop_path_hint.to_owned() get=|s| s.drop_path set=|s, v| s.drop_path = v min=0.0 max=0.9 step=0.05/>
            <NumberField id="train-clip" label=t.clip hint=t.clip_hint.to_owned() get=|s| s.clip_norm set=|s, v| s.clip_norm = v min=0.0 max=1000.0 step=0.5/>
            <NumberField id="train-validate" label=t.validate hint=t.validate_hint.to_owned() get=|s| s.validate_every as f64 set=|s, v| s.validate_every = v as usize min=0.0 max=1e6 step=1.0/>
            <Check id="train-augment" label=t.augment hint=t.augment_hint get=|s| s.augment set=|s, v| s.augment = v/>
        </More>
    }
}
