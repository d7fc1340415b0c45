//! The address: where the settings stand.

use std::time::Duration;

use web_sys::UrlSearchParams;

use crate::prelude::*;
use crate::strings::settings::expected;
use heirloom_plan::settings::{Fault, Settings};

/// Pieces of a bad address that are named.
const MOST_FAULTS: usize = 5;

/// The value of a parameter of the address (`?name=value`; empty where it has none).
pub fn query(name: &str) -> Option<String> {
    let search = window().location().search().ok()?;
    UrlSearchParams::new_with_str(&search).ok()?.get(name)
}

/// Takes the settings of the address, and says what was not understood.
pub fn read_address(store: Store) {
    let hash = window().location().hash().unwrap_or_default();
    let (settings, faults) = Settings::read_fragment(&hash);
    store.settings.set(settings);
    if !faults.is_empty() {
        let t = &text().lessons;
        let fault = |Fault { piece, expected: wanted }: &Fault| match wanted {
            Some(wanted) => (t.bad)(piece, &expected(*wanted)),
            None => (t.unknown)(piece),
        };
        inform(store, (t.faults)(&faults.iter().take(MOST_FAULTS).map(fault).collect::<Vec<_>>().join(", ")));
    }
}

/// Keeps the address in step with the settings.
pub fn follow_settings(store: Store) {
    let write = leptos::leptos_dom::helpers::debounce(Duration::from_millis(500), move |fragment: String| {
        let location = window().location();
        let [path, search] = [location.pathname(), location.search()].map(Result::unwrap_or_default);
        let address = if fragment.is_empty() { format!("{path}{search}") } else { format!("#{fragment}") };
        if let Ok(history) = window().history() {
            let _ = history.replace_state_with_url(&wasm_bindgen::JsValue::NULL, "", Some(&address));
        }
    });
    let write = StoredValue::new_local(write);
    Effect::new(move |before: Option<String>| {
        let fragment = store.settings.with(Settings::to_fragment);
        if before.is_some_and(|before| before != fragment) {
            write.update_value(|write| write(fragment.clone()));
        }
        fragment
    });
}
