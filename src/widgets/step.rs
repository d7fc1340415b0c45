//! A numbered step of the page.

use leptos::ev;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use crate::prelude::*;
use crate::strings::Heading;

/// A step with its heading; while `missing` says what is needed first, that stands in place of the content.
#[component]
pub fn Step(
    id: &'static str,
    number: usize,
    heading: &'static Heading,
    #[prop(into)] missing: Signal<Option<&'static str>>,
    children: ChildrenFn,
) -> impl IntoView {
    let store = expect_context::<Store>();
    let title_id = StoredValue::new(format!("{id}-title"));
    let is_told = Memo::new(move |_| store.story.section() == Some(id));
    let is_possible = Memo::new(move |_| missing.get().is_none());
    let children = StoredValue::new(children);
    view! {
        <section class="step" id=id aria-labelledby=title_id.get_value() class:waiting=move || !is_possible.get() class:told=is_told>
            <div class="step-head">
                <span class="number" aria-hidden="true">{number}</span>
                <h2 id=title_id.get_value() tabindex="-1">
                    {heading.title}
                    <span class="term">{heading.term}</span>
                </h2>
                <p class="intro">{heading.intro}</p>
            </div>
            <div class="step-body">
                <Show
                    when=move || is_possible.get()
                    fallback=move || view! { <p class="missing">{move || missing.get().unwrap_or_default()}</p> }
                >
                    {children.with_value(|children| children())}
                </Show>
            </div>
        </section>
    }
}

/// What is to be said where ancestor, pictures of so many classes, or both are missing.
pub fn needs(store: Store, classes: usize, [ancestor, pictures, both]: [&'static str; 3]) -> Option<&'static str> {
    let has_pictures = store.pictures.with(|all| all.as_ref().is_some_and(|all| all.classes.len() >= classes));
    match (store.ancestor.with(Option::is_some), has_pictures) {
        (true, true) => None,
        (false, true) => Some(ancestor),
        (true, false) => Some(pictures),
        (false, false) => Some(both),
    }
}

/// Settings that most people leave alone.
#[component]
pub fn More(#[prop(optional)] title: Option<&'static str>, children: Children) -> impl IntoView {
    view! {
        <details class="more">
            <summary>{title.unwrap_or(text().page.details)}</summary>
            <div class="fields">{children()}</div>
        </details>
    }
}

/// Goes to a step without touching the address, where the settings stand.
pub fn jump(event: &ev::MouseEvent, id: &str) {
    event.prevent_default();
    if let Some(heading) = document().get_element_by_id(&format!("{id}-title")) {
        heading.scroll_into_view();
        let _ = heading.unchecked_into::<HtmlElement>().focus();
    }
}
