//! The frame of a plot: grid, numbers and titles of both axes.

use crate::prelude::*;
use heirloom_charts::{Scale, polyline};

/// Room for the numbers of the axis, and for half of the last number below it.
pub const LEFT: f64 = 52.0;
pub const RIGHT: f64 = 18.0;
/// Room below and above.
pub const BOTTOM: f64 = 44.0;
pub const TOP: f64 = 10.0;

/// Where a plot is drawn.
#[derive(Clone, Copy)]
pub struct Frame {
    pub width: f64,
    pub height: f64,
    pub x: Scale,
    pub y: Scale,
}

impl Frame {
    /// A plot as wide as there is room.
    pub fn new(width: f64, x: (f64, f64), y: (f64, f64)) -> Self {
        Self::of_height((width * 0.46).clamp(240.0, 400.0), width, x, y)
    }

    /// As [`Frame::new`], but so high.
    pub fn of_height(height: f64, width: f64, x: (f64, f64), y: (f64, f64)) -> Self {
        let x = Scale::new(x, (LEFT, width - RIGHT));
        Self { width, height, x, y: Scale::new(y, (height - BOTTOM, TOP)) }
    }

    /// Grid, numbers and titles.
    pub fn axes(&self, x_title: &'static str, y_title: &'static str) -> impl IntoView + use<> {
        let Self { width, height, x, y } = *self;
        let rows = y.ticks(5).into_iter().map(|value| {
            let at = y.at(value);
            view! {
                <line class="grid" x1=LEFT x2=width - RIGHT y1=at y2=at></line>
                <text class="tick" x=LEFT - 6.0 y=at + 4.0 text-anchor="end">{plain(value)}</text>
            }
        });
        let columns = x.ticks((width / 110.0) as usize).into_iter().map(|value| {
            let label = if value < 10_000.0 { plain(value) } else { short(value as u64) };
            view! { <text class="tick" x=x.at(value) y=height - 26.0 text-anchor="middle">{label}</text> }
        });
        let middle = f64::midpoint(TOP, height - BOTTOM);
        view! {
            {rows.collect_view()}
            {columns.collect_view()}
            <text class="axis" x=f64::midpoint(LEFT, width - RIGHT) y=height - 5.0 text-anchor="middle">{x_title}</text>
            <text class="axis" transform=format!("translate(13 {middle}) rotate(-90)") text-anchor="middle">{y_title}</text>
        }
    }

    /// A reference line, with a word above its right end.
    pub fn reference(&self, value: f64, name: &'static str) -> impl IntoView + use<> {
        let (right, at) = (self.width - RIGHT, self.y.at(value));
        view! {
            <line class="reference" x1=LEFT x2=right y1=at y2=at></line>
            <text class="note" x=right - 2.0 y=at - 5.0 text-anchor="end">{name}</text>
        }
    }

    /// A word in the middle of an empty plot.
    pub fn note(&self, words: &'static str) -> impl IntoView + use<> {
        view! { <text class="note" x=self.width / 2.0 y=self.height / 2.0 text-anchor="middle">{words}</text> }
    }

    /// The corners `x y` of a line through some places.
    pub fn join(&self, places: impl Iterator<Item = (f64, f64)>) -> String {
        polyline(places.map(|(x, y)| (self.x.at(x), self.y.at(y))))
    }
}
