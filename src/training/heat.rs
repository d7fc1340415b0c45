//! A sweep as a heat map per start: learning rates across, batch sizes down, darker = more named rightly.

use crate::charts::SavePicture;
use crate::prelude::*;
use heirloom_plan::protocol::{Design, ExperimentPoint, Init};

const LEFT: f64 = 64.0;
const CELL: f64 = 40.0;
const BOTTOM: f64 = 44.0;
/// Steps of darkness in the style sheet (`t0` … `t4`).
const TONES: f64 = 4.0;

/// All heat maps.
#[component]
pub fn HeatMaps() -> impl IntoView {
    let store = expect_context::<Store>();
    let maps = move || {
        store.training.report.with(|report| {
            let report = report.as_ref()?;
            let Design::Sweep { rates, batches } = &report.settings.design else { return None };
            let points = report.points();
            let width = store.width.get().min(520.0);
            let map = |&arm: &Init| map(&points, arm, rates, batches, width).into_any();
            // The yardstick depends on neither.
            let arms = report.settings.race.arms.iter().filter(|arm| !arm.is_frozen());
            Some(arms.map(map).collect_view())
        })
    };
    view! { <div class="heat-maps" data-testid="experiment-chart">{maps}</div> }
}

fn map(points: &[ExperimentPoint], arm: Init, rates: &[f64], batches: &[usize], width: f64) -> impl IntoView + use<> {
    let t = &text().race;
    let name = (text().training.arm)(arm);
    let cell_width = (width - LEFT) / rates.len().max(1) as f64;
    let height = CELL * batches.len() as f64 + BOTTOM;
    let cells = batches
        .iter()
        .enumerate()
        .flat_map(|(row, &batch)| rates.iter().enumerate().map(move |(column, &lr)| (row, column, batch, lr)));
    let cells = cells.map(|(row, column, batch, lr)| {
        let found = points.iter().find(|point| point.arm == arm && point.batch == batch && point.lr == lr.into());
        cell(found, (LEFT + column as f64 * cell_width, row as f64 * CELL), cell_width)
    });
    let cells = cells.collect_view();
    let rows = batches.iter().enumerate().map(|(row, batch)| {
        let y = (row as f64 + 0.5) * CELL + 4.0;
        view! { <text class="tick" x=LEFT - 8.0 y=y text-anchor="end">{*batch}</text> }
    });
    let columns = rates.iter().enumerate().map(|(column, rate)| {
        let x = LEFT + (column as f64 + 0.5) * cell_width;
        view! { <text class="tick" x=x y=height - 26.0 text-anchor="middle">{plain(*rate)}</text> }
    });
    view! {
        <figure class="chart">
            <figcaption>{(t.heat_title)(name)}</figcaption>
            <svg class="plot" role="img" aria-label=(t.heat_label)(name) width=width height=height viewBox=format!("0 0 {width} {height}")>
                {cells}
                {rows.collect_view()}
                {columns.collect_view()}
                <text class="axis" x=f64::midpoint(LEFT, width) y=height - 5.0 text-anchor="middle">{t.column_rate}</text>
                <text class="axis" transform=format!("translate(13 {}) rotate(-90)", (height - BOTTOM) / 2.0) text-anchor="middle">
                    {t.column_batch}
                </text>
            </svg>
            <SavePicture name="sweep"/>
        </figure>
    }
}

fn cell(found: Option<&ExperimentPoint>, (x, y): (f64, f64), width: f64) -> impl IntoView + use<> {
    let accuracy = found.and_then(|point| point.accuracy).map(|accuracy| accuracy.mean);
    let has_diverged = found.is_some_and(|point| point.diverged > 0);
    let tone = accuracy.map_or(0, |accuracy| (accuracy * TONES).round() as usize);
    let class = if accuracy.is_some() { format!("tone t{tone}") } else { "tone none".to_owned() };
    let words = match accuracy {
        Some(accuracy) => percent(accuracy),
        None if has_diverged => text().race.diverged.to_owned(),
        None => String::new(),
    };
    view! {
        <g class=format!("t{tone}")>
            <rect class=class x=x + 1.0 y=y + 1.0 width=(width - 2.0).max(1.0) height=CELL - 2.0 rx="3"></rect>
            <text class=if accuracy.is_some() { "on-tone" } else { "tick" } x=x + width / 2.0 y=y + CELL / 2.0 + 4.0 text-anchor="middle">{words}</text>
        </g>
    }
}
