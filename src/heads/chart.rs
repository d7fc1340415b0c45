//! The scatter of mean attention distance per layer: colour and shape say the cluster, size how large it is.

use crate::charts::{SavePicture, plot};
use crate::heads::actions::ask_attention;
use crate::prelude::*;
use crate::widgets::TableView;
use heirloom_charts::{Scale, marks};
use heirloom_plan::protocol::{ClusterReport, HeadsReport};

/// Mean distance of a head that looks at every patch alike, as a share of the picture's side (14 × 14 patches).
const UNIFORM: f64 = 0.52;

/// Where a head belongs.
#[derive(Clone, Copy, PartialEq)]
struct Place {
    /// Cluster in priority order.
    rank: usize,
    members: usize,
    is_centroid: bool,
}

/// For each layer and head its cluster; `None` before the heads are clustered.
fn places(heads: &HeadsReport, clusters: Option<&ClusterReport>) -> Vec<Vec<Option<Place>>> {
    let mut places: Vec<Vec<Option<Place>>> = heads.distance.iter().map(|layer| vec![None; layer.len()]).collect();
    let layers = clusters.map(|clusters| clusters.layers.as_slice()).unwrap_or_default();
    for (layer, row) in layers.iter().zip(&mut places) {
        for (rank, cluster) in layer.iter().enumerate() {
            for &head in &cluster.members {
                if let Some(place) = row.get_mut(head) {
                    *place =
                        Some(Place { rank, members: cluster.members.len(), is_centroid: head == cluster.centroid });
                }
            }
        }
    }
    places
}

/// Where things are drawn.
#[derive(Clone, Copy)]
struct Frame {
    width: f64,
    height: f64,
    left: f64,
    layers: usize,
    y: Scale,
}

impl Frame {
    fn new(width: f64, heads: &HeadsReport) -> Self {
        let height = (width * 0.52).clamp(280.0, 460.0);
        let highest = heads.distance.iter().flatten().fold(0.0_f32, |a, b| a.max(*b));
        let top = f64::from(highest).max(UNIFORM * heads.image_size as f64) * 1.08;
        let y = Scale::new((0.0, top), (height - 44.0, 10.0));
        Self { width, height, left: 48.0, layers: heads.distance.len().max(1), y }
    }

    fn column(self) -> f64 {
        (self.width - self.left - 4.0) / self.layers as f64
    }

    fn middle(self, layer: usize) -> f64 {
        self.left + (layer as f64 + 0.5) * self.column()
    }

    /// Heads stand side by side in the order of their numbers, so that equal distances do not hide each other.
    fn x(self, layer: usize, head: usize, heads: usize) -> f64 {
        let share = if heads < 2 { 0.0 } else { head as f64 / (heads - 1) as f64 - 0.5 };
        self.middle(layer) + share * self.column() * 0.7
    }

    fn base_radius(self) -> f64 {
        (self.column() / 12.0).clamp(2.6, 4.6)
    }
}

/// The chart. A click on a mark shows what that head looks at.
#[component]
pub fn HeadsChart() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().heads;
    let drawing = move || {
        store.heads.report.with(|heads| {
            let heads = heads.as_ref()?;
            let frame = Frame::new(store.width.get(), heads);
            let places = store.plans.clusters.with(|clusters| places(heads, clusters.as_ref()));
            let label = (t.chart_label)(heads.distance.len(), heads.distance.first().map_or(0, Vec::len));
            let inside = view! {
                    {axes(frame, heads)}
                    {bands(frame, heads, store.plans.clusters.with(Clone::clone).as_ref())}
                    {dots(store, frame, heads, &places)}
                    {ring(store, frame, heads)}
            };
            Some(plot("heads-chart", label, [frame.width, frame.height], inside))
        })
    };
    let ranks = move || {
        let most =
            store.plans.clusters.with(|c| c.as_ref().map_or(0, |c| c.layers.iter().map(Vec::len).max().unwrap_or(0)));
        (0..most.min(8)).map(|rank| view! { <li>{swatch(rank)}{(t.ranks)(rank)}</li> }).collect_view()
    };
    view! {
        <figure class="chart">
            <figcaption>{t.chart_title}</figcaption>
            {drawing}
            <div class="legend">
                <p>{t.legend_cluster}</p>
                <ul>
                    {ranks}
                    <li>
                        <svg class="swatch wide" width="34" height="14" viewBox="0 0 34 14" aria-hidden="true">
                            <path class="reference" d="M1 7H33"></path>
                        </svg>
                        {t.uniform}
                    </li>
                </ul>
                <p>
                    {t.legend_size} " · " {t.legend_centroid} " · " {t.legend_member}
                </p>
            </div>
            <SavePicture name="heads"/>
        </figure>
    }
}

fn swatch(rank: usize) -> impl IntoView {
    view! {
        <svg class="swatch" width="14" height="14" viewBox="0 0 14 14" aria-hidden="true">
            <path class=format!("dot kept {}", marks::colour(rank)) d=marks::path(rank, 7.0, 7.0, 4.6)></path>
        </svg>
    }
}

fn axes(frame: Frame, heads: &HeadsReport) -> impl IntoView + use<> {
    let t = &text().heads;
    let right = frame.width - 4.0;
    let rows = frame.y.ticks(5).into_iter().map(|value| {
        let y = frame.y.at(value);
        view! {
            <line class="grid" x1=frame.left x2=right y1=y y2=y></line>
            <text class="tick" x=frame.left - 6.0 y=y + 4.0 text-anchor="end">{digits_of_tick(value)}</text>
        }
    });
    let columns = (0..frame.layers).map(|layer| {
        view! { <text class="tick" x=frame.middle(layer) y=frame.height - 26.0 text-anchor="middle">{layer + 1}</text> }
    });
    let uniform = frame.y.at(UNIFORM * heads.image_size as f64);
    view! {
        {rows.collect_view()}
        {columns.collect_view()}
        <line class="reference" x1=frame.left x2=right y1=uniform y2=uniform></line>
        <text class="axis" x=f64::midpoint(frame.left, right) y=frame.height - 5.0 text-anchor="middle">{t.x_axis}</text>
        <text class="axis" transform=format!("translate(13 {}) rotate(-90)", f64::midpoint(10.0, frame.height - 44.0)) text-anchor="middle">
            {t.y_axis}
        </text>
    }
}

fn digits_of_tick(value: f64) -> String {
    crate::format::plain(value)
}

/// A pale band behind each cluster of several heads.
fn bands(frame: Frame, heads: &HeadsReport, clusters: Option<&ClusterReport>) -> impl IntoView + use<> {
    let layers = clusters.map(|clusters| clusters.layers.as_slice()).unwrap_or_default();
    let mut bands = Vec::new();
    for (layer, (row, distance)) in layers.iter().zip(&heads.distance).enumerate() {
        for (rank, cluster) in row.iter().enumerate().filter(|(_, cluster)| cluster.members.len() > 1) {
            let of = cluster.members.iter().filter_map(|&head| distance.get(head)).map(|d| frame.y.at(f64::from(*d)));
            let (top, bottom) = of.fold((f64::MAX, f64::MIN), |(a, b), y| (a.min(y), b.max(y)));
            let half = frame.column() * 0.44;
            bands.push(view! {
                <rect
                    class=format!("band {}", marks::colour(rank))
                    x=frame.middle(layer) - half
                    width=2.0 * half
                    y=top - 6.0
                    height=bottom - top + 12.0
                    rx="6"
                ></rect>
            });
        }
    }
    bands.collect_view()
}

fn dots(store: Store, frame: Frame, heads: &HeadsReport, places: &[Vec<Option<Place>>]) -> impl IntoView + use<> {
    let t = &text().heads;
    let mut dots = Vec::new();
    for (layer, row) in heads.distance.iter().enumerate() {
        for (head, &distance) in row.iter().enumerate() {
            let place = places.get(layer).and_then(|row| row.get(head)).copied().flatten();
            let place = place.unwrap_or(Place { rank: 0, members: 1, is_centroid: false });
            let (x, y) = (frame.x(layer, head, row.len()), frame.y.at(f64::from(distance)));
            let r = marks::radius(place.members, frame.base_radius());
            let kept = if place.is_centroid { "kept" } else { "member" };
            let title = (t.dot)(layer + 1, head + 1, &digits(f64::from(distance)), place.members, place.is_centroid);
            dots.push(view! {
                <path
                    class=format!("dot {kept} {}", marks::colour(place.rank))
                    d=marks::path(place.rank, x, y, r)
                    on:click=move |_| {
                        let picture = store.heads.looking.get_untracked().2;
                        ask_attention(store, layer, head, picture);
                    }
                >
                    <title>{title}</title>
                </path>
            });
        }
    }
    dots.collect_view()
}

/// A ring around the head whose attention is shown.
fn ring(store: Store, frame: Frame, heads: &HeadsReport) -> impl IntoView + use<> {
    let distance = StoredValue::new(heads.distance.clone());
    let at = move || {
        let (layer, head, _) = store.heads.looking.get();
        distance.with_value(|distance| {
            let row = distance.get(layer)?;
            Some((frame.x(layer, head, row.len()), frame.y.at(f64::from(*row.get(head)?))))
        })
    };
    let x = move || at().map_or(-99.0, |(x, _)| x);
    let y = move || at().map_or(-99.0, |(_, y)| y);
    view! { <circle class="ring" cx=x cy=y r=frame.base_radius() * 2.6></circle> }
}

/// The same numbers as a table. Rows stay; only the two columns that clustering changes are written again.
#[component]
pub fn HeadsTable() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().heads;
    let places = Memo::new(move |_| {
        store.heads.report.with(|heads| {
            heads.as_ref().map(|h| store.plans.clusters.with(|c| places(h, c.as_ref()))).unwrap_or_default()
        })
    });
    let at = move |layer: usize, head: usize| {
        places.with(|all| all.get(layer).and_then(|row| row.get(head)).copied().flatten())
    };
    let rows = move || {
        store.heads.report.with(|heads| {
            let Some(heads) = heads else { return Vec::new() };
            let all = heads.distance.iter().enumerate().flat_map(|(l, row)| (0..row.len()).map(move |h| (l, h)));
            let number = |of: &[Vec<f32>], l: usize, h: usize| {
                of.get(l).and_then(|row| row.get(h)).map_or_else(String::new, |number| format!("{number:.2}"))
            };
            all.map(|(l, h)| {
                view! {
                    <tr>
                        <td>{l + 1}</td>
                        <td>{h + 1}</td>
                        <td>{number(&heads.distance, l, h)}</td>
                        <td>{number(&heads.deviation, l, h)}</td>
                        <td>{number(&heads.entropy, l, h)}</td>
                        <td>{move || at(l, h).map(|place| place.rank + 1)}</td>
                        <td>{move || at(l, h).map(|place| if place.is_centroid { t.yes } else { t.no })}</td>
                    </tr>
                }
            })
            .collect()
        })
    };
    let names = [t.layer, t.head, t.distance, t.deviation, t.entropy, t.cluster, t.centroid];
    view! {
        <TableView testid="heads-table" label=t.chart_title columns=names.map(String::from).to_vec()>
            {rows}
        </TableView>
    }
}
