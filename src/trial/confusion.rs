//! What a model mixes up: counts of truth against answer, the pictures behind each count, and each class by itself.

use crate::prelude::*;
use crate::trial::gallery::{Gallery, Order};
use heirloom_plan::protocol::Confusion;

/// The matrix and what follows from it; nothing before it was counted.
#[component]
pub fn ConfusionTable() -> impl IntoView {
    let store = expect_context::<Store>();
    let open = RwSignal::new(None::<(usize, usize)>);
    Effect::new(move |_| {
        store.trial.confusion.track();
        open.set(None);
    });
    view! {
        {move || store.trial.confusion.get().map(|confusion| matrix(&confusion, open))}
        {move || {
            let (truth, said) = open.get()?;
            store.trial.confusion.with(|confusion| confusion.as_ref().map(|confusion| behind(confusion, truth, said, open)))
        }}
        {move || store.trial.confusion.with(|confusion| confusion.as_ref().map(classes))}
        {move || store.trial.confusion.with(|confusion| confusion.as_ref().map(worst))}
    }
}

fn matrix(confusion: &Confusion, open: RwSignal<Option<(usize, usize)>>) -> impl IntoView + use<> {
    let t = &text().trial;
    let names = confusion.classes.iter().map(|name| view! { <th scope="col">{name.clone()}</th> }).collect_view();
    let rows = confusion.counts.iter().enumerate().map(|(truth, counts)| {
        let all: usize = counts.iter().sum();
        let name = confusion.classes.get(truth).cloned().unwrap_or_default();
        let cells = counts.iter().enumerate().map(|(said, &count)| {
            let answer = confusion.classes.get(said).map_or("", String::as_str);
            let tone = if all == 0 { 0 } else { (count * 4).div_ceil(all) };
            let right = if truth == said { "right" } else { "wrong" };
            view! {
                <td class=format!("cell {right} m{tone}")>
                    <button
                        type="button"
                        disabled=count == 0
                        aria-label=(t.cell)(count, &name, answer)
                        aria-expanded=move || (open.get() == Some((truth, said))).to_string()
                        on:click=move |_| open.update(|now| *now = (*now != Some((truth, said))).then_some((truth, said)))
                    >
                        {count}
                    </button>
                </td>
            }
        });
        let cells = cells.collect_view();
        view! { <tr><th scope="row">{name.clone()}</th>{cells}</tr> }
    });
    let rows = rows.collect_view();
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label=t.matrix>
            <table data-testid="confusion" class="confusion">
                <caption>{t.matrix_caption}</caption>
                <thead>
                    <tr><th scope="col" class="corner">{t.truth}</th>{names}</tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}

/// The pictures behind a cell.
fn behind(
    confusion: &Confusion,
    truth: usize,
    said: usize,
    open: RwSignal<Option<(usize, usize)>>,
) -> impl IntoView + use<> {
    let t = &text().trial;
    let name = |class: usize| confusion.classes.get(class).map_or("", String::as_str);
    let count = confusion.counts.get(truth).and_then(|row| row.get(said)).copied().unwrap_or_default();
    let pictures = confusion.pictures.get(truth).and_then(|row| row.get(said)).cloned().unwrap_or_default();
    let shown = (pictures.len() < count).then(|| (t.shown_of)(pictures.len(), count));
    view! {
        <section class="behind" data-testid="confusion-pictures">
            <p class="lead" role="status">
                {(t.behind)(count, name(truth), name(said))} " " {shown}
                <button type="button" class="quiet" on:click=move |_| open.set(None)>{t.close}</button>
            </p>
            <Gallery judged=pictures classes=confusion.classes.clone() order=Order::Any/>
        </section>
    }
}

/// Each class by itself: how many of it are found, and how far its name can be trusted.
fn classes(confusion: &Confusion) -> impl IntoView + use<> {
    let t = &text().trying;
    let share = |right: usize, all: usize| match all {
        0 => t.class_none.to_owned(),
        all => (t.class_share)(&percent(right as f64 / all as f64), right, all),
    };
    let rows = confusion.classes.iter().enumerate().map(|(class, name)| {
        let row: usize = confusion.counts[class].iter().sum();
        let column: usize = confusion.counts.iter().map(|row| row[class]).sum();
        let right = confusion.counts[class][class];
        view! {
            <tr>
                <th scope="row">{name.clone()}</th>
                <td class="number">{row}</td>
                <td class="number">{share(right, row)}</td>
                <td class="number">{share(right, column)}</td>
            </tr>
        }
    });
    let rows = rows.collect_view();
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label=t.class_caption>
            <table data-testid="class-table">
                <caption>{t.class_caption}</caption>
                <thead>
                    <tr>
                        <th scope="col">{t.class_column}</th>
                        <th scope="col" class="number">{t.class_count}</th>
                        <th scope="col" class="number">{t.class_recall}</th>
                        <th scope="col" class="number">{t.class_precision}</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}

/// The worst mistakes, worst first.
fn worst(confusion: &Confusion) -> impl IntoView + use<> {
    let t = &text().trying;
    let pictures = confusion.worst.clone();
    let count = pictures.len();
    view! {
        <section class="behind" data-testid="worst">
            <h3>{(t.worst)(count)}</h3>
            <p class="hint">{if count == 0 { t.worst_none } else { t.worst_intro }}</p>
            <Gallery judged=pictures classes=confusion.classes.clone() order=Order::WorstFirst/>
        </section>
    }
}
