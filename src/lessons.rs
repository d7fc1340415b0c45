//! The settings as a whole: which preset they are, what differs, presets to choose, and a link that hands them on.

use leptos::html::Input;
use wasm_bindgen_futures::spawn_local;

use crate::prelude::*;
use crate::strings::settings::{shown, words};
use crate::widgets::{ChoiceField, copy_text, sheet};
use heirloom_plan::protocol::Engine;
use heirloom_plan::settings::{Key, PRESETS, Preset, Setting, Settings, nearest};

/// Differences named before the rest is only counted.
const MOST_CHANGES: usize = 6;

#[component]
pub fn Lessons() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().lessons;
    let now = Memo::new(move |_| store.settings.with(in_words));
    let engines = vec![("auto", t.engine_auto), ("webgpu", t.engine_webgpu), ("cpu", t.engine_cpu)];
    let presets = PRESETS.into_iter().map(|preset| view! { <One preset/> }).collect_view();
    view! {
        <section class="lessons" aria-label=t.title>
            <div class="row">
                <p class="lesson-now" data-testid="settings-now">{move || now.get()}</p>
                <CopyLink/>
            </div>
            <details class="more">
                <summary>{t.presets}</summary>
                <ul class="presets" data-testid="presets">{presets}</ul>
                <ChoiceField id="engine-choice" key=Key::Engine options=engines class="field inline"/>
            </details>
            <details class="more" data-testid="lesson-sheet">
                <summary>{t.sheet_title}</summary>
                {sheet(t.sheet)}
            </details>
        </section>
    }
}

/// Which preset these settings are, and what differs from it.
fn in_words(settings: &Settings) -> String {
    let t = &text().lessons;
    let (preset, differing) = nearest(settings);
    let usual = preset.settings(settings);
    let name = (t.preset)(preset.id).0;
    if differing.is_empty() {
        return (t.now)(name);
    }
    let change =
        |setting: &&Setting| (t.change)(words(setting.key).0, &shown(setting, settings), &shown(setting, &usual));
    let named = differing.iter().take(MOST_CHANGES).map(change);
    let more = differing.len().saturating_sub(MOST_CHANGES);
    let more = (more > 0).then(|| (t.more_changes)(more));
    (t.now_changed)(name, &named.chain(more).collect::<Vec<_>>().join(", "))
}

#[component]
fn One(preset: Preset) -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().lessons;
    let (title, sentence) = (t.preset)(preset.id);
    let is_now =
        Memo::new(move |_| store.settings.with(|settings| settings.differing(&preset.settings(settings)).is_empty()));
    let choose = move |_| {
        store.settings.update(|settings| *settings = preset.settings(settings));
        store.says.spoken.set((t.chosen_preset)(title));
    };
    view! {
        <li>
            <button
                type="button"
                class="quiet"
                data-testid=format!("preset-{}", preset.id)
                aria-pressed=move || is_now.get().to_string()
                on:click=choose
            >
                {title}
            </button>
            <span>{sentence}</span>
        </li>
    }
}

#[component]
fn CopyLink() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().lessons;
    let copied = RwSignal::new(None::<bool>);
    let field = NodeRef::<Input>::new();
    let address = Memo::new(move |_| store.settings.with(link));
    // The link on the clipboard is of settings that have changed since.
    Effect::new(move |_| {
        address.track();
        copied.set(None);
    });
    Effect::new(move |_| {
        if let Some(field) = field.get() {
            // Not before it stands in the page with its value: focus and selection would be lost.
            request_animation_frame(move || {
                let _ = field.focus();
                field.select();
            });
        }
    });
    let copy = move |_| {
        let address = address.get_untracked();
        copied.set(None);
        spawn_local(async move { copied.set(Some(copy_text(&address).await)) });
    };
    view! {
        <button type="button" class="quiet" data-testid="copy-link" on:click=copy>{t.copy}</button>
        <span class="hint" role="status" aria-live="polite" data-testid="copy-link-status">
            {move || (copied.get() == Some(true)).then_some(t.copied)}
        </span>
        <Show when=move || copied.get() == Some(false)>
            <label class="by-hand">
                {t.by_hand}
                <input type="text" readonly node_ref=field data-testid="copy-link-field" prop:value=move || address.get()/>
            </label>
        </Show>
    }
}

/// The page's address with these settings. An engine that `?engine=` forces moves into the fragment.
fn link(settings: &Settings) -> String {
    let forced = crate::address::query("engine").and_then(|name| Engine::from_name(&name));
    let settings = Settings { engine: settings.engine.or(forced), ..settings.clone() };
    let location = window().location();
    let [origin, path] = [location.origin(), location.pathname()].map(Result::unwrap_or_default);
    let fragment = settings.to_fragment();
    if fragment.is_empty() { format!("{origin}{path}") } else { format!("{origin}{path}#{fragment}") }
}
