//! Which method the descendant inherits by; steps 3 to 5 follow it.

use crate::prelude::*;
use heirloom_plan::protocol::Method;

/// The choice, above the steps that depend on it.
#[component]
pub fn MethodChoice() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().descendant;
    let method = Memo::new(move |_| store.settings.with(|settings| settings.method));
    let option = |one: Method| {
        let name = match one {
            Method::Cluster => t.method_cluster,
            Method::Layers => t.method_layers,
            Method::Pool => t.method_pool,
            Method::Stitch => t.method_stitch,
        };
        view! { <option value=one.name() selected=move || method.get() == one>{name}</option> }
    };
    let choose = move |event| {
        if let Some(chosen) = Method::of_name(&event_target_value(&event)) {
            store.pools.picked.set(None);
            store.settings.update(|settings| settings.method = chosen);
        }
    };
    view! {
        <div class="field method">
            <label for="method">{t.method}</label>
            <select id="method" data-testid="method" prop:value=move || method.get().name() on:change=choose>
                {Method::ALL.map(option).into_iter().collect_view()}
            </select>
        </div>
    }
}
