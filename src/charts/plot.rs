//! The sheet that drawings stand on.

use leptos::prelude::*;

/// A drawing of this width and height, with its handle (which may be empty) and what it shows in words.
pub fn plot(
    testid: &'static str,
    label: impl Into<String>,
    [width, height]: [f64; 2],
    inside: impl IntoView,
) -> AnyView {
    view! {
        <svg
            class="plot"
            data-testid=(!testid.is_empty()).then_some(testid)
            role="img"
            aria-label=label.into()
            width=width
            height=height
            viewBox=format!("0 0 {width} {height}")
        >
            {inside.into_any()}
        </svg>
    }
    .into_any()
}
