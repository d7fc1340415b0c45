//! Whether the page opens without a network, and whether a newer version waits. `static/start.js` registers the service
//! worker (`worker.js`) and says how it stands.

use crate::prelude::*;
use leptos::ev::Custom;
use web_sys::CustomEvent;

/// How the service worker stands, as `start.js` says it.
const EVENT: &str = "heirloom-offline";

/// A line that appears once there is something to say.
#[component]
pub fn OfflineLine() -> impl IntoView {
    let t = &text().page;
    // What was said before this line was there stands on the document.
    let said = document().document_element().and_then(|root| root.get_attribute("data-offline"));
    let state = RwSignal::new(said.unwrap_or_default());
    let handle = window_event_listener(Custom::<CustomEvent>::new(EVENT), move |event| {
        state.set(event.detail().as_string().unwrap_or_default());
    });
    on_cleanup(move || handle.remove());
    let words = move || match state.get().as_str() {
        "ready" => t.offline_ready,
        "waiting" => t.offline_waiting,
        _ => "",
    };
    view! { <p class="hint" data-testid="offline" role="status">{words}</p> }
}
