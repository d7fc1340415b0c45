//! Accuracy against operations of every configuration, pool and SN-Net in one picture.

use crate::charts::frame::Frame;
use crate::charts::{SavePicture, plot};
use crate::pools::chosen::{chosen_configuration, method_in_use, path_name};
use crate::prelude::*;
use crate::widgets::TableView;
use heirloom_charts::marks;
use heirloom_plan::protocol::{Method, PoolConfiguration, PoolReport};

/// Operations of one unit of the axis.
const MEGA: f64 = 1e6;

/// Both ways, in the order in which they are drawn.
const WAYS: [Method; 2] = [Method::Stitch, Method::Pool];

/// Shape and colour of a way.
fn rank(method: Method) -> usize {
    usize::from(method == Method::Stitch)
}

/// The pools there are, with their methods; tracked.
fn both(store: Store) -> Vec<(Method, PoolReport)> {
    WAYS.into_iter().filter_map(|method| Some((method, store.pools.of(method).get()?))).collect()
}

/// The chart. A click on a mark of the method in use chooses its model.
#[component]
pub fn PoolScatter() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().pool;
    let drawing = move || {
        let reports = both(store);
        draw(store, &reports, store.width.get())
    };
    let ways = move || {
        let shown = |method: &Method| store.pools.of(*method).with(Option::is_some);
        let name = |method: Method| if method == Method::Stitch { t.legend_stitch } else { t.legend_pool };
        let item = |method: Method| view! { <li>{swatch(method)} {name(method)}</li> };
        [Method::Pool, Method::Stitch].into_iter().filter(shown).map(item).collect_view()
    };
    view! {
        <figure class="chart">
            <figcaption>{t.chart_title}</figcaption>
            {drawing}
            <div class="legend">
                <ul>{ways}</ul>
                <p>{t.legend_anchor} " · " {t.legend_chosen} " · " {t.legend_start}</p>
            </div>
            <SavePicture name="pool-scatter"/>
        </figure>
    }
}

fn swatch(method: Method) -> impl IntoView {
    view! {
        <svg class="swatch" width="14" height="14" viewBox="0 0 14 14" aria-hidden="true">
            <path class=format!("dot kept {}", marks::colour(rank(method))) d=marks::path(rank(method), 7.0, 7.0, 4.6)></path>
        </svg>
    }
}

fn draw(store: Store, reports: &[(Method, PoolReport)], width: f64) -> impl IntoView + use<> {
    let t = &text().pool;
    let known = |report: &PoolReport| -> Vec<PoolConfiguration> {
        report.configurations.iter().filter(|one| one.known_accuracy().is_some()).cloned().collect()
    };
    let all: Vec<PoolConfiguration> = reports.iter().flat_map(|(_, report)| known(report)).collect();
    let most = all.iter().map(|one| one.flops as f64 / MEGA).fold(0.0, f64::max).max(1e-3) * 1.05;
    let frame = Frame::of_height((width * 0.5).clamp(260.0, 420.0), width, (0.0, most), (0.0, 100.0));
    let classes = reports.first().map_or(0, |(_, report)| report.classes.len());
    let chance = (classes > 1).then(|| frame.reference(100.0 / classes as f64, text().training.chance));
    let marks = reports.iter().map(|(method, report)| {
        let marks = known(report).into_iter().map(|one| mark(store, *method, report, &one, frame));
        marks.collect_view()
    });
    let marks = marks.collect_view();
    let chosen = chosen_configuration(store).and_then(|one| {
        let at = frame.y.at(f64::from(one.known_accuracy()?) * 100.0);
        Some(view! { <circle class="ring" cx=frame.x.at(one.flops as f64 / MEGA) cy=at r="10"></circle> })
    });
    let inside = view! {
        {frame.axes(t.chart_x, t.chart_y)}
        {chance}
        {marks}
        {chosen}
    };
    plot("pool-chart", (t.chart_label)(all.len()), [width, frame.height], inside)
}

fn mark(
    store: Store,
    method: Method,
    report: &PoolReport,
    one: &PoolConfiguration,
    frame: Frame,
) -> impl IntoView + use<> {
    let t = &text().pool;
    let right = f64::from(one.known_accuracy().unwrap_or_default());
    let radius = if one.is_anchor() { 6.5 } else { 4.0 };
    let path = marks::path(rank(method), frame.x.at(one.flops as f64 / MEGA), frame.y.at(right * 100.0), radius);
    let kind = if one.accuracy.is_some() { "kept" } else { "member" };
    let label = (t.mark)(&path_name(report, one), &short(one.flops), &percent(right));
    let id = one.id;
    let choose = move |_| {
        if store.settings.with_untracked(|settings| settings.method) == method {
            store.pools.picked.set(Some(id));
        }
    };
    view! {
        <path class=format!("dot {kind} {}", marks::colour(rank(method))) d=path on:click=choose>
            <title>{label}</title>
        </path>
    }
}

/// Every configuration of both ways as a table, from which one of the method in use can be chosen.
#[component]
pub fn PoolTable() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().pool;
    let rows = move || {
        let method = method_in_use(store);
        let rows = both(store).into_iter().rev().flat_map(|(way, report)| {
            let rows = report.configurations.iter().map(|one| row(store, (way, way == method), &report, one));
            rows.collect::<Vec<_>>()
        });
        rows.collect_view()
    };
    let names = [
        t.column_method,
        t.column_path,
        t.column_stitch,
        t.parameters,
        t.column_flops,
        t.column_milliseconds,
        t.column_start,
        t.column_accuracy,
        t.choose,
    ];
    view! {
        <TableView testid="pool-table" label=t.chart_title columns=names.map(String::from).to_vec()>
            {rows}
        </TableView>
    }
}

fn row(
    store: Store,
    (way, is_mine): (Method, bool),
    report: &PoolReport,
    one: &PoolConfiguration,
) -> impl IntoView + use<> {
    let t = &text().pool;
    let name = path_name(report, one);
    let share = |share: Option<f32>| share.map_or_else(|| "–".to_owned(), |share| digits(f64::from(share) * 100.0));
    let time = one.milliseconds.map_or_else(|| "–".to_owned(), digits);
    let stitch = one.stitch.map_or_else(|| "–".to_owned(), |stitch| (stitch + 1).to_string());
    let id = one.id;
    let choose = is_mine.then(|| {
        view! {
            <button type="button" class="quiet small" aria-label=(t.choose_path)(&name) on:click=move |_| store.pools.picked.set(Some(id))>
                {t.choose}
            </button>
        }
    });
    view! {
        <tr>
            <td>{(t.method)(way)}</td>
            <td>{name}</td>
            <td>{stitch}</td>
            <td>{one.parameters}</td>
            <td>{one.flops}</td>
            <td>{time}</td>
            <td>{share(one.accuracy_at_start)}</td>
            <td>{share(one.accuracy)}</td>
            <td>{choose}</td>
        </tr>
    }
}
