//! Labelled inputs of the settings. What is understood, how far a field goes at a time and what is usual stand with the
//! declaration of the setting, its words in the catalogue.

use web_sys::HtmlInputElement;

use super::tick;
use crate::prelude::*;
use crate::strings::settings::words;
use heirloom_plan::settings::{Key, Settings, plain};

/// A number of the settings. What the ancestor allows may narrow the range.
#[component]
pub fn NumberField(
    id: &'static str,
    key: Key,
    /// Other words than the setting's own.
    #[prop(optional)]
    label: Option<&'static str>,
    #[prop(optional, into)] hint: Option<Signal<String>>,
    #[prop(optional, into)] min: Option<Signal<f64>>,
    #[prop(optional, into)] max: Option<Signal<f64>>,
    #[prop(optional, into)] step: Option<Signal<f64>>,
    /// Whether the value counts as `min` where it is smaller.
    #[prop(optional)]
    is_floored: bool,
) -> impl IntoView {
    let store = expect_context::<Store>();
    let (setting, (name, own_hint)) = (key.setting(), words(key));
    let (least, most, by) = setting.range();
    let (min, max) = (min.unwrap_or_else(|| Signal::stored(least)), max.unwrap_or_else(|| Signal::stored(most)));
    let floor = move || if is_floored { min.get() } else { f64::NEG_INFINITY };
    Number {
        id,
        label: label.unwrap_or(name),
        hint: hint.unwrap_or_else(|| Signal::stored(own_hint.to_owned())),
        range: [min, max, step.unwrap_or_else(|| Signal::stored(by))],
        usual: setting.write(&Settings::default()),
        unit: setting.unit,
        value: Memo::new(move |_| store.settings.with(|settings| setting.number(settings)).max(floor())),
        change: Callback::new(move |number| store.settings.update(|settings| setting.set_number(settings, number))),
    }
    .draw()
}

/// A labelled number.
pub struct Number {
    pub id: &'static str,
    pub label: &'static str,
    pub hint: Signal<String>,
    /// Smallest, largest, and how far it goes at a time.
    pub range: [Signal<f64>; 3],
    /// What it is where nobody chose.
    pub usual: String,
    pub unit: &'static str,
    pub value: Memo<f64>,
    pub change: Callback<f64>,
}

impl Number {
    /// Draws it.
    pub fn draw(self) -> AnyView {
        let Self { id, label, hint, range: [min, max, step], usual, unit, value, change } = self;
        let hint_id = format!("{id}-hint");
        let changed = move |event| {
            let text = event_target_value(&event);
            let number = text.trim().replace(',', ".").parse::<f64>().ok().filter(|number| number.is_finite());
            if let Some(number) = number {
                change.run(number.clamp(min.get_untracked(), max.get_untracked()));
            }
            // Shows what was understood even where it equals the old value, which the memo would not pass on.
            event_target::<HtmlInputElement>(&event).set_value(&plain(value.get_untracked()));
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
                    placeholder=usual
                    title=(!unit.is_empty()).then_some(unit)
                    prop:value=move || plain(value.get())
                    on:change=changed
                />
                <small id=hint_id>{move || hint.get()}</small>
            </div>
        }
        .into_any()
    }
}

/// A setting that is on or off.
#[component]
pub fn Check(id: &'static str, key: Key) -> impl IntoView {
    let store = expect_context::<Store>();
    let (setting, (label, hint)) = (key.setting(), words(key));
    let is_on = move || store.settings.with(|settings| setting.flag(settings)).unwrap_or_default();
    let change = move |on| store.settings.update(|settings| setting.set_flag(settings, on));
    view! {
        <div class="field check">
            {tick(id, label, true, is_on, change)}
            <small id=format!("{id}-hint")>{hint}</small>
        </div>
    }
}

/// A list that is typed with spaces between.
#[component]
pub fn ListField(id: &'static str, key: Key) -> impl IntoView {
    let store = expect_context::<Store>();
    let (setting, (label, hint)) = (key.setting(), words(key));
    let hint_id = format!("{id}-hint");
    let value = Memo::new(move |_| store.settings.with(|settings| setting.write(settings)).replace('+', " "));
    let changed = move |event| {
        let typed = event_target_value(&event);
        store.settings.update(|settings| setting.type_in(settings, &typed));
        // Shows what was understood even where it equals the old value, which the memo would not pass on.
        event_target::<HtmlInputElement>(&event).set_value(&value.get_untracked());
    };
    view! {
        <div class="field">
            <label for=id>{label}</label>
            <input type="text" id=id data-testid=id aria-describedby=hint_id.clone() prop:value=move || value.get() on:change=changed/>
            <small id=hint_id>{hint}</small>
        </div>
    }
}

/// A setting that is one of some words, which are given as the address and as people have them.
#[component]
pub fn ChoiceField(
    id: &'static str,
    key: Key,
    options: Vec<(&'static str, &'static str)>,
    #[prop(optional)] class: Option<&'static str>,
    #[prop(optional, into)] hint: Option<Signal<String>>,
) -> impl IntoView {
    let store = expect_context::<Store>();
    let (setting, (label, own_hint)) = (key.setting(), words(key));
    let hint = hint.unwrap_or_else(|| Signal::stored(own_hint.to_owned()));
    let value = Memo::new(move |_| store.settings.with(|settings| setting.write(settings)));
    let option = |(word, name): (&'static str, &'static str)| {
        view! { <option value=word selected=move || value.get() == word>{name}</option> }
    };
    let choose = move |event| store.settings.update(|settings| setting.type_in(settings, &event_target_value(&event)));
    let hint_id = format!("{id}-hint");
    view! {
        <div class=class.unwrap_or("field")>
            <label for=id>{label}</label>
            <select id=id data-testid=id aria-describedby=hint_id.clone() prop:value=move || value.get() on:change=choose>
                {options.into_iter().map(option).collect_view()}
            </select>
            <small id=hint_id hidden=move || hint.with(String::is_empty)>{move || hint.get()}</small>
        </div>
    }
}
