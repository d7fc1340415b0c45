//! The two steps.

use crate::ancestor::shape::has_no_heads;
use crate::descendant::view::{ImageSize, facts};
use crate::pools::chosen::method_in_use;
use crate::pools::losses::{PoolLossTable, PoolLosses};
use crate::prelude::*;
use crate::tied::actions::{learn, pause_or_continue};
use crate::widgets::{Check, JobBar, More, NumberField, Press, Step, TableView, fact, needs, row, said};
use heirloom_plan::protocol::{DescendantParts, JobKind, Method, RaceState, TiedReport, Tying};
use heirloom_plan::settings::Key;

/// Largest depth of the slider.
const MOST: usize = 24;

/// Step 3.
#[component]
pub fn TiedStep() -> impl IntoView {
    let store = expect_context::<Store>();
    let (t, h) = (&text().tied, &text().heads);
    let missing = Signal::derive(move || match has_no_heads(store) {
        true => Some(text().cnn.no_heads),
        false => needs(store, 1, [h.need_ancestor, h.need_pictures, h.need_both]),
    });
    let is_stages = Memo::new(move |_| method_in_use(store) == Method::Sws);
    let has = Memo::new(move |_| store.tied.with(Option::is_some));
    let heading = if is_stages.get_untracked() { &t.stages } else { &t.line };
    view! {
        <Step id="heads" number=3 heading missing>
            <div class="fields">
                <Show when=move || is_stages.get()>
                    <NumberField id="tied-stages" key=Key::Stages/>
                </Show>
                <NumberField id="tied-layers" key=Key::AuxiliaryLayers/>
                <ImageSize/>
            </div>
            {buttons(store)}
            <p data-testid="tied-status" class="lead" role="status">{move || status(store)}</p>
            <JobBar kind=JobKind::Tied/>
            <Show when=move || has.get()>
                <dl class="facts" data-testid="tied-facts">{move || store.tied.get().map(|tied| stored(&tied))}</dl>
                <PoolLosses/>
                <PoolLossTable/>
            </Show>
            <More>
                <NumberField id="tied-head-steps" key=Key::HeadSteps/>
                <NumberField id="tied-steps" key=Key::DistilSteps label=t.steps hint=Signal::stored(t.steps_hint.to_owned())/>
                <NumberField id="tied-lr" key=Key::DistilLr/>
                <NumberField id="tied-temperature" key=Key::Temperature/>
                <NumberField id="tied-batch" key=Key::Batch/>
                <NumberField id="tied-seed" key=Key::PoolSeed/>
                <Check id="tied-augment" key=Key::PoolAugment/>
            </More>
        </Step>
    }
}

fn buttons(store: Store) -> AnyView {
    let (t, w) = (&text().tied, &text().training);
    let state = Memo::new(move |_| store.tied.with(|tied| tied.as_ref().map(|tied| tied.state)));
    let is_going = move || matches!(state.get(), Some(RaceState::Running | RaceState::Paused));
    let start = Press::new("tied-start", "", move |_| learn(store))
        .words(said(move || if state.get().is_some() { t.learn_again } else { t.learn }))
        .quiet_while(move || state.get().is_some())
        .off_while(move || is_busy(store) || is_going());
    let pause = Press::new("tied-pause", "", move |_| pause_or_continue(store))
        .words(said(move || if state.get() == Some(RaceState::Paused) { w.resume } else { w.pause }))
        .off_while(move || !is_going());
    let stop = Press::new("tied-stop", w.stop, move |_| stop(store))
        .off_while(move || !is_going() && !has_job(store, JobKind::Tied));
    row(vec![start, pause.quiet(), stop.quiet()])
}

fn status(store: Store) -> String {
    let (t, p) = (&text().tied, &text().pool);
    let is_waiting = has_job(store, JobKind::Tied);
    store.tied.with(|tied| match tied {
        Some(tied) if tied.state == RaceState::Running => {
            format!("{} · {}", (t.at)(tied.stage), (p.steps)(tied.steps[0], tied.steps[1]))
        }
        Some(tied) if tied.state == RaceState::Paused => p.paused.to_owned(),
        _ if is_waiting => p.preparing.to_owned(),
        Some(tied) => match tied.accuracy {
            Some(right) => (t.finished)(&share(right), tied.ancestor_accuracy.map(share).as_deref()),
            None => p.stopped.to_owned(),
        },
        None => t.idle.to_owned(),
    })
}

fn share(right: f32) -> String {
    percent(f64::from(right))
}

/// What is stored, beside the models it stands for.
fn stored(tied: &TiedReport) -> impl IntoView + use<> {
    let (t, d) = (&text().tied, &text().descendant);
    let of = |parameters: u64| {
        let all = tied.ancestor_parameters.max(1) as f64;
        Some((d.of_ancestor)(&percent(parameters as f64 / all)))
    };
    let facts = [
        (t.stored, short(tied.stored_parameters), of(tied.stored_parameters)),
        (t.auxiliary, short(tied.auxiliary_parameters), of(tied.auxiliary_parameters)),
        (t.ancestor, short(tied.ancestor_parameters), None),
    ];
    facts.map(fact).into_iter().collect_view()
}

/// Step 4.
#[component]
pub fn DepthStep() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().tied;
    let has = Memo::new(move |_| store.plans.descendant.with(Option::is_some));
    let is_learned = Memo::new(move |_| {
        let name = store.ancestor.with(|ancestor| ancestor.as_ref().map(|ancestor| ancestor.name.clone()));
        let tying = store.settings.with(|settings| settings.tying());
        let fits = |tied: &TiedReport| Some(tied.fits(tying?, &name?));
        store.tied.with(|tied| tied.as_ref().and_then(fits)).unwrap_or_default()
    });
    let missing = Signal::derive(move || (!is_learned.get()).then_some(t.need_learned));
    view! {
        <Step id="descendant" number=4 heading=&t.plan missing>
            <DepthSlider/>
            <Show when=move || has.get()>
                <dl class="facts" data-testid="descendant-summary">
                    {move || store.plans.descendant.get().map(|planned| facts(store, &planned))}
                </dl>
                <p class="hint">{t.not_counted}</p>
                <LayersTable/>
            </Show>
        </Step>
    }
}

#[component]
fn DepthSlider() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().tied;
    // A slider that comes back to where it was does not say that it changed.
    let sliding = store.plans.is_sliding;
    let depth = move || store.settings.with(|settings| settings.layers);
    let least = move || match store.settings.with(|settings| settings.tying()) {
        Some(Tying::Stages(stages)) => stages,
        _ => 1,
    };
    view! {
        <div class="slider">
            <label for="depth-slider">
                {t.depth} " " <output for="depth-slider" data-testid="depth-value">{depth}</output>
                <span class="term">{t.depth_term}</span>
            </label>
            <input
                type="range"
                id="depth-slider"
                data-testid="depth-slider"
                min=least
                max=MOST
                step="1"
                prop:value=move || depth().to_string()
                on:input=move |event| {
                    if let Ok(layers) = event_target_value(&event).parse::<usize>() {
                        sliding.set(true);
                        store.settings.update(|settings| settings.layers = layers);
                    }
                }
                on:change=move |_| sliding.set(false)
                on:pointerup=move |_| sliding.set(false)
                on:blur=move |_| sliding.set(false)
            />
        </div>
    }
}

/// What each layer begins as.
#[component]
fn LayersTable() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().tied;
    let begins = move |tying: Tying, layer: usize, layers: usize| match tying {
        Tying::Line => (t.on_line)(layer + 1, layers),
        Tying::Stages(_) => {
            let stage = tying.coefficients(layer, layers).iter().position(|one| *one > 0.0).unwrap_or(0);
            (t.of_stage)(stage + 1)
        }
    };
    let rows = move || {
        let parts = store.plans.descendant.with(|planned| planned.as_ref().map(|planned| planned.parts.clone()));
        let Some(DescendantParts::Tied { tying, layers }) = parts else { return Vec::new() };
        let row = |layer: usize| {
            view! {
                <tr>
                    <th scope="row">{layer + 1}</th>
                    <td>{begins(tying, layer, layers)}</td>
                </tr>
            }
        };
        (0..layers).map(row).collect()
    };
    view! {
        <TableView testid="descendant-table" label=t.table title=t.table columns=t.columns.map(String::from).to_vec()>
            {rows}
        </TableView>
    }
}
