//! Step 5 of a pool: the pool and the baseline side by side.

use crate::prelude::*;
use crate::widgets::Step;
use heirloom_plan::protocol::{Method, PoolReport};

#[component]
pub fn CompareStep() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().pool;
    let missing = Signal::derive(move || {
        let nothing = store.pools.pool.with(Option::is_none) && store.pools.stitch.with(Option::is_none);
        nothing.then_some(t.need_pool)
    });
    let table = move || {
        let (pool, stitch) = (store.pools.pool.get(), store.pools.stitch.get());
        view! {
            <p class="hint">{note(pool.as_ref(), stitch.as_ref())}</p>
            <div class="scroll" tabindex="0" role="region" aria-label=t.compare.title>
                <table data-testid="pool-compare">
                    <thead>
                        <tr>
                            <th scope="col">{t.measure}</th>
                            <th scope="col">{(t.method)(Method::Pool)}</th>
                            <th scope="col">{(t.method)(Method::Stitch)}</th>
                        </tr>
                    </thead>
                    <tbody>{rows(pool.as_ref(), stitch.as_ref())}</tbody>
                </table>
            </div>
        }
    };
    view! {
        <Step id="training" number=5 heading=&t.compare missing>
            {table}
        </Step>
    }
}

/// What the comparison is worth.
fn note(pool: Option<&PoolReport>, stitch: Option<&PoolReport>) -> String {
    let t = &text().pool;
    let names = &text().descendant;
    match (pool, stitch) {
        (Some(pool), Some(stitch)) if pool.is_comparable(stitch) => (t.compare_same)(pool.steps[1]),
        (Some(_), Some(_)) => t.compare_other.to_owned(),
        (Some(_), None) => (t.compare_need)(names.method_stitch),
        _ => (t.compare_need)(names.method_pool),
    }
}

fn rows(pool: Option<&PoolReport>, stitch: Option<&PoolReport>) -> impl IntoView + use<> {
    let t = &text().pool;
    type Of = fn(&PoolReport) -> Option<String>;
    let measures: [(&'static str, Of); 7] = [
        (t.smallest, smallest),
        (t.mean, |report| mean(&accuracies(report)).map(|share| digits(share * 100.0))),
        (t.best, |report| accuracies(report).into_iter().reduce(f64::max).map(|share| digits(share * 100.0))),
        (t.spearman, |report| report.spearman.map(|rank| format!("{rank:.2}"))),
        (t.stored, |report| Some(stored(report))),
        (t.anchors, |report| Some(short(report.anchor_parameters))),
        (t.ancestor_accuracy, |report| report.ancestor_accuracy.map(|share| percent(f64::from(share)))),
    ];
    let row = |name: &'static str, of: [Option<String>; 2]| {
        let cells = of.map(|value| view! { <td>{value.unwrap_or_else(|| "–".to_owned())}</td> });
        view! {
            <tr>
                <th scope="row">{name}</th>
                {cells.into_iter().collect_view()}
            </tr>
        }
    };
    let better = pool.zip(stitch).filter(|(pool, stitch)| pool.is_comparable(stitch)).and_then(better);
    let better = better.map(|better| row(t.better, better.map(Some)));
    let rows = measures.map(|(name, of)| row(name, [pool.and_then(of), stitch.and_then(of)]));
    view! {
        {rows.into_iter().collect_view()}
        {better}
    }
}

fn accuracies(report: &PoolReport) -> Vec<f64> {
    report.configurations.iter().filter_map(|one| one.accuracy.map(f64::from)).collect()
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The configuration with the fewest parameters, and how good it is.
fn smallest(report: &PoolReport) -> Option<String> {
    let one = report.configurations.iter().min_by_key(|one| one.parameters)?;
    let right = one.accuracy.map(|share| percent(f64::from(share)))?;
    Some((text().pool.smallest_value)(&short(one.parameters), &right))
}

fn stored(report: &PoolReport) -> String {
    let share = report.stored_parameters as f64 / report.ancestor_parameters.max(1) as f64;
    (text().pool.stored_value)(&short(report.stored_parameters), &percent(share))
}

/// In how many of the same configurations each is the better one; `None` before both are judged.
fn better((pool, stitch): (&PoolReport, &PoolReport)) -> Option<[String; 2]> {
    let [mine, theirs] = [accuracies(pool), accuracies(stitch)];
    if mine.is_empty() || mine.len() != theirs.len() {
        return None;
    }
    let count = |better: fn(f64, f64) -> bool| mine.iter().zip(&theirs).filter(|(a, b)| better(**a, **b)).count();
    let said = |count: usize| (text().pool.better_value)(count, mine.len());
    Some([said(count(|a, b| a > b)), said(count(|a, b| a < b))])
}
