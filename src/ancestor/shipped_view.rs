//! Ancestors to take where nobody has one: buttons with the size of the file, and a card of each.

use crate::ancestor::fetching::open_shipped;
use crate::ancestor::shipped::{Card, Fetching, Shipped};
use crate::prelude::*;
use crate::widgets::{Press, line, row};

/// The choice, and how far a file is that was chosen.
#[component]
pub fn ShippedAncestors() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().shipped;
    let cards: Vec<_> = Shipped::ALL.into_iter().filter_map(|which| Some((which, which.card()?))).collect();
    let button = |&(which, card): &(Shipped, &'static Card)| {
        let words = Signal::stored((t.open)(&card.name, &bytes(card.bytes)));
        Press::new(which.handle(), "", move |_| open_shipped(store, which))
            .words(words)
            .quiet()
            .off_while(move || is_busy(store))
    };
    view! {
        <div class="samples" role="group" aria-label=t.heading>
            {line("", "shipped", Signal::stored(t.heading.to_owned()))}
            {row(cards.iter().map(button).collect())}
            {line("hint", "shipped-hint", Signal::stored(t.hint.to_owned()))}
        </div>
        <FetchBar/>
        {cards.into_iter().map(|(which, card)| about(which, card)).collect::<Vec<_>>()}
    }
}

fn about(which: Shipped, card: &'static Card) -> AnyView {
    let t = &text().shipped;
    let accuracy = card.accuracy.as_ref().map_or_else(
        || t.not_measured.to_owned(),
        |measured| (t.accuracy_value)(&percent_with(measured.value, 1), measured.pictures, &measured.data),
    );
    let classes = match (card.class_count, card.classes.is_empty()) {
        (0, true) => text().ancestor.no_classes.to_owned(),
        (0, false) => card.classes.join(", "),
        (count, _) => (t.class_count)(count),
    };
    let shape = match card.heads {
        0 => (t.stages)(card.layers, card.width, card.image_size),
        heads => (t.shape)(card.layers, heads, card.width, card.image_size, card.patch_size),
    };
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
        <details class="more" data-testid=which.handle().replace("shipped", "card")>
            <summary>{(t.about)(&card.name)}</summary>
            <dl class="card">{facts.into_iter().collect_view()}</dl>
        </details>
    }
    .into_any()
}

/// How much of a file has come, and a way to do without it.
#[component]
pub fn FetchBar(#[prop(optional)] is_plain: bool) -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().shipped;
    let fetching = store.shipped.fetching;
    let is_any = Memo::new(move |_| fetching.with(Option::is_some));
    let card = move || fetching.get().and_then(|fetching| fetching.which.card());
    let all = move || card().map_or(1, |card| card.bytes);
    let name = Signal::derive(move || card().map(|card| (t.fetching)(&card.name)).unwrap_or_default());
    let most = Signal::derive(move || all().to_string());
    let done = Signal::derive(move || fetching.get().map(|one| one.bytes.to_string()).unwrap_or_default());
    let far = Signal::derive(move || {
        let Some(Fetching { bytes: come, seconds_left, .. }) = fetching.get() else { return String::new() };
        let left = seconds_left.map(|seconds| (text().jobs.left)(&duration(seconds)));
        [Some((t.far)(&bytes(come), &bytes(all()))), left].into_iter().flatten().collect::<Vec<_>>().join(", ")
    });
    let cancel = move || Press::new("shipped-cancel", t.cancel, move |_| store.shipped.cancel()).quiet().draw();
    view! {
        <Show when=move || is_any.get()>
            <div class="job">
                {line("job-note", "shipped-fetching", name)}
                <progress max=move || most.get() value=move || done.get() aria-label=move || name.get()></progress>
                {line("job-far", "shipped-far", far)}
                {(!is_plain).then(cancel)}
            </div>
        </Show>
    }
}
