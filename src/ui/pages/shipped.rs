//! Ancestors to take where nobody has one: buttons with the size of the file, and a card of each.

use leptos::prelude::*;

use crate::ui::format::{bytes, duration, percent_with, short};
use crate::ui::shipped::{Card, Fetching, Shipped};
use crate::ui::state::App;
use crate::ui::strings::text;

/// The choice, and how far a file is that was chosen.
#[component]
pub fn ShippedAncestors() -> impl IntoView {
    let app = expect_context::<App>();
    let t = &text().shipped;
    let cards = || Shipped::ALL.into_iter().filter_map(|which| Some((which, which.card()?)));
    let buttons = cards().map(|(which, card)| {
        view! {
            <button
                type="button"
                class="quiet"
                data-testid=format!("shipped-{}", which.id())
                disabled=move || app.busy()
                on:click=move |_| app.open_shipped(which)
            >
                {(t.open)(&card.name, &bytes(card.bytes))}
            </button>
        }
    });
    let about = cards().map(|(which, card)| about(which, card));
    view! {
        <div class="row samples" role="group" aria-label=t.heading>
            <span>{t.heading}</span>
            {buttons.collect_view()}
            <small class="hint">{t.hint}</small>
        </div>
        <FetchBar/>
        {about.collect_view()}
    }
}

fn about(which: Shipped, card: &'static Card) -> impl IntoView {
    let t = &text().shipped;
    let accuracy = card.accuracy.as_ref().map_or_else(
        || t.not_measured.to_owned(),
        |measured| (t.accuracy_value)(&percent_with(measured.value, 1), measured.pictures, &measured.data),
    );
    let classes = match card.classes.is_empty() {
        true => text().ancestor.no_classes.to_owned(),
        false => card.classes.join(", "),
    };
    let shape = (t.shape)(card.layers, card.heads, card.width, card.image_size, card.patch_size);
    let facts = [
        (t.shape_label, shape),
        (t.parameters, short(card.parameters)),
        (t.classes, classes),
        (t.trained_on, card.trained_on.clone()),
        (t.recipe, card.recipe.clone()),
        (t.accuracy, accuracy),
        (t.licence, card.licence.clone()),
        (t.limits, card.limits.clone()),
    ];
    let facts = facts.map(|(name, value)| view! { <div><dt>{name}</dt><dd>{value}</dd></div> });
    view! {
        <details class="more" data-testid=format!("card-{}", which.id())>
            <summary>{(t.about)(&card.name)}</summary>
            <dl class="card">{facts.into_iter().collect_view()}</dl>
        </details>
    }
}

/// How much of a file has come, and a way to do without it.
#[component]
pub fn FetchBar(#[prop(optional)] is_plain: bool) -> impl IntoView {
    let app = expect_context::<App>();
    let t = &text().shipped;
    let fetching = app.shipped.fetching;
    let is_any = Memo::new(move |_| fetching.with(Option::is_some));
    let card = move || fetching.get().and_then(|fetching| fetching.which.card());
    let name = move || card().map(|card| (t.fetching)(&card.name));
    let all = move || card().map_or(1, |card| card.bytes);
    let far = move || fetching.get().map(|one: Fetching| (t.far)(&bytes(one.bytes), &bytes(all())));
    let left = move || fetching.get()?.seconds_left.map(|seconds| (text().jobs.left)(&duration(seconds)));
    let done = move || fetching.get().filter(|one| one.bytes > 0).map(|one| one.bytes.to_string());
    view! {
        <Show when=move || is_any.get()>
            <div class="job">
                <p class="job-note">{name}</p>
                <progress max=move || all().to_string() value=done aria-label=name></progress>
                <p class="job-far">
                    <span>{far}</span>
                    <span>{left}</span>
                </p>
                {(!is_plain)
                    .then(|| {
                        view! {
                            <button type="button" class="quiet" data-testid="shipped-cancel" on:click=move |_| app.shipped.cancel()>
                                {t.cancel}
                            </button>
                        }
                    })}
            </div>
        </Show>
    }
}
