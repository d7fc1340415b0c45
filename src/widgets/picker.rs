//! A button that is a file input.

use leptos::prelude::*;
use web_sys::HtmlInputElement;

use crate::browser::files::{Picked, from_input};

/// A file input that looks like a button; the input itself stays in place for keyboards and screen readers.
#[component]
pub fn Picker(
    id: &'static str,
    #[prop(into)] label: Signal<&'static str>,
    #[prop(optional)] accept: &'static str,
    #[prop(optional)] folder: bool,
    #[prop(optional)] quiet: bool,
    on_pick: impl Fn(Vec<Picked>) + 'static,
) -> impl IntoView {
    let changed = move |event| on_pick(from_input(&event_target::<HtmlInputElement>(&event)));
    view! {
        <span class="picker" class:quiet=quiet>
            <input
                type="file"
                id=id
                data-testid=id
                multiple=true
                accept=(!accept.is_empty()).then_some(accept)
                prop:webkitdirectory=folder
                on:change=changed
            />
            <label for=id>{move || label.get()}</label>
        </span>
    }
}
