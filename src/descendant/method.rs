//! Which method the descendant inherits by; steps 3 to 5 follow it.

use crate::prelude::*;
use crate::widgets::ChoiceField;
use heirloom_plan::protocol::Method;
use heirloom_plan::settings::Key;

/// The choice, above the steps that depend on it.
#[component]
pub fn MethodChoice() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().descendant;
    let option = |one: Method| {
        let name = match one {
            Method::Cluster => t.method_cluster,
            Method::Layers => t.method_layers,
            Method::Pool => t.method_pool,
            Method::Stitch => t.method_stitch,
            Method::Tleg => t.method_tleg,
            Method::Sws => t.method_sws,
        };
        (one.name(), name)
    };
    // What was picked is a configuration of another pool.
    let method = Memo::new(move |_| store.settings.with(|settings| settings.method));
    Effect::new(move |before: Option<Method>| {
        if before.is_some_and(|before| before != method.get()) {
            store.pools.picked.set(None);
        }
        method.get()
    });
    view! { <ChoiceField id="method" key=Key::Method options=Method::ALL.map(option).to_vec() class="field method"/> }
}
