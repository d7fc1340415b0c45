//! Which of the four methods is used; it decides what steps 3 to 5 are.

use leptos::prelude::*;
use wasm_bindgen::JsCast;

use crate::session::protocol::Method;
use crate::ui::state::App;
use crate::ui::strings::text;

/// Methods that can be used; the others are named as not built yet.
const BUILT: [Method; 3] = [Method::Cluster, Method::Pool, Method::Stitch];

#[component]
pub fn MethodChoice() -> impl IntoView {
    let app = expect_context::<App>();
    let t = &text().descendant;
    let name = |method: Method| match method {
        Method::Cluster => t.method_cluster,
        Method::Layers => t.method_layers,
        Method::Pool => t.method_pool,
        Method::Stitch => t.method_stitch,
    };
    let option = |method: Method| {
        let is_built = BUILT.contains(&method);
        let name = if is_built { name(method).to_owned() } else { (t.not_yet)(name(method)) };
        view! {
            <option value=method.name() disabled=!is_built selected=move || app.method() == method>{name}</option>
        }
    };
    let choose = move |event| {
        let method = Method::of_name(&event_target_value(&event)).unwrap_or_default();
        app.pools.picked.set(None);
        app.settings.update(|settings| settings.method = method);
        // The steps are drawn anew, and this choice with them: the focus goes to where it was.
        request_animation_frame(|| {
            if let Some(choice) = document().get_element_by_id("method") {
                let _ = choice.unchecked_into::<web_sys::HtmlElement>().focus();
            }
        });
    };
    view! {
        <div class="field method">
            <label for="method">{t.method}</label>
            <select id="method" data-testid="method" prop:value=move || app.method().name() on:change=choose>
                {Method::ALL.map(option).into_iter().collect_view()}
            </select>
        </div>
    }
}
