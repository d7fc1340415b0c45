//! Learning curves: the mean over the seeds of each start, and a band from the lowest to the highest.

use std::collections::BTreeMap;

use leptos::prelude::*;

use super::SavePicture;
use super::axis::Scale;
use crate::session::protocol::{CurvePoint, RaceReport, StartValue};
use crate::ui::format::{plain, short};
use crate::ui::state::App;
use crate::ui::strings::text;

/// Room for the numbers of the axis, and for half of the last number below it.
const LEFT: f64 = 52.0;
const RIGHT: f64 = 18.0;

/// What a curve shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Measure {
    #[default]
    Accuracy,
    ValidationLoss,
    TrainLoss,
}

impl Measure {
    pub const ALL: [Self; 3] = [Self::Accuracy, Self::ValidationLoss, Self::TrainLoss];

    pub fn name(self) -> &'static str {
        let t = &text().training;
        match self {
            Self::Accuracy => t.accuracy,
            Self::ValidationLoss => t.validation_loss,
            Self::TrainLoss => t.train_loss,
        }
    }

    fn unit(self) -> &'static str {
        if self == Self::Accuracy { text().training.accuracy_unit } else { text().training.loss_unit }
    }

    fn axis(self) -> &'static str {
        let t = &text().training;
        match self {
            Self::Accuracy => t.accuracy_axis,
            Self::ValidationLoss => t.validation_loss_axis,
            Self::TrainLoss => t.train_loss_axis,
        }
    }

    /// The number as drawn: accuracy in per cent.
    fn of(self, point: &CurvePoint) -> f64 {
        f64::from(match self {
            Self::Accuracy => point.validation_accuracy * 100.0,
            Self::ValidationLoss => point.validation_loss,
            Self::TrainLoss => point.train_loss,
        })
    }
}

/// One point of a start: lowest, mean and highest over its seeds.
#[derive(Clone, Copy)]
struct Spread {
    step: f64,
    low: f64,
    mean: f64,
    high: f64,
}

/// The curve of a start over the steps that any of its seeds was measured at.
fn spread(race: &RaceReport, arm: StartValue, measure: Measure) -> Vec<Spread> {
    let mut steps: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for point in race.runs.iter().filter(|run| run.arm == arm).flat_map(|run| &run.points) {
        let value = measure.of(point);
        if value.is_finite() {
            steps.entry(point.step).or_default().push(value);
        }
    }
    let summary = |(step, values): (usize, Vec<f64>)| Spread {
        step: step as f64,
        low: values.iter().copied().fold(f64::INFINITY, f64::min),
        mean: values.iter().sum::<f64>() / values.len() as f64,
        high: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    };
    steps.into_iter().map(summary).collect()
}

/// The chart.
#[component]
pub fn CurvesChart(#[prop(into)] measure: Signal<Measure>) -> impl IntoView {
    let app = expect_context::<App>();
    let t = &text().training;
    let drawing = move || app.race.with(|race| race.as_ref().map(|race| draw(race, measure.get(), app.width.get())));
    let arms = move || {
        let arms = app.race.with(|race| race.as_ref().map(|race| race.settings.arms.clone()).unwrap_or_default());
        arms.into_iter().map(|arm| view! { <li>{swatch(arm)}{(t.arm)(arm)}</li> }).collect_view()
    };
    let seeds =
        move || app.race.with(|race| race.as_ref().is_some_and(|race| race.settings.seeds > 1)).then_some(t.band);
    view! {
        <figure class="chart">
            <figcaption>{move || (t.chart_title)(measure.get().name())}</figcaption>
            {drawing}
            <div class="legend">
                <ul>{arms} <li>{seeds}</li></ul>
                <p>{t.same}</p>
            </div>
            <SavePicture name="curves"/>
        </figure>
    }
}

fn class_of(arm: StartValue) -> &'static str {
    match arm {
        StartValue::Scratch => "scratch",
        StartValue::Inherited => "inherited",
    }
}

fn swatch(arm: StartValue) -> impl IntoView {
    view! {
        <svg class="swatch wide" width="34" height="14" viewBox="0 0 34 14" aria-hidden="true">
            <path class=format!("curve {}", class_of(arm)) d="M1 7H33"></path>
            {point(arm, 17.0, 7.0)}
        </svg>
    }
}

/// Starts differ in the shape of their points as well.
fn point(arm: StartValue, x: f64, y: f64) -> impl IntoView {
    let rank = if arm == StartValue::Inherited { 0 } else { 1 };
    view! { <path class=format!("point {}", class_of(arm)) d=super::marks::path(rank, x, y, 3.6)></path> }
}

fn draw(race: &RaceReport, measure: Measure, width: f64) -> impl IntoView + use<> {
    let t = &text().training;
    let height = (width * 0.46).clamp(240.0, 400.0);
    let curves: Vec<_> = race.settings.arms.iter().map(|&arm| (arm, spread(race, arm, measure))).collect();
    let highest = curves.iter().flat_map(|(_, curve)| curve).map(|point| point.high).fold(0.0, f64::max);
    let top = if measure == Measure::Accuracy {
        100.0
    } else if highest > 0.0 {
        highest * 1.06
    } else {
        1.0
    };
    let x = Scale::new((0.0, race.settings.steps.max(1) as f64), (LEFT, width - RIGHT));
    let y = Scale::new((0.0, top), (height - 44.0, 10.0));
    let chance = (measure == Measure::Accuracy && race.classes.len() > 1).then(|| {
        let at = y.at(100.0 / race.classes.len() as f64);
        view! {
            <line class="reference" x1=LEFT x2=width - RIGHT y1=at y2=at></line>
            <text class="note" x=width - RIGHT - 2.0 y=at - 5.0 text-anchor="end">{t.chance}</text>
        }
    });
    let is_empty = curves.iter().all(|(_, curve)| curve.is_empty());
    let empty = is_empty.then(|| {
        view! { <text class="note" x=width / 2.0 y=height / 2.0 text-anchor="middle">{t.no_points}</text> }
    });
    let lines = curves.into_iter().map(|(arm, curve)| line(arm, &curve, x, y)).collect_view();
    view! {
        <svg
            class="plot"
            data-testid="train-chart"
            role="img"
            aria-label=(t.chart_label)(measure.name(), measure.unit())
            width=width
            height=height
            viewBox=format!("0 0 {width} {height}")
        >
            {axes(x, y, width, height, measure)}
            {chance}
            {lines}
            {empty}
        </svg>
    }
}

fn axes(x: Scale, y: Scale, width: f64, height: f64, measure: Measure) -> impl IntoView {
    let rows = y.ticks(5).into_iter().map(|value| {
        let at = y.at(value);
        view! {
            <line class="grid" x1=LEFT x2=width - RIGHT y1=at y2=at></line>
            <text class="tick" x=LEFT - 6.0 y=at + 4.0 text-anchor="end">{plain(value)}</text>
        }
    });
    let columns = x.ticks((width / 110.0) as usize).into_iter().map(|value| {
        let label = if value < 10_000.0 { plain(value) } else { short(value as u64) };
        view! { <text class="tick" x=x.at(value) y=height - 26.0 text-anchor="middle">{label}</text> }
    });
    view! {
        {rows.collect_view()}
        {columns.collect_view()}
        <text class="axis" x=f64::midpoint(LEFT, width - RIGHT) y=height - 5.0 text-anchor="middle">{text().training.x_axis}</text>
        <text class="axis" transform=format!("translate(13 {}) rotate(-90)", f64::midpoint(10.0, height - 44.0)) text-anchor="middle">
            {measure.axis()}
        </text>
    }
}

fn line(arm: StartValue, curve: &[Spread], x: Scale, y: Scale) -> impl IntoView + use<> {
    let join = |points: Vec<(f64, f64)>| {
        let points: Vec<_> = points.into_iter().map(|(px, py)| format!("{:.1} {:.1}", x.at(px), y.at(py))).collect();
        points.join("L")
    };
    let mean = join(curve.iter().map(|point| (point.step, point.mean)).collect());
    let upper = curve.iter().map(|point| (point.step, point.high));
    let band = join(upper.chain(curve.iter().rev().map(|point| (point.step, point.low))).collect());
    // Markers only while they can be told apart.
    let points =
        (curve.len() <= 40).then(|| curve.iter().map(|p| point(arm, x.at(p.step), y.at(p.mean))).collect_view());
    (!curve.is_empty()).then(|| {
        view! {
            <path class=format!("spread {}", class_of(arm)) d=format!("M{band}Z")></path>
            <path class=format!("curve {}", class_of(arm)) d=format!("M{mean}")></path>
            {points}
        }
    })
}

/// Every measured point as a table.
#[component]
pub fn CurvesTable() -> impl IntoView {
    let app = expect_context::<App>();
    let t = &text().training;
    let rows = move || {
        app.race.with(|race| {
            let Some(race) = race else { return Vec::new() };
            let points =
                race.runs.iter().flat_map(|run| run.points.iter().map(move |point| (run.arm, run.seed, *point)));
            points
                .map(|(arm, seed, point)| {
                    view! {
                        <tr>
                            <td>{(t.arm)(arm)}</td>
                            <td>{seed}</td>
                            <td>{point.step}</td>
                            <td>{format!("{:.2}", point.epoch)}</td>
                            <td>{format!("{:.1}", point.validation_accuracy * 100.0)}</td>
                            <td>{format!("{:.4}", point.validation_loss)}</td>
                            <td>{format!("{:.4}", point.train_loss)}</td>
                        </tr>
                    }
                })
                .collect()
        })
    };
    let unit = |name: &str, unit: &str| format!("{name}, {unit}");
    let names = [
        t.column_arm.to_owned(),
        t.column_seed.to_owned(),
        t.column_step.to_owned(),
        t.column_epoch.to_owned(),
        unit(t.accuracy, t.accuracy_unit),
        unit(t.validation_loss, t.loss_unit),
        unit(t.train_loss, t.loss_unit),
    ];
    view! {
        <details class="more">
            <summary>{text().page.as_table}</summary>
            <div class="scroll" tabindex="0" role="region" aria-label=t.curves>
                <table data-testid="train-table">
                    <thead>
                        <tr>{names.map(|name| view! { <th scope="col">{name}</th> }).into_iter().collect_view()}</tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </details>
    }
}
