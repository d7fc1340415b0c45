//! The pool as a grid, one row a model and one square a block, with the way through it of the chosen configuration.

use crate::charts::SavePicture;
use crate::pools::chosen::{chosen_configuration, path_name, pool_report};
use crate::prelude::*;
use heirloom_plan::protocol::{PathPart, PoolConfiguration, PoolModel, PoolReport};

const ROW: f64 = 72.0;
/// Where squares stand in their row, and their side at most.
const TOP: f64 = 26.0;
const SIDE: f64 = 34.0;
/// Room for the words before and after the squares.
const EDGE: f64 = 54.0;

/// Where squares are.
#[derive(Clone, Copy)]
struct Frame {
    width: f64,
    height: f64,
    column: f64,
    side: f64,
}

impl Frame {
    fn new(width: f64, models: &[PoolModel]) -> Self {
        let most = models.iter().map(|model| model.blocks).max().unwrap_or(1) as f64;
        let width = width.min(EDGE * 2.0 + most * 72.0);
        let column = (width - 2.0 * EDGE) / most;
        Self { width, height: ROW * models.len() as f64 + 4.0, column, side: (column * 0.78).min(SIDE) }
    }

    /// Middle of a block.
    fn at(self, model: usize, block: usize) -> (f64, f64) {
        (EDGE + (block as f64 + 0.5) * self.column, model as f64 * ROW + TOP + SIDE / 2.0)
    }
}

/// The drawing of the pool of the method in use.
#[component]
pub fn PoolGrid() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().pool;
    let drawing = move || {
        let chosen = chosen_configuration(store);
        pool_report(store).with(|report| report.as_ref().map(|report| draw(report, chosen, store.width.get())))
    };
    view! {
        <figure class="chart">
            <figcaption>{t.grid_title}</figcaption>
            {drawing}
            <div class="legend">
                <p>{t.grid_legend}</p>
            </div>
            <SavePicture name="pool"/>
        </figure>
    }
}

/// The way of a picture through a configuration, in words.
fn path_words(report: &PoolReport, one: &PoolConfiguration) -> String {
    let (t, name) = (&text().pool, path_name(report, one));
    match one.path.as_slice() {
        [front, end] => (t.stitched)(&name, front.last + 1, end.first + 1, one.stitch.map_or(0, |stitch| stitch + 1)),
        _ => (t.whole)(&name),
    }
}

fn draw(report: &PoolReport, chosen: Option<PoolConfiguration>, width: f64) -> impl IntoView + use<> {
    let t = &text().pool;
    let frame = Frame::new(width, &report.models);
    let path: Vec<PathPart> = chosen.as_ref().map(|one| one.path.clone()).unwrap_or_default();
    let words = chosen.as_ref().map(|one| path_words(report, one)).unwrap_or_default();
    let rows = report.models.iter().enumerate().map(|(at, model)| row(frame, at, *model, &path));
    view! {
        <svg
            class="plot pool-grid"
            data-testid="pool-grid"
            role="img"
            aria-label=(t.grid_label)(&words)
            width=frame.width
            height=frame.height
            viewBox=format!("0 0 {} {}", frame.width, frame.height)
        >
            {way(frame, &path)}
            {rows.collect_view()}
            {stitch(frame, &path)}
        </svg>
        <p class="hint" data-testid="pool-path">{words}</p>
    }
}

fn row(frame: Frame, at: usize, model: PoolModel, path: &[PathPart]) -> impl IntoView + use<> {
    let t = &text().pool;
    let part = path.iter().find(|part| part.model == at).copied();
    let blocks = (0..model.blocks).map(|block| {
        let (x, y) = frame.at(at, block);
        let is_on = part.is_some_and(|part| (part.first..=part.last).contains(&block));
        let (x0, y0) = (x - frame.side / 2.0, y - frame.side / 2.0);
        view! {
            <rect class="instance" class:on=is_on x=x0 y=y0 width=frame.side height=frame.side rx="4">
                <title>{(t.grid_block)(at + 1, block + 1)}</title>
            </rect>
            <text class="instance-number" class:on=is_on x=x y=y + 4.0 text-anchor="middle">{block + 1}</text>
        }
    });
    view! {
        <text class="tick" x=EDGE y=at as f64 * ROW + 16.0>{(t.grid_row)(model.blocks, model.width)}</text>
        {blocks.collect_view()}
    }
}

/// The line that a picture follows, behind the squares.
fn way(frame: Frame, path: &[PathPart]) -> Option<impl IntoView + use<>> {
    let t = &text().pool;
    let (first, last) = (path.first()?, path.last()?);
    let mut points = vec![(EDGE - 8.0, frame.at(first.model, first.first).1)];
    points.extend(path.iter().flat_map(|part| [frame.at(part.model, part.first), frame.at(part.model, part.last)]));
    points.push((frame.width - EDGE + 8.0, frame.at(last.model, last.last).1));
    let line: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
    let (start, end) = (points[0].1, points[points.len() - 1].1);
    Some(view! {
        <path class="way" d=format!("M{}", line.join("L"))></path>
        <text class="tick" x=EDGE - 12.0 y=start + 4.0 text-anchor="end">{t.picture}</text>
        <text class="tick" x=frame.width - EDGE + 12.0 y=end + 4.0>{t.answer}</text>
    })
}

/// The stitch layer, between the two rows.
fn stitch(frame: Frame, path: &[PathPart]) -> Option<impl IntoView + use<>> {
    let [front, end] = path else { return None };
    let (from, to) = (frame.at(front.model, front.last), frame.at(end.model, end.first));
    let (x, y) = (f64::midpoint(from.0, to.0), f64::midpoint(from.1, to.1));
    Some(view! { <path class="stitch" d=heirloom_charts::marks::path(3, x, y, 8.0)></path> })
}
