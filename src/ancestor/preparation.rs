//! Mean and deviation of the ancestor's pictures: seen, and changed by those who know better than the file.

use crate::ancestor::actions::set_preparation;
use crate::prelude::*;
use crate::widgets::More;
use heirloom_plan::protocol::Preparation;

#[component]
pub fn PreparationFields(said: Preparation) -> impl IntoView {
    let t = &text().cnn;
    view! {
        <More title=t.preparation>
            <Three
                id="preparation-mean"
                label=t.mean
                hint=t.mean_hint
                value=said.mean
                change=move |mean| Preparation { mean, ..said }
            />
            <Three
                id="preparation-std"
                label=t.std
                hint=t.std_hint
                value=said.std
                change=move |std| Preparation { std, ..said }
            />
        </More>
    }
}

/// Three numbers with commas between.
#[component]
fn Three(
    id: &'static str,
    label: &'static str,
    hint: &'static str,
    value: [f32; 3],
    change: impl Fn([f32; 3]) -> Preparation + 'static,
) -> impl IntoView {
    let store = expect_context::<Store>();
    let hint_id = format!("{id}-hint");
    // Six digits: as many as an f32 holds, so that 0.485 does not read 0.48500001.
    let shown = value.map(|number| plain((f64::from(number) * 1e6).round() / 1e6)).join(", ");
    let before = shown.clone();
    let changed = move |event| {
        let typed = event_target_value(&event);
        match three(&typed) {
            Some(numbers) => set_preparation(store, change(numbers)),
            None => {
                event_target::<web_sys::HtmlInputElement>(&event).set_value(&before);
                complain(store, (text().cnn.not_three)(&typed));
            }
        }
    };
    view! {
        <div class="field">
            <label for=id>{label}</label>
            <input
                type="text"
                id=id
                data-testid=id
                aria-describedby=hint_id.clone()
                disabled=move || is_busy(store)
                prop:value=shown
                on:change=changed
            />
            <small id=hint_id>{hint}</small>
        </div>
    }
}

fn three(text: &str) -> Option<[f32; 3]> {
    let numbers = text.split([',', ' ']).filter(|part| !part.is_empty()).map(|part| part.parse().ok());
    numbers.collect::<Option<Vec<f32>>>()?.try_into().ok()
}
