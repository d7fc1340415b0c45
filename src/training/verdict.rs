//! What a race or an experiment says, in sentences and in a table. The numbers come from
//! `plan::protocol::statistics`.

use super::small;
use crate::prelude::*;
use crate::training::runs::with_shown_race;
use crate::widgets::TableView;
use heirloom_plan::protocol::statistics::{
    ArmStatistics, Difference, Pace, PairedVerdict, RaceStatistics, Range, SEEDS_NEEDED, statistics,
};
use heirloom_plan::protocol::{
    Design, ExperimentPoint, ExperimentReport, Init, LearningRate, RaceReport, RaceState, sensitivity,
    share_that_suffices,
};

fn name(arm: Init) -> &'static str {
    (text().training.arm)(arm)
}

/// A learning rate in a few letters.
pub(super) fn rate(lr: LearningRate) -> String {
    match lr {
        LearningRate::One(lr) => plain(lr),
        LearningRate::Relative { relative, .. } => (text().race.relative_rate)(&plain(relative)),
    }
}

/// First letter large.
pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

/// Points of accuracy.
fn points(share: f64) -> String {
    digits(share.abs() * 100.0)
}

fn difference(one: &Difference, all: &RaceStatistics) -> String {
    let t = &text().race;
    let (arm, other, accuracy) = (name(one.arm), name(one.other), percent(all.accuracy));
    let pace = one.pace.map(|pace| match pace {
        Pace::Same { steps, other: others } => (t.pace_same)(arm, other, &accuracy, &digits(steps), &digits(others)),
        Pace::Sooner { steps, other: others, times } => (t.pace_sooner)(
            arm,
            other,
            &accuracy,
            &digits(steps),
            &digits(others),
            times.map(|t| format!("{t:.1}")).as_deref(),
        ),
        Pace::Later { steps, other: others, times } => (t.pace_sooner)(
            other,
            arm,
            &accuracy,
            &digits(others),
            &digits(steps),
            times.map(|t| format!("{t:.1}")).as_deref(),
        ),
        Pace::OnlyThis { steps } => (t.pace_only)(arm, other, &accuracy, &digits(steps)),
        Pace::OnlyOther { other: others } => (t.pace_only)(other, arm, &accuracy, &digits(others)),
        Pace::Neither => (t.pace_neither)(arm, other, &accuracy),
    });
    let parts = [pace, end_words(one)];
    sentence(&parts.into_iter().flatten().collect::<Vec<_>>().join("; "))
}

/// How two starts stand at the end, by the differences of their seeds; `None` while there are none.
fn end_words(one: &Difference) -> Option<String> {
    let (t, end) = (&text().race, one.end?);
    let (arm, other) = (name(one.arm), name(one.other));
    let (upper, lower) = if end.mean < 0.0 { (other, arm) } else { (arm, other) };
    let by = points(end.mean);
    let Some((low, high)) = end.interval else {
        return Some(match by == points(0.0) {
            true => (t.single_level)(arm, other),
            false => (t.single)(upper, lower, &by),
        });
    };
    let signed = |share: f64| plain((share * 1000.0).round() / 10.0);
    let words = match end.verdict() {
        PairedVerdict::Higher => (t.end_higher)(upper, lower, &by, &signed(low), &signed(high), end.seeds),
        PairedVerdict::Lower => (t.end_higher)(upper, lower, &by, &signed(-high), &signed(-low), end.seeds),
        _ => (t.end_same)(arm, other, &signed(low), &signed(high), end.seeds),
    };
    let few = (end.seeds < SEEDS_NEEDED).then(|| (t.few_seeds)(SEEDS_NEEDED));
    Some([Some(words), few].into_iter().flatten().collect::<Vec<_>>().join("; "))
}

/// What a race says of its first pair of starts, below its curves; nothing before it ended.
pub fn caption(race: &RaceReport) -> Option<String> {
    let all = statistics(race, None).filter(|_| has_ended(race))?;
    Some(sentence(&end_words(all.differences.first()?)?))
}

/// Sentences and table of the race on the screen.
#[component]
pub fn RaceVerdict() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().race;
    let wanted = Memo::new(move |_| store.settings.with(|settings| settings.accuracy));
    let all = Memo::new(move |_| {
        let accuracy = Some(wanted.get()).filter(|wanted| *wanted > 0.0).map(|wanted| wanted / 100.0);
        with_shown_race(store, |race| statistics(race?, accuracy))
    });
    // While a race runs its starts are at different points, so sentences wait for the end; numbers do not.
    let is_over = move || with_shown_race(store, |race| race.is_some_and(has_ended));
    let sentences = move || {
        let all = all.get().filter(|_| is_over())?;
        let lines = all.differences.iter().map(|one| view! { <li>{difference(one, &all)}</li> }).collect_view();
        (!all.differences.is_empty()).then(|| view! { <ul class="verdict" data-testid="race-words">{lines}</ul> })
    };
    let note = move || all.get().map(|all| (t.accuracy_used)(&percent_with(all.accuracy, 1), wanted.get() <= 0.0));
    let rows = move || all.get().map(|all| all.arms.iter().map(row).collect_view());
    let names = [
        text().training.column_arm,
        t.column_last,
        t.column_best,
        t.column_steps,
        t.column_area,
        t.column_parameters,
        t.column_flops,
    ];
    view! {
        <div aria-live="polite">{sentences}</div>
        <Show when=move || all.with(Option::is_some)>
            <TableView
                testid="statistics-table"
                label=t.numbers
                columns=names.map(String::from).to_vec()
                title=t.numbers
                note=view! { <p class="hint">{note}</p> }.into_any()
            >
                {rows}
            </TableView>
        </Show>
    }
}

fn has_ended(race: &RaceReport) -> bool {
    matches!(race.state, RaceState::Finished | RaceState::Stopped)
}

fn row(arm: &ArmStatistics) -> impl IntoView + use<> {
    let t = &text().race;
    let reached = arm.reached.map_or_else(
        || t.no_steps.to_owned(),
        |reached| {
            let steps = reached.steps.map(|steps| digits(steps.mean));
            (t.reached)(steps.as_deref(), reached.seeds, reached.of)
        },
    );
    // A level line has no way that it could be best on.
    let on_the_way = |range: &Range| arm.reached.map(|_| (t.range)(range));
    view! {
        <tr>
            <th scope="row">{name(arm.arm)}</th>
            <td>{(t.range)(&arm.last)}</td>
            <td>{on_the_way(&arm.best)}</td>
            <td>{reached}</td>
            <td>{on_the_way(&arm.area)}</td>
            <td>{short(arm.parameters)}</td>
            <td>{short(arm.flops)}</td>
        </tr>
    }
}

/// Sentences of an experiment; nothing before two points are there.
#[component]
pub fn ExperimentVerdict() -> impl IntoView {
    let store = expect_context::<Store>();
    let lines = move || {
        store.training.report.with(|report| {
            let report = report.as_ref().filter(|report| !report.is_going())?;
            let lines = sentences(store, report);
            let items = lines.iter().map(|line| view! { <li>{line.clone()}</li> }).collect_view();
            (!lines.is_empty()).then(|| view! { <ul class="verdict" data-testid="experiment-words">{items}</ul> })
        })
    };
    view! { <div aria-live="polite">{lines}</div> }
}

fn sentences(store: Store, report: &ExperimentReport) -> Vec<String> {
    let t = &text().race;
    let points = report.points();
    if matches!(report.settings.design, Design::Shares(_)) {
        return shares(&points, &report.settings.race.arms);
    }
    if report.is_of_depths() {
        return small::sentences(store, report);
    }
    let all = sensitivity(&points);
    let line = |one: &heirloom_plan::protocol::Sensitivity| {
        let (arm, best, accuracy) = (name(one.arm), &one.best, percent_with(one.between.0, 1));
        let first = match report.settings.design {
            Design::Family(_) => {
                (t.best_of_family)(arm, &(t.size)(best.heads, best.layers), &accuracy, &short(best.parameters))
            }
            _ => (t.best_of_sweep)(arm, &rate(best.lr), &best.batch.to_string(), &accuracy),
        };
        let between = (one.count > 1).then(|| (t.between)(&self::points(one.between.0 - one.between.1), one.count));
        sentence(&[Some(first), between].into_iter().flatten().collect::<Vec<_>>().join("; "))
    };
    all.iter().map(line).collect()
}

/// How few pictures the first start needs to be as good as each of the others.
fn shares(points: &[ExperimentPoint], arms: &[Init]) -> Vec<String> {
    let t = &text().race;
    let Some((&arm, others)) = arms.split_first() else { return Vec::new() };
    let most = points.iter().map(|point| point.share).fold(0.0, f64::max);
    let line = |&other: &Init| match share_that_suffices(points, arm, other) {
        Some((share, most)) => (t.enough)(name(arm), &percent(share), name(other), &percent(most)),
        None => (t.not_enough)(name(arm), name(other), &percent(most)),
    };
    others.iter().map(|other| sentence(&line(other))).collect()
}

/// All points of an experiment as a table.
#[component]
pub fn ExperimentTable() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().race;
    let rows = move || {
        let points = store.training.report.with(|report| report.as_ref().map(|r| r.points()).unwrap_or_default());
        points.into_iter().map(|point| point_row(&point)).collect_view()
    };
    let names = [
        text().training.column_arm,
        t.column_heads,
        t.column_layers,
        t.column_parameters,
        t.column_flops,
        t.column_rate,
        t.column_batch,
        t.column_share,
        t.column_last,
        t.column_lowest,
        t.column_highest,
        t.column_held_out,
    ];
    view! {
        <TableView testid="experiment-table" label=t.numbers columns=names.map(String::from).to_vec()>
            {rows}
        </TableView>
    }
}

fn point_row(point: &ExperimentPoint) -> impl IntoView + use<> {
    let t = &text().race;
    let value = |pick: fn(&Range) -> f64| point.accuracy.map(|range| percent_with(pick(&range), 1));
    let last = value(|range| range.mean).or_else(|| (point.diverged > 0).then(|| t.diverged.to_owned()));
    view! {
        <tr>
            <th scope="row">{if point.cut > 0 { (t.first_blocks)(point.cut) } else { name(point.arm).to_owned() }}</th>
            <td>{point.heads}</td>
            <td>{point.layers}</td>
            <td>{short(point.parameters)}</td>
            <td>{short(point.flops)}</td>
            <td>{rate(point.lr)}</td>
            <td>{point.batch}</td>
            <td>{percent(point.share)}</td>
            <td>{last}</td>
            <td>{value(|range| range.low)}</td>
            <td>{value(|range| range.high)}</td>
            <td>{point.held_out.map(|[right, all]| (t.of)(right, all))}</td>
        </tr>
    }
}
