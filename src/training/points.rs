//! Accuracy at the end against what the races of an experiment differ in: size, work, or share of the pictures.

use super::starts::{class_of, level, point, swatch};
use crate::charts::frame::{Frame, TOP};
use crate::charts::{SavePicture, plot};
use crate::prelude::*;
use heirloom_plan::protocol::{ExperimentPoint, ExperimentReport, Init};

/// What lies along the horizontal axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Along {
    #[default]
    Parameters,
    Flops,
    Heads,
    Layers,
    Share,
}

impl Along {
    /// What sizes can be drawn against.
    pub const SIZES: [Self; 4] = [Self::Parameters, Self::Flops, Self::Heads, Self::Layers];

    pub fn key(self) -> &'static str {
        match self {
            Self::Parameters => "parameters",
            Self::Flops => "flops",
            Self::Heads => "heads",
            Self::Layers => "layers",
            Self::Share => "share",
        }
    }

    fn of(self, point: &ExperimentPoint) -> f64 {
        match self {
            Self::Parameters => point.parameters as f64,
            Self::Flops => point.flops as f64,
            Self::Heads => point.heads.unwrap_or_default() as f64,
            Self::Layers => point.layers as f64,
            Self::Share => point.share * 100.0,
        }
    }
}

/// The chart.
#[component]
pub fn PointsChart(#[prop(into)] along: Signal<Along>) -> impl IntoView {
    let store = expect_context::<Store>();
    let points =
        move || store.training.report.with(|report| report.as_ref().map(|report| report.points()).unwrap_or_default());
    let arms = move || {
        let mut arms: Vec<Init> = points().into_iter().map(|point| point.arm).collect();
        arms.sort();
        arms.dedup();
        arms.into_iter().map(|arm| view! { <li>{swatch(arm)}{(text().training.arm)(arm)}</li> }).collect_view()
    };
    let is_of_depths =
        move || store.training.report.with(|report| report.as_ref().is_some_and(ExperimentReport::is_of_depths));
    let has_seeds = move || {
        store.training.report.with(|report| report.as_ref().is_some_and(|report| report.settings.race.seeds > 1))
    };
    let kind = move || match along.get() {
        Along::Share => "shares",
        _ if is_of_depths() => "depths",
        _ => "family",
    };
    view! {
        <figure class="chart">
            <figcaption>{move || (text().race.experiment_chart)(kind())}</figcaption>
            {move || draw(&points(), along.get(), is_of_depths(), store.width.get())}
            <div class="legend">
                <ul>{arms} {move || has_seeds().then(|| view! { <li>{text().race.whisker}</li> })}</ul>
            </div>
            <SavePicture name="experiment"/>
        </figure>
    }
}

fn draw(points: &[ExperimentPoint], along: Along, is_of_depths: bool, width: f64) -> impl IntoView + use<> {
    let t = &text().race;
    // Of other sizes than the descendants, the yardstick would leave these a corner of the plot.
    let is_level = |arm: Init| arm.is_frozen() && along != Along::Share && !is_of_depths;
    let placed = points.iter().filter(|point| !is_level(point.arm));
    let most = placed.map(|point| along.of(point)).fold(0.0, f64::max);
    let frame = Frame::new(width, (0.0, if most > 0.0 { most * 1.04 } else { 1.0 }), (0.0, 100.0));
    let mut arms: Vec<Init> = points.iter().map(|point| point.arm).collect();
    arms.sort();
    arms.dedup();
    let lines = arms.into_iter().map(|arm| match is_level(arm) {
        true => {
            let mut found = points.iter().filter(|point| point.arm == arm).filter_map(|point| point.accuracy);
            found.next_back().map(|accuracy| level(arm, frame, accuracy.mean * 100.0)).into_any()
        }
        false => line(frame, points, arm, along).into_any(),
    });
    let lines = lines.collect_view();
    let empty = points.iter().all(|point| point.accuracy.is_none()).then(|| frame.note(t.no_results));
    let name = (t.axis_name)(along.key());
    let inside = view! {
            {frame.axes(name, text().training.accuracy_axis)}
            {lines}
            {empty}
    };
    plot("experiment-chart", (t.experiment_label)(name), [width, frame.height], inside)
}

/// Points of one start in the order of the axis, each with its bar; a line joins them where the axis is a quantity of
/// which each race has another.
fn line(frame: Frame, points: &[ExperimentPoint], arm: Init, along: Along) -> impl IntoView + use<> {
    let of_arm = points.iter().filter(|point| point.arm == arm);
    let mut places: Vec<_> = of_arm.filter_map(|point| Some((along.of(point), point.accuracy?))).collect();
    places.sort_by(|a, b| a.0.total_cmp(&b.0));
    let is_function = places.windows(2).all(|pair| pair[0].0 < pair[1].0);
    let joined = frame.join(places.iter().map(|(x, accuracy)| (*x, accuracy.mean * 100.0)));
    let joined = (is_function && places.len() > 1)
        .then(|| view! { <path class=format!("curve {}", class_of(arm)) d=format!("M{joined}")></path> });
    let marks = places.into_iter().map(|(x, accuracy)| {
        let (x, [low, mean, high]) =
            (frame.x.at(x), [accuracy.low, accuracy.mean, accuracy.high].map(|a| frame.y.at(a * 100.0)));
        view! {
            <path class=format!("whisker {}", class_of(arm)) d=format!("M{x:.1} {low:.1}V{:.1}", high.max(TOP))></path>
            {point(arm, x, mean)}
        }
    });
    view! {
        {joined}
        {marks.collect_view()}
    }
}
