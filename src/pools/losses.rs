//! The losses of what a frozen ancestor teaches: its head, then every small model of a pool and the stitched whole, or
//! the stored layers.

use crate::charts::frame::Frame;
use crate::charts::{SavePicture, plot};
use crate::pools::chosen::{method_in_use, pool_report};
use crate::pools::state::is_pool;
use crate::prelude::*;
use crate::widgets::TableView;
use heirloom_charts::{marks, polyline};
use heirloom_plan::protocol::{LossPoint, PoolReport, TiedReport};

const HEIGHT: f64 = 240.0;

/// All curves with their names, of the method in use.
fn curves(store: Store) -> Vec<(String, Vec<LossPoint>)> {
    if is_pool(method_in_use(store)) {
        return pool_report(store).with(|report| report.as_ref().map(of_pool).unwrap_or_default());
    }
    let of_tied = |report: &TiedReport| {
        vec![
            (text().pool.loss_head.to_owned(), report.head_loss.clone()),
            (text().tied.loss.to_owned(), report.loss.clone()),
        ]
    };
    store.tied.with(|report| report.as_ref().map(of_tied).unwrap_or_default())
}

fn of_pool(report: &PoolReport) -> Vec<(String, Vec<LossPoint>)> {
    let t = &text().pool;
    let models = report.models.iter().zip(&report.distil_loss);
    let models = models.map(|(model, loss)| ((t.loss_model)(model.blocks, model.width), loss.clone()));
    let head = std::iter::once((t.loss_head.to_owned(), report.head_loss.clone()));
    head.chain(models).chain([(t.loss_whole.to_owned(), report.tune_loss.clone())]).collect()
}

/// The chart.
#[component]
pub fn PoolLosses() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().pool;
    let drawing = move || draw(&curves(store), store.width.get());
    let names = move || {
        let curves = curves(store);
        let item = |(rank, (name, _)): (usize, (String, Vec<LossPoint>))| {
            view! {
                <li>
                    <svg class="swatch wide" width="34" height="14" viewBox="0 0 34 14" aria-hidden="true">
                        <path class=format!("loss {}", marks::colour(rank)) d="M1 7H33"></path>
                        <path class=format!("dot kept {}", marks::colour(rank)) d=marks::path(rank, 17.0, 7.0, 3.6)></path>
                    </svg>
                    {name}
                </li>
            }
        };
        curves.into_iter().enumerate().map(item).collect_view()
    };
    view! {
        <figure class="chart">
            <figcaption>{t.loss_title}</figcaption>
            {drawing}
            <div class="legend">
                <ul>{names}</ul>
            </div>
            <SavePicture name="pool-losses"/>
        </figure>
    }
}

fn draw(curves: &[(String, Vec<LossPoint>)], width: f64) -> impl IntoView + use<> {
    let t = &text().pool;
    let points = || curves.iter().flat_map(|(_, curve)| curve).filter(|point| point.loss.is_finite());
    let most = points().map(|point| f64::from(point.loss)).fold(0.0, f64::max).max(1e-3) * 1.06;
    let last = points().map(|point| point.step as f64).fold(1.0, f64::max);
    let frame = Frame::of_height(HEIGHT, width, (0.0, last), (0.0, most));
    let lines = curves.iter().enumerate().map(|(rank, (name, curve))| line(rank, name, curve, frame));
    let inside = view! {
        {frame.axes(t.step_axis, t.loss_axis)}
        {lines.collect_view()}
    };
    plot("pool-losses", t.loss_label, [width, HEIGHT], inside)
}

fn line(rank: usize, name: &str, curve: &[LossPoint], frame: Frame) -> impl IntoView + use<> {
    let place = |point: &LossPoint| (frame.x.at(point.step as f64), frame.y.at(f64::from(point.loss)));
    let places: Vec<(f64, f64)> = curve.iter().filter(|point| point.loss.is_finite()).map(place).collect();
    let joined = polyline(places.iter().copied());
    let name = name.to_owned();
    // One mark at the end tells the curves apart without colour.
    places.last().map(|&(at_x, at_y)| {
        view! {
            <path class=format!("loss {}", marks::colour(rank)) d=format!("M{joined}")>
                <title>{name}</title>
            </path>
            <path class=format!("dot kept {}", marks::colour(rank)) d=marks::path(rank, at_x, at_y, 4.0)></path>
        }
    })
}

/// The same as a table.
#[component]
pub fn PoolLossTable() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().pool;
    let rows = move || {
        let rows = curves(store).into_iter().flat_map(|(name, curve)| {
            curve.into_iter().map(move |point| {
                view! {
                    <tr>
                        <td>{name.clone()}</td>
                        <td>{point.step}</td>
                        <td>{format!("{:.4}", point.loss)}</td>
                    </tr>
                }
            })
        });
        rows.collect_view()
    };
    let names = [t.measure, t.step_axis, t.loss_axis];
    view! {
        <TableView testid="pool-losses-table" label=t.loss_title columns=names.map(String::from).to_vec()>
            {rows}
        </TableView>
    }
}
