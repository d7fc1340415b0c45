//! Sentences for the person: what was found, what was expected, what to do.

use wasm_bindgen_futures::spawn_local;

use super::copy_text;
use crate::prelude::*;
use crate::store::Shown;
use crate::strings::notice;
use heirloom_plan::protocol::NoticeLevel;

/// All notices. Errors are alerts, read out at once; the rest is read when there is a pause (see `say::inform`).
#[component]
pub fn Notices() -> impl IntoView {
    let store = expect_context::<Store>();
    view! {
        <div class="notices">
            <For each=move || store.says.notices.get() key=|shown| shown.id let:shown>
                <One shown/>
            </For>
        </div>
    }
}

#[component]
fn One(shown: Shown) -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().notice;
    let copied = RwSignal::new(None::<bool>);
    let report = format!("{}\n\n{}", shown.notice.text, shown.context);
    let by_hand = report.clone();
    let copy = move |_| {
        let report = report.clone();
        spawn_local(async move { copied.set(Some(copy_text(&report).await)) });
    };
    let id = shown.id;
    let is_error = shown.notice.level == NoticeLevel::Error;
    view! {
        <div class="notice" class:error=is_error data-testid="notice" role=if is_error { "alert" } else { "status" }>
            <p>{sentence(&notice(&shown.notice))}</p>
            <div class="notice-buttons">
                <button type="button" class="quiet" data-testid="copy-report" on:click=copy>
                    {move || if copied.get() == Some(true) { t.copied } else { t.copy }}
                </button>
                <button
                    type="button"
                    class="quiet close"
                    aria-label=t.close
                    on:click=move |_| store.says.notices.update(|all| all.retain(|shown| shown.id != id))
                >
                    "×"
                </button>
            </div>
            {move || {
                (copied.get() == Some(false))
                    .then(|| {
                        view! {
                            <label class="by-hand">
                                {t.copy_by_hand}
                                <textarea readonly rows="6" prop:value=by_hand.clone()></textarea>
                            </label>
                        }
                    })
            }}
        </div>
    }
}

/// Names stand in backticks; drawn as code they are told from the words around them.
fn sentence(text: &str) -> impl IntoView + use<> {
    let part = |(index, part): (usize, &str)| {
        if index % 2 == 1 { view! { <code>{part.to_owned()}</code> }.into_any() } else { part.to_owned().into_any() }
    };
    text.split('`').enumerate().map(part).collect_view()
}
