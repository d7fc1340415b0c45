//! How small a model may be: the person's limits, and the first blocks of the ancestor that are enough within them.

use super::verdict::sentence;
use crate::prelude::*;
use crate::widgets::NumberField;
use heirloom_plan::protocol::{ExperimentPoint, ExperimentReport, Init, Limits, PARAMETER_BYTES, SmallEnough};
use heirloom_plan::settings::Key;

/// What a person lets a small model cost.
pub fn limits(store: Store) -> Limits {
    let (megabytes, milliseconds) = store.settings.with(|all| (all.most_megabytes, all.most_milliseconds));
    let speed = store.engine.speed.get().filter(|_| milliseconds > 0.0);
    Limits {
        parameters: (megabytes > 0.0).then_some((megabytes * 1e6 / PARAMETER_BYTES) as u64),
        flops: speed.map(|speed| (speed * milliseconds / 1e3) as u64),
    }
}

/// The race of the model that is small and large enough, or that in which it was trained on.
pub fn first_race(store: Store, report: &ExperimentReport) -> Option<usize> {
    let found = report.small_enough(limits(store))?.race;
    Some(report.trained_on(found).unwrap_or(found))
}

/// The limits, which can be moved after the models were made, and the minutes of training.
#[component]
pub fn LimitFields() -> impl IntoView {
    view! {
        <NumberField id="most-mb" key=Key::MostMegabytes/>
        <NumberField id="most-ms" key=Key::MostMilliseconds/>
        <NumberField id="minutes" key=Key::Minutes/>
    }
}

/// What is said of one model, of the same trained on, and of the whole ancestor.
struct Found {
    found: ExperimentPoint,
    tuned: Option<ExperimentPoint>,
    whole: ExperimentPoint,
    is_within: bool,
}

fn find(store: Store, report: &ExperimentReport) -> Option<Found> {
    let SmallEnough { race, is_within } = report.small_enough(limits(store))?;
    let points = report.points();
    let of_race = |race: usize| points.iter().find(|point| point.race == race).cloned();
    let tuned = report.trained_on(race).and_then(of_race);
    let whole = points.iter().find(|point| point.cut == 0 && point.arm == Init::Frozen).cloned();
    Some(Found { found: of_race(race)?, tuned, whole: whole?, is_within })
}

fn right(point: &ExperimentPoint) -> Option<String> {
    point.accuracy.map(|range| percent_with(range.mean, 1))
}

/// The accuracies that the line above the results ends with; `None` for other experiments, and before they ended.
pub fn results(store: Store) -> Option<String> {
    store.training.report.with(|report| {
        let Found { found, tuned, whole, .. } = find(store, report.as_ref()?)?;
        let t = text();
        let name = |point: &ExperimentPoint| match point.arm {
            Init::Tuned => (t.race.trained_on)(&(t.race.first_blocks)(point.cut)),
            _ => (t.race.first_blocks)(point.cut),
        };
        let one = |point: &ExperimentPoint| Some((t.training.result)(&name(point), &right(point)?));
        let all = [tuned.as_ref(), Some(&found), (found.cut > 0).then_some(&whole)];
        Some(all.into_iter().flatten().filter_map(one).collect::<Vec<_>>().join(", "))
    })
}

/// Which model is small and large enough, in sentences.
pub(super) fn sentences(store: Store, report: &ExperimentReport) -> Vec<String> {
    let t = &text().race;
    let Some(Found { found, tuned, whole, is_within }) = find(store, report) else {
        return vec![sentence(t.small_not_chosen)];
    };
    let share = percent(found.parameters as f64 / whole.parameters.max(1) as f64);
    let all = (found.cut > 0).then(|| right(&whole)).flatten();
    let (name, accuracy) = ((t.first_blocks)(found.cut), right(&found).unwrap_or_default());
    let held_out = found.held_out.map_or(0, |[_, all]| all);
    let size = bytes((found.parameters as f64 * PARAMETER_BYTES) as u64);
    let tuned = tuned.and_then(|tuned| right(&tuned)).map(|right| sentence(&(t.small_tuned)(&right)));
    let enough = (t.small_enough)([&name, &short(found.parameters), &share, &size, &accuracy], all.as_deref());
    let chosen = if is_within { (t.small_chosen)(held_out) } else { t.small_too_large.to_owned() };
    [Some(sentence(&enough)), tuned, Some(sentence(&chosen))].into_iter().flatten().collect()
}
