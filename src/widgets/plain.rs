//! Buttons and lines of text whose words come from signals. Each view of its own type costs kilobytes of program; these
//! are one type however often they are used.

use leptos::ev::MouseEvent;
use leptos::prelude::*;

/// A button.
pub struct Press {
    /// Its `data-testid`.
    pub id: &'static str,
    pub is_quiet: Signal<bool>,
    pub words: Signal<String>,
    pub is_off: Signal<bool>,
    /// What is shown beside it, and read out with it; may be empty.
    pub hint: Signal<String>,
    pub act: Callback<MouseEvent>,
}

impl Press {
    /// A button that can always be pressed.
    pub fn new(id: &'static str, words: impl Into<String>, act: impl Fn(MouseEvent) + Send + Sync + 'static) -> Self {
        Self {
            id,
            is_quiet: Signal::stored(false),
            words: Signal::stored(words.into()),
            is_off: Signal::stored(false),
            hint: Signal::stored(String::new()),
            act: Callback::new(act),
        }
    }

    pub fn quiet(self) -> Self {
        Self { is_quiet: Signal::stored(true), ..self }
    }

    /// Quiet as long as something else is to be pressed first.
    pub fn quiet_while(self, is_quiet: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { is_quiet: Signal::derive(is_quiet), ..self }
    }

    pub fn off_while(self, is_off: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { is_off: Signal::derive(is_off), ..self }
    }

    pub fn hint(self, hint: impl Fn() -> &'static str + Send + Sync + 'static) -> Self {
        Self { hint: said(hint), ..self }
    }

    /// A hint that is made of what was found.
    pub fn told(self, hint: impl Fn() -> Option<String> + Send + Sync + 'static) -> Self {
        Self { hint: Signal::derive(move || hint().unwrap_or_default()), ..self }
    }

    pub fn words(self, words: Signal<String>) -> Self {
        Self { words, ..self }
    }

    /// Draws it, with its hint behind it.
    pub fn draw(self) -> AnyView {
        let Self { id, is_quiet, words, is_off, hint, act } = self;
        let hint_id = format!("{id}-hint");
        view! {
            <button
                type="button"
                class:quiet=move || is_quiet.get()
                data-testid=id
                aria-describedby=hint_id.clone()
                disabled=move || is_off.get()
                on:click=move |event| act.run(event)
            >
                {move || words.get()}
            </button>
            <span class="hint" id=hint_id hidden=move || hint.with(String::is_empty)>{move || hint.get()}</span>
        }
        .into_any()
    }
}

/// A paragraph; nothing is seen of it while it is empty.
pub fn line(class: &'static str, id: &'static str, words: Signal<String>) -> AnyView {
    view! { <p class=class data-testid=id>{move || words.get()}</p> }.into_any()
}

/// Buttons side by side.
pub fn row(presses: Vec<Press>) -> AnyView {
    view! { <div class="row">{presses.into_iter().map(Press::draw).collect::<Vec<_>>()}</div> }.into_any()
}

/// Words of the page as a signal.
pub fn said(words: impl Fn() -> &'static str + Send + Sync + 'static) -> Signal<String> {
    Signal::derive(move || words().to_owned())
}

/// A fact of a list of facts: its name, its value, and what is to be said besides.
pub fn fact((name, value, more): (&'static str, String, Option<String>)) -> AnyView {
    let more = more.map(|more| view! { <small>{more}</small> });
    view! { <div><dt>{name}</dt><dd>{value} " " {more}</dd></div> }.into_any()
}

/// A box that is ticked or not; a hint to it has its id and `-hint`.
pub fn tick(
    id: impl Into<String>,
    label: impl Into<String>,
    has_hint: bool,
    is_on: impl Fn() -> bool + Send + Sync + 'static,
    change: impl Fn(bool) + Send + Sync + 'static,
) -> AnyView {
    let (id, is_on) = (id.into(), Signal::derive(is_on));
    view! {
        <label for=id.clone()>
            <input
                type="checkbox"
                id=id.clone()
                data-testid=id.clone()
                aria-describedby=has_hint.then(|| format!("{id}-hint"))
                prop:checked=move || is_on.get()
                on:change=move |event| change(event_target_checked(&event))
            />
            <span>{label.into()}</span>
        </label>
    }
    .into_any()
}
