//! Step 3 of a pool: which small models, and how far they are.

use crate::descendant::view::ImageSize;
use crate::pools::actions::{make_pool, pause_or_continue_pool};
use crate::pools::chosen::{method_in_use, pool_report};
use crate::pools::losses::{PoolLossTable, PoolLosses};
use crate::prelude::*;
use crate::widgets::{Check, ChoiceField, JobBar, More, Number, NumberField, Press, Step, needs, row, said};
use heirloom_plan::protocol::{Basis, JobKind, Method, PoolReport, PoolStage, RaceState, SmallModel, StitchInit};
use heirloom_plan::settings::{Key, MOST_BLOCKS, MOST_WIDTH, Settings};

#[component]
pub fn SmallModelsStep() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().pool;
    let h = &text().heads;
    let missing = Signal::derive(move || needs(store, 1, [h.need_ancestor, h.need_pictures, h.need_both]));
    let has = Memo::new(move |_| pool_report(store).with(Option::is_some));
    let heading = if method_in_use(store) == Method::Stitch { &t.set_up_stitch } else { &t.set_up };
    view! {
        <Step id="heads" number=3 heading missing>
            <Sizes/>
            <Buttons/>
            <p data-testid="pool-status" class="lead" role="status">{move || status(store)}</p>
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
    settings.small.iter().filter(|model| model.blocks > 0).count() > 1
}

#[component]
fn Sizes() -> impl IntoView {
    let t = &text().pool;
    let field = |(at, name): (usize, &'static str)| {
        view! {
            <fieldset class="field">
                <legend>{name}</legend>
                {blocks(at)}
                {width(at)}
            </fieldset>
        }
    };
    view! {
        <div class="fields">
            {t.sizes.into_iter().enumerate().map(field).collect_view()}
            <ImageSize/>
        </div>
    }
}

/// Blocks of a small model; the third may have none.
fn blocks(at: usize) -> AnyView {
    let t = &text().pool;
    let (hint, least) = if at == 2 { (t.third_hint, 0) } else { (t.blocks_hint, 1) };
    let id = ["pool-blocks-1", "pool-blocks-2", "pool-blocks-3"][at];
    size(at, id, [t.blocks, hint], [least, MOST_BLOCKS], |model| &mut model.blocks)
}

fn width(at: usize) -> AnyView {
    let t = &text().pool;
    let id = ["pool-width-1", "pool-width-2", "pool-width-3"][at];
    size(at, id, [t.width, t.width_hint], [1, MOST_WIDTH], |model| &mut model.width)
}

fn size(
    at: usize,
    id: &'static str,
    [label, hint]: [&'static str; 2],
    [least, most]: [usize; 2],
    part: fn(&mut SmallModel) -> &mut usize,
) -> AnyView {
    let store = expect_context::<Store>();
    let mut usual = Settings::default().small[at];
    Number {
        id,
        label,
        hint: Signal::stored(hint.to_owned()),
        range: [least, most, 1].map(|number| Signal::stored(number as f64)),
        usual: part(&mut usual).to_string(),
        unit: "",
        value: Memo::new(move |_| *part(&mut store.settings.with(|settings| settings.small[at])) as f64),
        change: Callback::new(move |number| {
            store.settings.update(|settings| *part(&mut settings.small[at]) = number as usize);
        }),
    }
    .draw()
}

#[component]
fn Buttons() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().pool;
    let words = &text().training;
    let state = Memo::new(move |_| pool_report(store).with(|pool| pool.as_ref().map(|pool| pool.state)));
    let is_going = move || matches!(state.get(), Some(RaceState::Running | RaceState::Paused));
    let is_waiting = Memo::new(move |_| has_job(store, JobKind::Pool));
    let has_models = Memo::new(move |_| store.settings.with(has_enough));
    let start = Press::new("pool-start", "", move |_| make_pool(store))
        .words(said(move || if state.get().is_some() { t.start_again } else { t.start }))
        .quiet_while(move || state.get().is_some())
        .off_while(move || is_busy(store) || is_going() || !has_models.get());
    let pause = Press::new("pool-pause", "", move |_| pause_or_continue_pool(store))
        .words(said(move || if state.get() == Some(RaceState::Paused) { words.resume } else { words.pause }))
        .off_while(move || !is_going());
    let stop =
        Press::new("pool-stop", words.stop, move |_| stop(store)).off_while(move || !is_going() && !is_waiting.get());
    view! {
        {row(vec![start, pause.quiet(), stop.quiet()])}
        <Show when=move || !has_models.get()>
            <p class="missing">{t.too_few}</p>
        </Show>
    }
}

fn status(store: Store) -> String {
    let t = &text().pool;
    let is_waiting = has_job(store, JobKind::Pool);
    pool_report(store).with(|pool| match pool {
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
        PoolStage::Basis => t.basis_stage.to_owned(),
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

fn bases() -> Vec<(&'static str, &'static str)> {
    Basis::ALL.map(|basis| (basis.name(), (text().pool.basis_name)(basis))).to_vec()
}

#[component]
fn MoreSmallModels() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().pool;
    let starts = StitchInit::ALL.map(|start| (start.name(), (t.start_name)(start))).to_vec();
    let is_stitch = move || method_in_use(store) == Method::Stitch;
    let is_shared = move || !is_stitch() && store.settings.with(|settings| settings.basis.is_shared());
    view! {
        <More>
            <Show when=move || !is_stitch()>
                <ChoiceField id="pool-basis" key=Key::Basis options=bases()/>
            </Show>
            <Show when=is_shared>
                <Check id="every-block" key=Key::EveryBlock/>
            </Show>
            <Show when=move || !is_stitch()>
                <NumberField id="feature-weight" key=Key::FeatureWeight/>
            </Show>
            <NumberField id="head-steps" key=Key::HeadSteps/>
            <NumberField id="distil-steps" key=Key::DistilSteps/>
            <NumberField id="pool-steps" key=Key::PoolSteps/>
            <NumberField id="pool-batch" key=Key::Batch hint=Signal::stored(t.batch_hint.to_owned())/>
            <NumberField id="distil-lr" key=Key::DistilLr/>
            <NumberField id="pool-lr" key=Key::PoolLr/>
            <NumberField id="stitch-lr" key=Key::StitchLr/>
            <NumberField id="pool-seed" key=Key::PoolSeed/>
            <ChoiceField id="stitch-start" key=Key::StitchInit options=starts/>
            <Show when=is_stitch>
                <Check id="label-only" key=Key::LabelOnly/>
            </Show>
            <Check id="anchor-teacher" key=Key::AnchorTeacher/>
            <Check id="pool-augment" key=Key::PoolAugment/>
        </More>
    }
}
