//! How starts are told apart: each has a colour, a kind of line and a shape.

use leptos::prelude::*;

use heirloom_charts::marks;
use heirloom_plan::protocol::Init;

/// Style-sheet class of a start's colour and line.
pub fn class_of(arm: Init) -> String {
    format!("arm-{}", arm.name())
}

/// A line with a point, for legends.
pub fn swatch(arm: Init) -> impl IntoView {
    view! {
        <svg class="swatch wide" width="34" height="14" viewBox="0 0 34 14" aria-hidden="true">
            <path class=format!("curve {}", class_of(arm)) d="M1 7H33"></path>
            {point(arm, 17.0, 7.0)}
        </svg>
    }
}

/// A point of a start.
pub fn point(arm: Init, x: f64, y: f64) -> impl IntoView {
    let rank = Init::ALL.iter().position(|one| *one == arm).unwrap_or_default();
    view! { <path class=format!("point {}", class_of(arm)) d=marks::path(rank, x, y, 3.6)></path> }
}
