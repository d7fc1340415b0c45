//! Judged pictures in a row, each to be opened with what the model looks at. The engine makes the small pictures, and
//! only those that are shown.

use crate::prelude::*;
use crate::trial::actions::{ask_thumbnails, open_look};
use heirloom_plan::protocol::{Judged, PictureAt};

/// Whether the order means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Any,
    /// Largest loss first; the loss is shown.
    WorstFirst,
}

/// The pictures.
#[component]
pub fn Gallery(judged: Vec<Judged>, classes: Vec<String>, order: Order) -> impl IntoView {
    let store = expect_context::<Store>();
    ask_thumbnails(store, &judged);
    let items = judged.iter().map(|one| view! { <li>{picture(store, one, &classes, order)}</li> }).collect_view();
    match order {
        Order::Any => view! { <ul class="gallery">{items}</ul> }.into_any(),
        Order::WorstFirst => view! { <ol class="gallery">{items}</ol> }.into_any(),
    }
}

fn picture(store: Store, one: &Judged, classes: &[String], order: Order) -> impl IntoView + use<> {
    let t = &text().trying;
    let name = |class: usize| classes.get(class).map_or("", String::as_str);
    let said = (t.judged)(name(one.truth), name(one.said), &percent(f64::from(one.sure)));
    let loss = (order == Order::WorstFirst).then(|| (t.loss)(&digits(f64::from(one.loss))));
    let path = one.path.clone();
    let title = format!("{path}: {said}");
    let (at, shown) = (PictureAt::Path(path.clone()), path.clone());
    let url = Memo::new(move |_| store.trial.thumbnails.with(|all| all.get(&shown).cloned()));
    let small = move || match url.get() {
        Some(Some(url)) => view! { <img src=url alt="" decoding="async"/> }.into_any(),
        Some(None) => view! { <span class="no-picture">{t.no_picture}</span> }.into_any(),
        None => view! { <span class="no-picture" aria-hidden="true">"…"</span> }.into_any(),
    };
    view! {
        <button
            type="button"
            class="picture"
            data-testid="judged"
            on:click=move |_| open_look(store, at.clone(), title.clone())
        >
            {small}
            <span>{said}</span>
            {loss.map(|loss| view! { <small data-testid="judged-loss">{loss}</small> })}
            <code>{path}</code>
        </button>
    }
}
