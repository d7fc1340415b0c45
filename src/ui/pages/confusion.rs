//! What a model mixes up: counts of truth against answer, and the pictures behind each count.

use leptos::prelude::*;

use crate::session::protocol::Confusion;
use crate::ui::files;
use crate::ui::state::App;
use crate::ui::strings::text;

/// The matrix; nothing before it was counted.
#[component]
pub fn ConfusionTable() -> impl IntoView {
    let app = expect_context::<App>();
    let open = RwSignal::new(None::<(usize, usize)>);
    Effect::new(move |_| {
        app.confusion.track();
        open.set(None);
    });
    view! {
        {move || app.confusion.get().map(|confusion| matrix(&confusion, open))}
        {move || {
            let (truth, said) = open.get()?;
            app.confusion.with(|confusion| confusion.as_ref().map(|c| behind(app, c, truth, said, open)))
        }}
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

/// The pictures behind a cell: shown from the handles the page still holds, else named (pictures out of a zip).
fn behind(
    app: App,
    confusion: &Confusion,
    truth: usize,
    said: usize,
    open: RwSignal<Option<(usize, usize)>>,
) -> impl IntoView + use<> {
    let t = &text().trial;
    let name = |class: usize| confusion.classes.get(class).map_or("", String::as_str);
    let count = confusion.counts.get(truth).and_then(|row| row.get(said)).copied().unwrap_or_default();
    let cell = confusion.pictures.get(truth).and_then(|row| row.get(said));
    let paths = cell.cloned().unwrap_or_default();
    let urls: Vec<Option<String>> =
        app.handles.with_value(|handles| paths.iter().map(|path| files::show(handles.get(path)?)).collect());
    let to_return: Vec<String> = urls.iter().flatten().cloned().collect();
    on_cleanup(move || to_return.iter().for_each(|url| files::unshow(url)));
    let shown = (paths.len() < count).then(|| (t.shown_of)(paths.len(), count));
    let pictures = paths.into_iter().zip(urls).map(|(path, url)| {
        view! {
            <li>
                {url.map(|url| view! { <img src=url alt="" loading="lazy" decoding="async"/> })}
                <code>{path}</code>
            </li>
        }
    });
    view! {
        <section class="behind" data-testid="confusion-pictures" aria-live="polite">
            <p class="lead">
                {(t.behind)(count, name(truth), name(said))} " " {shown}
                <button type="button" class="quiet" on:click=move |_| open.set(None)>{t.close}</button>
            </p>
            <ul>{pictures.collect_view()}</ul>
        </section>
    }
}
