//! Which kept head feeds which new head: circles above, squares below, the darker the larger the cluster.

use std::collections::BTreeMap;

use crate::charts::{SavePicture, plot};
use crate::prelude::*;
use crate::widgets::TableView;
use heirloom_plan::protocol::{DescendantParts, DescendantSummary, HeadSource};

const ROW: f64 = 92.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 74.0;
/// Steps of darkness in the style sheet (`t0` … `t4`).
const TONES: usize = 5;

/// Ancestor layer of every layer, and where each of its heads comes from.
fn heads(planned: &DescendantSummary) -> Option<(&[usize], &[Vec<HeadSource>])> {
    match &planned.parts {
        DescendantParts::Heads { source_layers, sources } => Some((source_layers, sources)),
        _ => None,
    }
}

/// The drawing.
#[component]
pub fn SharingChart() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().descendant;
    let drawing = move || {
        store.plans.descendant.with(|planned| {
            let (from, sources) = heads(planned.as_ref()?)?;
            let width = store.width.get().min(720.0);
            let height = ROW * sources.len() as f64;
            let most = sources.iter().flatten().map(|source| source.members).max().unwrap_or(1);
            let label = (t.chart_label)(sources.len(), sources.first().map_or(0, Vec::len));
            let layers = sources.iter().zip(from).enumerate();
            let rows = layers.map(|(layer, (heads, &from))| row((layer, from), heads, width, most));
            let inside = view! {
                    {rows.collect_view()}
            };
            Some(plot("", label, [width, height], inside))
        })
    };
    view! {
        <figure class="chart">
            <figcaption>{t.chart_title}</figcaption>
            {drawing}
            <div class="legend"><p>{t.legend}</p></div>
            <SavePicture name="descendant"/>
        </figure>
    }
}

/// One layer; `(layer, from)` are the descendant's and the ancestor's it comes from.
fn row((layer, from): (usize, usize), heads: &[HeadSource], width: f64, most: usize) -> impl IntoView + use<> {
    let t = &text().descendant;
    // Clusters that feed at least one head, in priority order.
    let clusters: BTreeMap<usize, HeadSource> = heads.iter().map(|source| (source.cluster, *source)).collect();
    let most_marks = heads.len().max(clusters.len()).max(1);
    let gap = ((width - 8.0) / most_marks as f64).min(64.0);
    let size = (gap * 0.4).clamp(5.0, 12.0);
    // Both rows begin at the left: the first heads stand below the clusters that feed them, the repeats fan out.
    let spread = |index: usize| size + 2.0 + index as f64 * gap;
    let place: BTreeMap<usize, f64> = clusters.keys().enumerate().map(|(i, c)| (*c, spread(i))).collect();
    let links = heads.iter().enumerate().map(|(index, source)| {
        let (from, to) = (place.get(&source.cluster).copied().unwrap_or_default(), spread(index));
        let (start, end, bend) = (TOP + size, BOTTOM - size, f64::midpoint(TOP, BOTTOM));
        let path = format!("M{from:.1} {start:.1}C{from:.1} {bend:.1} {to:.1} {bend:.1} {to:.1} {end:.1}");
        view! { <path class=format!("link t{}", tone(source.members, most)) d=path></path> }
    });
    let centroids = clusters.values().map(|source| {
        let x = place.get(&source.cluster).copied().unwrap_or_default();
        let tone = tone(source.members, most);
        view! {
            <circle class=format!("tone t{tone}") cx=x cy=TOP r=size></circle>
            <text class=format!("on-tone t{tone}") x=x y=TOP + 4.0 text-anchor="middle">{source.head + 1}</text>
        }
    });
    let squares = heads.iter().enumerate().map(|(index, source)| {
        let (x, tone) = (spread(index), tone(source.members, most));
        view! {
            <rect class=format!("tone t{tone}") x=x - size y=BOTTOM - size width=2.0 * size height=2.0 * size rx="2">
                <title>{(t.source)(index + 1, source.head + 1, source.members)}</title>
            </rect>
        }
    });
    view! {
        <g transform=format!("translate(0 {})", layer as f64 * ROW)>
            <text class="tick" x="0" y="14">{(t.row)(layer + 1, from + 1)}</text>
            {links.collect_view()}
            {centroids.collect_view()}
            {squares.collect_view()}
        </g>
    }
}

/// Step of darkness of a cluster of `members` when the largest has `most`.
fn tone(members: usize, most: usize) -> usize {
    if most < 2 { TONES / 2 } else { (members - 1) * (TONES - 1) / (most - 1) }
}

/// The same as a table.
#[component]
pub fn SharingTable() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().descendant;
    let rows = move || {
        store.plans.descendant.with(|planned| {
            let Some((from, sources)) = planned.as_ref().and_then(heads) else { return Vec::new() };
            let layers = sources.iter().zip(from).enumerate();
            let heads = layers.flat_map(|(layer, (heads, &from))| {
                heads.iter().enumerate().map(move |(head, source)| (layer, from, head, *source))
            });
            heads
                .map(|(layer, from, head, source)| {
                    view! {
                        <tr>
                            <td>{layer + 1}</td>
                            <td>{head + 1}</td>
                            <td>{from + 1}</td>
                            <td>{source.head + 1}</td>
                            <td>{source.members}</td>
                        </tr>
                    }
                })
                .collect()
        })
    };
    let names = [text().heads.layer, t.table_head, t.table_ancestor_layer, t.table_source, t.table_members];
    view! {
        <TableView testid="descendant-table" label=t.chart_title columns=names.map(String::from).to_vec()>
            {rows}
        </TableView>
    }
}
