//! Step 3 of a pool: which small models, and how far they are.

use leptos::prelude::*;

use super::descendant::ImageSize;
use crate::charts::{PoolLossTable, PoolLosses};
use crate::format::percent;
use crate::pools::{MOST_BLOCKS, MOST_WIDTH, STARTS};
use crate::settings::Settings;
use crate::state::App;
use crate::strings::text;
use crate::widgets::{Check, JobBar, More, NumberField, Step};
use heirloom_plan::protocol::{JobKind, Method, PoolReport, PoolStage, RaceState};

#[component]
pub fn SmallModelsStep() -> impl IntoView {
    let app = expect_context::<App>();
    let t = &text().pool;
    let missing = Signal::derive(move || {
        let has_pictures = app.pictures.with(|p| p.as_ref().is_some_and(|p| !p.classes.is_empty()));
        let t = &text().heads;
        match (app.ancestor.with(Option::is_some), has_pictures) {
            (true, true) => None,
            (false, true) => Some(t.need_ancestor),
            (true, false) => Some(t.need_pictures),
            (false, false) => Some(t.need_both),
        }
    });
    let has = Memo::new(move |_| app.pool_report().with(Option::is_some));
    let heading = if app.method() == Method::Stitch { &t.set_up_stitch } else { &t.set_up };
    view! {
        <Step id="heads" number=3 heading missing>
            <Sizes/>
            <Buttons/>
            <p data-testid="pool-status" class="lead" role="status">{move || status(app)}</p>
            <JobBar kind=JobKind::Pool/>
            <Show when=move || has.get()>
                <PoolLosses/>
                <PoolLossTable/>
            </Show>
            <MoreSmallModels/>
        </Step>
    }
}

/// Enough models to stitch.
fn has_enough(settings: &Settings) -> bool {
    settings.pool.models.iter().filter(|model| model.blocks > 0).count() > 1
}

#[component]
fn Sizes() -> impl IntoView {
    let t = &text().pool;
    view! {
        <div class="fields">
            <fieldset class="field">
                <legend>{t.sizes[0]}</legend>
                <BlocksField id="pool-blocks-1" get=|s| s.pool.models[0].blocks as f64 set=|s, v| s.pool.models[0].blocks = v as usize/>
                <WidthField id="pool-width-1" get=|s| s.pool.models[0].width as f64 set=|s, v| s.pool.models[0].width = v as usize/>
            </fieldset>
            <fieldset class="field">
                <legend>{t.sizes[1]}</legend>
                <BlocksField id="pool-blocks-2" get=|s| s.pool.models[1].blocks as f64 set=|s, v| s.pool.models[1].blocks = v as usize/>
                <WidthField id="pool-width-2" get=|s| s.pool.models[1].width as f64 set=|s, v| s.pool.models[1].width = v as usize/>
            </fieldset>
            <fieldset class="field">
                <legend>{t.sizes[2]}</legend>
                <BlocksField id="pool-blocks-3" is_optional=true get=|s| s.pool.models[2].blocks as f64 set=|s, v| s.pool.models[2].blocks = v as usize/>
                <WidthField id="pool-width-3" get=|s| s.pool.models[2].width as f64 set=|s, v| s.pool.models[2].width = v as usize/>
            </fieldset>
            <ImageSize/>
        </div>
    }
}

#[component]
fn BlocksField(
    id: &'static str,
    #[prop(optional)] is_optional: bool,
    get: fn(&Settings) -> f64,
    set: fn(&mut Settings, f64),
) -> impl IntoView {
    let t = &text().pool;
    let hint = if is_optional { t.third_hint } else { t.blocks_hint };
    let min = if is_optional { 0.0 } else { 1.0 };
    view! { <NumberField id label=t.blocks hint=hint.to_owned() get set min max=MOST_BLOCKS as f64 step=1.0/> }
}

#[component]
fn WidthField(id: &'static str, get: fn(&Settings) -> f64, set: fn(&mut Settings, f64)) -> impl IntoView {
    let t = &text().pool;
    view! { <NumberField id label=t.width hint=t.width_hint.to_owned() get set min=1.0 max=MOST_WIDTH as f64 step=1.0/> }
}

#[component]
fn Buttons() -> impl IntoView {
    let app = expect_context::<App>();
    let t = &text().pool;
    let words = &text().training;
    let state = Memo::new(move |_| app.pool_report().with(|pool| pool.as_ref().map(|pool| pool.state)));
    let is_going = move || matches!(state.get(), Some(RaceState::Running | RaceState::Paused));
    let is_waiting = Memo::new(move |_| app.jobs.with(|jobs| jobs.iter().any(|job| job.kind == JobKind::Pool)));
    let has_models = Memo::new(move |_| app.settings.with(has_enough));
    view! {
        <div class="row">
            <button
                type="button"
                data-testid="pool-start"
                class:quiet=move || state.get().is_some()
                disabled=move || app.busy() || is_going() || !has_models.get()
                on:click=move |_| app.make_pool()
            >
                {move || if state.get().is_some() { t.start_again } else { t.start }}
            </button>
            <button
                type="button"
                class="quiet"
                data-testid="pool-pause"
                disabled=move || !is_going()
                on:click=move |_| app.pause_or_continue_pool()
            >
                {move || if state.get() == Some(RaceState::Paused) { words.resume } else { words.pause }}
            </button>
            <button
                type="button"
                class="quiet"
                data-testid="pool-stop"
                disabled=move || !is_going() && !is_waiting.get()
                on:click=move |_| app.stop()
            >
                {words.stop}
            </button>
        </div>
        <Show when=move || !has_models.get()>
            <p class="missing">{t.too_few}</p>
        </Show>
    }
}

fn status(app: App) -> String {
    let t = &text().pool;
    let is_waiting = app.jobs.with(|jobs| jobs.iter().any(|job| job.kind == JobKind::Pool));
    app.pool_report().with(|pool| match pool {
        Some(pool) if pool.state == RaceState::Running => {
            let stage = stage(pool);
            format!("{stage} · {}", (t.steps)(pool.steps[0], pool.steps[1]))
        }
        Some(pool) if pool.state == RaceState::Paused => t.paused.to_owned(),
        _ if is_waiting => t.preparing.to_owned(),
        Some(pool) if pool.state == RaceState::Stopped => t.stopped.to_owned(),
        Some(pool) => finished(pool),
        None => t.idle.to_owned(),
    })
}

fn stage(pool: &PoolReport) -> String {
    let t = &text().pool;
    match pool.stage {
        PoolStage::Head => t.head.to_owned(),
        PoolStage::Distil { model } => (t.distil)(model + 1, pool.models.len()),
        PoolStage::Stitch => t.stitch.to_owned(),
        PoolStage::Tune => t.tune.to_owned(),
        PoolStage::Evaluate => t.evaluate.to_owned(),
        PoolStage::Time | PoolStage::Done => t.time.to_owned(),
    }
}

fn finished(pool: &PoolReport) -> String {
    let best = pool.configurations.iter().filter_map(|one| one.accuracy).fold(0.0, f32::max);
    let ancestor = pool.ancestor_accuracy.map(|right| percent(f64::from(right)));
    (text().pool.finished)(pool.configurations.len(), &percent(f64::from(best)), ancestor.as_deref())
}

#[component]
fn MoreSmallModels() -> impl IntoView {
    let t = &text().pool;
    view! {
        <More>
            <NumberField id="head-steps" label=t.head_steps hint=t.head_steps_hint.to_owned() get=|s| s.pool.head_steps as f64 set=|s, v| s.pool.head_steps = v as usize min=1.0 max=1e6 step=1.0/>
            <NumberField id="distil-steps" label=t.distil_steps hint=t.distil_steps_hint.to_owned() get=|s| s.pool.distil_steps as f64 set=|s, v| s.pool.distil_steps = v as usize min=1.0 max=1e6 step=1.0/>
            <NumberField id="pool-steps" label=t.pool_steps hint=t.pool_steps_hint.to_owned() get=|s| s.pool.pool_steps as f64 set=|s, v| s.pool.pool_steps = v as usize min=1.0 max=1e6 step=1.0/>
            <NumberField id="pool-batch" label=text().training.batch hint=t.batch_hint.to_owned() get=|s| s.batch as f64 set=|s, v| s.batch = v as usize min=1.0 max=1024.0 step=1.0/>
            <NumberField id="distil-lr" label=t.lr hint=t.lr_hint.to_owned() get=|s| s.pool.lr set=|s, v| s.pool.lr = v min=0.0 max=1.0 step=0.0001/>
            <NumberField id="pool-lr" label=t.pool_lr hint=t.pool_lr_hint.to_owned() get=|s| s.pool.pool_lr set=|s, v| s.pool.pool_lr = v min=0.0 max=1.0 step=0.0001/>
            <NumberField id="pool-seed" label=t.seed hint=t.seed_hint.to_owned() get=|s| s.pool.seed as f64 set=|s, v| s.pool.seed = v as u64 min=0.0 max=1e9 step=1.0/>
            <StitchStarts/>
            <Check id="anchor-teacher" label=t.anchor_teacher hint=t.anchor_teacher_hint get=|s| s.pool.is_anchor_teacher set=|s, v| s.pool.is_anchor_teacher = v/>
            <Check id="pool-augment" label=t.augment hint=t.augment_hint get=|s| s.pool.augment set=|s, v| s.pool.augment = v/>
        </More>
    }
}

#[component]
fn StitchStarts() -> impl IntoView {
    let app = expect_context::<App>();
    let t = &text().pool;
    let option = |(start, value): (_, &'static str)| {
        let is_chosen = move || app.settings.with(|settings| settings.pool.start == start);
        view! { <option value=value selected=is_chosen>{(t.start_name)(start)}</option> }
    };
    let choose = move |event| {
        let value = event_target_value(&event);
        app.settings.update(|settings| {
            settings.pool.set_start(&value);
        });
    };
    view! {
        <div class="field">
            <label for="stitch-start">{t.stitch_start}</label>
            <select id="stitch-start" data-testid="stitch-start" aria-describedby="stitch-start-hint" on:change=choose>
                {STARTS.map(option).into_iter().collect_view()}
            </select>
            <small id="stitch-start-hint">{t.stitch_start_hint}</small>
        </div>
    }
}
