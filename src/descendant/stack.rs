//! What a descendant of whole layers is made of, from the stem at the bottom to the classifier at the top.

use crate::charts::{SavePicture, plot};
use crate::layers::actions::names_of_layers;
use crate::prelude::*;
use crate::widgets::TableView;
use heirloom_plan::protocol::{DescendantParts, DescendantSummary, LayerSource};

const ROW: f64 = 30.0;
const WIDTH: f64 = 320.0;

fn layers(planned: &DescendantSummary) -> Option<&[LayerSource]> {
    match &planned.parts {
        DescendantParts::Layers(layers) => Some(layers),
        _ => None,
    }
}

/// What a layer starts from, in words.
fn source(layer: &LayerSource, names: &[String]) -> String {
    let t = &text().layers;
    let name = |from: usize| names.get(from).cloned().unwrap_or_else(|| (t.layer_number)(from + 1));
    layer.source.map_or_else(|| t.random.to_owned(), |from| (t.from)(&name(from)))
}

/// The drawing.
#[component]
pub fn StackChart() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().layers;
    let drawing = move || {
        let names = names_of_layers(store);
        store.plans.descendant.with(|planned| {
            let layers = layers(planned.as_ref()?)?;
            let width = store.width.get().min(WIDTH);
            let height = ROW * (layers.len() + 2) as f64;
            let inherited = layers.iter().filter(|layer| layer.source.is_some()).count();
            let label = (t.stack_label)(inherited, layers.len() - inherited);
            let middle = layers.iter().enumerate().rev().map(|(at, layer)| {
                let words = format!("{} · {}", layer.name, source(layer, &names));
                bar(words, layer.source.is_some(), ROW * (layers.len() - at) as f64, width)
            });
            let inside = view! {
                    {bar(t.head.to_owned(), false, 0.0, width)}
                    {middle.collect_view()}
                    {bar(t.stem.to_owned(), true, ROW * (layers.len() + 1) as f64, width)}
            };
            Some(plot("stack-chart", label, [width, height], inside))
        })
    };
    view! {
        <figure class="chart">
            <figcaption>{t.stack_title}</figcaption>
            {drawing}
            <div class="legend"><p>{t.stack_legend}</p></div>
            <SavePicture name="layers"/>
        </figure>
    }
}

fn bar(words: String, is_inherited: bool, y: f64, width: f64) -> impl IntoView {
    let class = if is_inherited { "tone t1" } else { "random" };
    let ink = if is_inherited { "on-tone t1" } else { "axis" };
    view! {
        <rect class=class x="1" y=y + 2.0 width=width - 2.0 height=ROW - 4.0 rx="4"></rect>
        <text class=ink x=width / 2.0 y=y + 19.0 text-anchor="middle">{words}</text>
    }
}

/// The same as a table.
#[component]
pub fn StackTable() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().layers;
    let rows = move || {
        let names = names_of_layers(store);
        store.plans.descendant.with(|planned| {
            let layers = planned.as_ref().and_then(layers).unwrap_or_default();
            let row = |layer: &LayerSource| {
                view! {
                    <tr>
                        <th scope="row">{layer.name.clone()}</th>
                        <td>{source(layer, &names)}</td>
                        <td>{short(layer.parameters)}</td>
                    </tr>
                }
            };
            layers.iter().map(row).collect::<Vec<_>>()
        })
    };
    let names = [t.table_layer, t.table_source, t.table_parameters];
    view! {
        <TableView testid="descendant-table" label=t.stack_title columns=names.map(String::from).to_vec()>
            {rows}
        </TableView>
    }
}
