//! How starts are told apart: each has a colour, a kind of line and a shape.

use leptos::prelude::*;

use crate::charts::frame::{Frame, LEFT, RIGHT};
use heirloom_charts::marks;
use heirloom_plan::protocol::Init;

/// Style-sheet class of a start's colour and line.
pub fn class_of(arm: Init) -> String {
    format!("arm-{}", arm.name())
}

/// A line with a point, for legends; the yardstick's level line has no points.
pub fn swatch(arm: Init) -> impl IntoView {
    view! {
        <svg class="swatch wide" width="34" height="14" viewBox="0 0 34 14" aria-hidden="true">
            <path class=format!("curve {}", class_of(arm)) d="M1 7H33"></path>
            {(!arm.is_frozen()).then(|| point(arm, 17.0, 7.0))}
        </svg>
    }
}

/// A level line over the whole width of a plot.
pub fn level(arm: Init, frame: Frame, value: f64) -> impl IntoView {
    let line = format!("M{LEFT} {:.1}H{:.1}", frame.y.at(value), frame.width - RIGHT);
    view! { <path class=format!("curve {}", class_of(arm)) d=line></path> }
}

/// A point of a start.
pub fn point(arm: Init, x: f64, y: f64) -> impl IntoView {
    let rank = Init::ALL.iter().position(|one| *one == arm).unwrap_or_default();
    view! { <path class=format!("point {}", class_of(arm)) d=marks::path(rank, x, y, 3.6)></path> }
}
