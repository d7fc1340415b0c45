//! Learning curves: the mean over the seeds of each start, and a band from the lowest to the highest.

use super::starts::{class_of, level, point, swatch};
use super::verdict::caption;
use crate::charts::frame::Frame;
use crate::charts::{SavePicture, plot};
use crate::prelude::*;
use crate::training::runs::with_shown_race;
use crate::widgets::TableView;
use heirloom_plan::protocol::statistics::{Spread, spread};
use heirloom_plan::protocol::{CurvePoint, Init, RaceReport};

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

    /// Whether a start has this: nothing that takes no steps has a loss of training.
    fn is_of(self, arm: Init) -> bool {
        self != Self::TrainLoss || !arm.is_frozen()
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

/// The chart.
#[component]
pub fn CurvesChart(#[prop(into)] measure: Signal<Measure>) -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().training;
    let drawing = move || with_shown_race(store, |race| race.map(|race| draw(race, measure.get(), store.width.get())));
    let arms = move || {
        let arms = with_shown_race(store, |race| race.map(|race| race.settings.arms.clone()).unwrap_or_default());
        let drawn = arms.into_iter().filter(|arm| measure.get().is_of(*arm));
        drawn.map(|arm| view! { <li>{swatch(arm)}{(t.arm)(arm)}</li> }).collect_view()
    };
    let seeds =
        move || with_shown_race(store, |race| race.is_some_and(|race| race.settings.seeds > 1)).then_some(t.band);
    let said = move || with_shown_race(store, |race| race.and_then(caption));
    view! {
        <figure class="chart">
            <figcaption>{move || (t.chart_title)(measure.get().name())}</figcaption>
            {drawing}
            <div class="legend">
                <ul>{arms} <li>{seeds}</li></ul>
                <p>{t.same}</p>
                <p data-testid="race-caption">{said}</p>
            </div>
            <SavePicture name="curves"/>
        </figure>
    }
}

fn draw(race: &RaceReport, measure: Measure, width: f64) -> impl IntoView + use<> {
    let t = &text().training;
    let drawn = race.settings.arms.iter().filter(|arm| measure.is_of(**arm));
    let curves: Vec<_> = drawn.map(|&arm| (arm, spread(race, arm, |point| measure.of(point)))).collect();
    let highest = curves.iter().flat_map(|(_, curve)| curve).map(|point| point.range.high).fold(0.0, f64::max);
    let top = if measure == Measure::Accuracy {
        100.0
    } else if highest > 0.0 {
        highest * 1.06
    } else {
        1.0
    };
    let frame = Frame::new(width, (0.0, race.settings.steps.max(1) as f64), (0.0, top));
    let has_chance = measure == Measure::Accuracy && race.classes.len() > 1;
    let chance = has_chance.then(|| frame.reference(100.0 / race.classes.len() as f64, t.chance));
    let empty = curves.iter().all(|(_, curve)| curve.is_empty()).then(|| frame.note(t.no_points));
    let lines = curves.into_iter().map(|(arm, curve)| line(arm, &curve, frame)).collect_view();
    let inside = view! {
            {frame.axes(t.x_axis, measure.axis())}
            {chance}
            {lines}
            {empty}
    };
    plot("train-chart", (t.chart_label)(measure.name(), measure.unit()), [width, frame.height], inside)
}

/// A curve; a level line over the whole width for the yardstick, which has no pace.
fn line(arm: Init, curve: &[Spread], frame: Frame) -> AnyView {
    if arm.is_frozen() {
        return curve.last().map(|last| level(arm, frame, last.range.mean)).into_any();
    }
    let place = |point: &Spread, value: f64| (point.step as f64, value);
    let mean = frame.join(curve.iter().map(|point| place(point, point.range.mean)));
    let upper = curve.iter().map(|point| place(point, point.range.high));
    let band = frame.join(upper.chain(curve.iter().rev().map(|point| place(point, point.range.low))));
    // Markers only while they can be told apart.
    let mark = |p: &Spread| point(arm, frame.x.at(p.step as f64), frame.y.at(p.range.mean));
    let points = (curve.len() <= 40).then(|| curve.iter().map(mark).collect_view());
    (!curve.is_empty())
        .then(|| {
            view! {
                <path class=format!("spread {}", class_of(arm)) d=format!("M{band}Z")></path>
                <path class=format!("curve {}", class_of(arm)) d=format!("M{mean}")></path>
                {points}
            }
        })
        .into_any()
}

/// Every measured point as a table.
#[component]
pub fn CurvesTable() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().training;
    let rows = move || {
        with_shown_race(store, |race| {
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
        <TableView testid="train-table" label=t.curves columns=names.to_vec()>
            {rows}
        </TableView>
    }
}
