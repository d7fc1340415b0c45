//! Labelled inputs of the settings.

use leptos::prelude::*;

use crate::format::plain;
use crate::settings::Settings;
use crate::state::App;

/// A number of the settings.
#[component]
pub fn NumberField(
    id: &'static str,
    label: &'static str,
    #[prop(into)] hint: Signal<String>,
    get: fn(&Settings) -> f64,
    set: fn(&mut Settings, f64),
    #[prop(into)] min: Signal<f64>,
    #[prop(into)] max: Signal<f64>,
    #[prop(into)] step: Signal<f64>,
) -> impl IntoView {
    let app = expect_context::<App>();
    let hint_id = format!("{id}-hint");
    let value = Memo::new(move |_| app.settings.with(get));
    let changed = move |event| {
        let text = event_target_value(&event);
        let number = text.trim().replace(',', ".").parse::<f64>().ok().filter(|number| number.is_finite());
        if let Some(number) = number {
            app.settings.update(|settings| set(settings, number.clamp(min.get_untracked(), max.get_untracked())));
        }
        // Shows what was understood even where it equals the old value, which the memo would not pass on.
        let input = event_target::<web_sys::HtmlInputElement>(&event);
        input.set_value(&plain(value.get_untracked()));
    };
    view! {
        <div class="field">
            <label for=id>{label}</label>
            <input
                type="number"
                inputmode="decimal"
                id=id
                data-testid=id
                aria-describedby=hint_id.clone()
                min=move || min.get()
                max=move || max.get()
                step=move || step.get()
                prop:value=move || plain(value.get())
                on:change=changed
            />
            <small id=hint_id>{move || hint.get()}</small>
        </div>
    }
}

/// A choice of the settings.
#[component]
pub fn Check(
    id: &'static str,
    label: &'static str,
    #[prop(optional)] hint: &'static str,
    get: fn(&Settings) -> bool,
    set: fn(&mut Settings, bool),
) -> impl IntoView {
    let app = expect_context::<App>();
    let hint_id = format!("{id}-hint");
    view! {
        <div class="field check">
            <label for=id>
                <input
                    type="checkbox"
                    id=id
                    data-testid=id
                    aria-describedby=hint_id.clone()
                    prop:checked=move || app.settings.with(get)
                    on:change=move |event| {
                        let on = event_target_checked(&event);
                        app.settings.update(|settings| set(settings, on));
                    }
                />
                <span>{label}</span>
            </label>
            <small id=hint_id>{hint}</small>
        </div>
    }
}
