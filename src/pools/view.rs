//! Step 4 of a pool: how big the model may be, which one that is, and cutting it out.

use crate::pools::actions::cut_out;
use crate::pools::chosen::{chosen_configuration, method_in_use, pool_report};
use crate::pools::grid::PoolGrid;
use crate::pools::scatter::{PoolScatter, PoolTable};
use crate::pools::state::BudgetKind;
use crate::prelude::*;
use crate::widgets::{Step, fact};
use heirloom_plan::protocol::{Method, PoolConfiguration};

/// Places of the slider.
const PLACES: f64 = 200.0;

#[component]
pub fn PoolStep() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().pool;
    let missing = Signal::derive(move || pool_report(store).with(Option::is_none).then_some(t.need_pool));
    let heading = if method_in_use(store) == Method::Stitch { &t.pool_stitch } else { &t.pool };
    view! {
        <Step id="descendant" number=4 heading missing>
            <Budget/>
            <PoolGrid/>
            <Chosen/>
            <PoolScatter/>
            <PoolTable/>
        </Step>
    }
}

/// Smallest and largest cost of the configurations; `None` while none is known.
fn range(store: Store) -> Option<(f64, f64)> {
    let kind = store.pools.kind.get();
    pool_report(store).with(|report| {
        let costs = report.as_ref()?.configurations.iter().filter_map(|one| kind.of(one));
        costs.fold(None, |range, cost| {
            let (least, most) = range.unwrap_or((cost, cost));
            Some((f64::min(least, cost), f64::max(most, cost)))
        })
    })
}

/// A cost of a kind, in words.
fn cost(kind: BudgetKind, value: f64) -> String {
    let number = if kind == BudgetKind::Milliseconds { digits(value) } else { short(value.round() as u64) };
    (text().pool.kind_value)(kind as usize, &number)
}

#[component]
fn Budget() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().pool;
    let limits = Memo::new(move |_| range(store));
    let most = move || limits.get().map_or(1.0, |(_, most)| most);
    let least = move || limits.get().map_or(0.0, |(least, _)| least);
    let budget = move || store.pools.budget.get().unwrap_or_else(most);
    let said = move || cost(store.pools.kind.get(), budget());
    // The slider's places are shares of the range, so that the same one serves parameters and milliseconds.
    let place = move || {
        let span = most() - least();
        if span > 0.0 { ((budget() - least()) / span * PLACES).round() } else { PLACES }
    };
    let moved = move |event| {
        let Ok(place) = event_target_value(&event).parse::<f64>() else { return };
        store.pools.picked.set(None);
        let all = place >= PLACES;
        store.pools.budget.set((!all).then(|| least() + (most() - least()) * place / PLACES));
    };
    let has_times = Memo::new(move |_| {
        pool_report(store)
            .with(|r| r.as_ref().is_some_and(|r| r.configurations.iter().any(|o| o.milliseconds.is_some())))
    });
    let option = |(kind, value): (BudgetKind, &'static str)| {
        let is_off = move || kind == BudgetKind::Milliseconds && !has_times.get();
        view! {
            <option value=value selected=move || store.pools.kind.get() == kind disabled=is_off>{(t.kind)(kind as usize)}</option>
        }
    };
    let choose = move |event| {
        let value = event_target_value(&event);
        let kind = BudgetKind::ALL.into_iter().find(|(_, name)| *name == value).map(|(kind, _)| kind);
        store.pools.kind.set(kind.unwrap_or_default());
        store.pools.budget.set(None);
        store.pools.picked.set(None);
    };
    view! {
        <div class="field inline">
            <label for="budget-kind">{t.budget_kind}</label>
            <select id="budget-kind" data-testid="budget-kind" on:change=choose>
                {BudgetKind::ALL.map(option).into_iter().collect_view()}
            </select>
        </div>
        <div class="slider">
            <label for="budget-slider">
                {t.budget} " " <output for="budget-slider" data-testid="budget-value">{said}</output>
                <span class="term">{t.budget_term}</span>
            </label>
            <input
                type="range"
                id="budget-slider"
                data-testid="budget-slider"
                min="0"
                max=PLACES
                step="1"
                prop:value=move || place().to_string()
                aria-valuetext=said
                on:input=moved
            />
        </div>
    }
}

/// The chosen model in numbers, and the button that cuts it out.
#[component]
fn Chosen() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().pool;
    let chosen = Memo::new(move |_| chosen_configuration(store));
    let is_ready = move || chosen.with(|one| one.as_ref().is_some_and(|one| one.is_ready));
    let is_off = move || !is_ready() || is_busy(store);
    let missing = move || match chosen.with(Option::is_some) {
        true if is_ready() => None,
        true => Some(t.not_ready),
        false => Some(t.none_fits),
    };
    view! {
        <dl class="facts" data-testid="pool-chosen">{move || chosen.get().map(|one| facts(&one))}</dl>
        <p class="missing">{missing}</p>
        <div class="row">
            <button
                type="button"
                data-testid="pool-cut"
                disabled=is_off
                on:click=move |_| {
                    if let Some(one) = chosen.get_untracked() {
                        cut_out(store, one.id);
                    }
                }
            >
                {t.cut}
            </button>
            <span class="hint">{t.cut_hint}</span>
        </div>
    }
}

fn facts(one: &PoolConfiguration) -> impl IntoView + use<> {
    let t = &text().pool;
    let share = |share: f32| percent(f64::from(share));
    let start = one.accuracy_at_start.map(|right| format!("{}: {}", t.accuracy_at_start, share(right)));
    let facts = [
        (t.parameters, short(one.parameters), None),
        (t.flops, (text().descendant.flops_value)(&short(one.flops)), None),
        (
            t.milliseconds,
            one.milliseconds.map_or_else(|| t.unknown.to_owned(), |ms| format!("{} ms", digits(ms))),
            None,
        ),
        (t.accuracy, one.accuracy.map_or_else(|| t.unknown.to_owned(), share), start),
    ];
    facts.map(fact).into_iter().collect_view()
}
