//! How alike ancestor layers and pseudo-descendant layers see pictures: a heat map with the scores beside it.

use crate::charts::{SavePicture, plot};
use crate::prelude::*;
use crate::widgets::TableView;
use heirloom_plan::protocol::{CondenseReport, Likeness};

/// Height of a row, px.
const ROW: f64 = 24.0;
/// Room above the cells for the names of the columns.
const TOP: f64 = 44.0;
/// Room for the names of the rows.
const LEFT: f64 = 92.0;
/// Width of the column of scores, with its bar.
const SCORE: f64 = 96.0;
/// Steps of darkness in the style sheet (`t0` … `t4`).
const TONES: usize = 5;

/// The heat map.
#[component]
pub fn SimilarityChart() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().layers;
    let likeness = Memo::new(move |_| {
        store.layers.report.with(|report| report.as_ref().map(|report| report.settings.likeness).unwrap_or_default())
    });
    let title = move || match likeness.get() {
        Likeness::Cka => t.chart_title,
        Likeness::Learned => t.chart_title_learned,
        Likeness::Influence => t.chart_title_influence,
    };
    let legend = move || match likeness.get() {
        Likeness::Cka => t.legend,
        Likeness::Learned => t.legend_learned,
        Likeness::Influence => t.legend_influence,
    };
    let drawing = move || {
        store.layers.report.with(|report| {
            let report = report.as_ref()?;
            let (by_max, chosen) = store.settings.with(|s| (s.by_max, s.chosen.clone()));
            let scores = report.scores(by_max).scores.clone();
            Some(draw(report, &scores, &chosen, store.width.get().min(760.0)))
        })
    };
    view! {
        <figure class="chart">
            <figcaption>{title}</figcaption>
            {drawing}
            <div class="legend">
                <p>{legend}</p>
                <p>{t.legend_chosen}</p>
            </div>
            <SavePicture name="similarity"/>
        </figure>
    }
}

fn draw(report: &CondenseReport, scores: &[f32], chosen: &[usize], width: f64) -> impl IntoView + use<> {
    let t = &text().layers;
    let (rows, columns) = (report.ancestor_layers.len(), report.pseudo_layers.len().max(1));
    let height = TOP + ROW * rows as f64 + 8.0;
    let cell = ((width - LEFT - SCORE) / columns as f64).clamp(6.0, 84.0);
    let names = report.pseudo_layers.iter().enumerate().map(|(column, name)| {
        let x = LEFT + (column as f64 + 0.5) * cell;
        // Beside many columns only numbers have room.
        let name = if cell < 56.0 { (column + 1).to_string() } else { name.clone() };
        view! { <text class="tick" x=x y=TOP - 6.0 text-anchor="middle">{name}</text> }
    });
    let lines = report.similarity.iter().enumerate().map(|(row, values)| {
        let (name, y) = (report.ancestor_layers[row].clone(), TOP + ROW * row as f64);
        let cells = values.iter().enumerate().map(|(column, value)| {
            let title = (t.cell)(&name, report.pseudo_layers.get(column).map_or("", String::as_str), &format!("{value:.3}"));
            square(*value, LEFT + column as f64 * cell, y, cell, title)
        });
        view! {
            <text class="axis" x=LEFT - 8.0 y=y + 16.0 text-anchor="end">{name.clone()}</text>
            {cells.collect_view()}
            {score(scores.get(row).copied().unwrap_or_default(), LEFT + columns as f64 * cell + 10.0, y, chosen.contains(&row))}
        }
    });
    let inside = view! {
            <text class="axis" x=LEFT y="14">{t.columns}</text>
            <text class="axis" x=LEFT - 8.0 y=TOP - 6.0 text-anchor="end">{t.layer}</text>
            <text class="axis" x=LEFT + columns as f64 * cell + 10.0 y=TOP - 6.0>{t.score}</text>
            {names.collect_view()}
            {lines.collect_view()}
    };
    plot("cka-chart", (t.chart_label)(rows, columns), [width, height], inside)
}

fn square(value: f32, x: f64, y: f64, width: f64, title: String) -> impl IntoView {
    let tone = tone(value);
    let number = (width >= 34.0).then(|| {
        let (x, y) = (x + width / 2.0, y + 16.0);
        view! { <text class=format!("on-tone t{tone}") x=x y=y text-anchor="middle">{format!("{value:.2}")}</text> }
    });
    view! {
        <rect class=format!("tone t{tone}") x=x + 0.5 y=y + 0.5 width=width - 1.0 height=ROW - 1.0>
            <title>{title}</title>
        </rect>
        {number}
    }
}

/// A score as a number; a frame says that the layer is chosen.
fn score(value: f32, x: f64, y: f64, is_chosen: bool) -> impl IntoView {
    let frame = is_chosen.then(|| {
        view! { <rect class="chosen" x=x - 5.0 y=y + 2.0 width="52" height=ROW - 4.0 rx="4"></rect> }
    });
    view! {
        {frame}
        <text class="axis" x=x y=y + 16.0>{format!("{value:.3}")}</text>
    }
}

fn tone(value: f32) -> usize {
    ((value.clamp(0.0, 1.0) * TONES as f32) as usize).min(TONES - 1)
}

/// The same as a table.
#[component]
pub fn SimilarityTable() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().layers;
    let names = move || -> Vec<String> {
        let pseudo = store.layers.report.with(|report| report.as_ref().map(|r| r.pseudo_layers.clone()));
        let pseudo = pseudo.unwrap_or_default().into_iter();
        [t.layer.to_owned()].into_iter().chain(pseudo).chain([t.score.to_owned(), t.chosen.to_owned()]).collect()
    };
    let rows = move || {
        store.layers.report.with(|report| {
            let Some(report) = report else { return Vec::new() };
            let (by_max, chosen) = store.settings.with(|s| (s.by_max, s.chosen.clone()));
            let scores = &report.scores(by_max).scores;
            let row = |(layer, values): (usize, &Vec<f32>)| {
                let cells = values.iter().map(|value| view! { <td>{format!("{value:.4}")}</td> }).collect_view();
                let score = scores.get(layer).map(|score| format!("{score:.4}"));
                view! {
                    <tr>
                        <th scope="row">{report.ancestor_layers.get(layer).cloned()}</th>
                        {cells}
                        <td>{score}</td>
                        <td>{if chosen.contains(&layer) { t.yes } else { t.no }}</td>
                    </tr>
                }
            };
            report.similarity.iter().enumerate().map(row).collect()
        })
    };
    view! {
        <TableView testid="cka-table" label=t.chart_title columns=Signal::derive(names)>
            {rows}
        </TableView>
    }
}
