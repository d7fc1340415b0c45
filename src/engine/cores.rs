//! How many cores the CPU engine may use: all that help, unless the person wants some for something else.

use leptos::prelude::*;

use crate::address::query;
use crate::engine::send::send;
use crate::prelude::*;
use crate::store::EngineState;
use heirloom_plan::protocol::{Command, Engine};
use heirloom_plan::threads::MOST_CORES;

/// Cores that this machine has and the engine can use.
fn most() -> usize {
    (window().navigator().hardware_concurrency() as usize).clamp(1, MOST_CORES)
}

/// Those of the address (`?cores=2`), or all.
pub fn wanted() -> usize {
    query("cores").and_then(|cores| cores.parse().ok()).unwrap_or_else(most).clamp(1, MOST_CORES)
}

/// Tells a new engine.
pub fn tell(store: Store) {
    send(store, Command::SetCores(wanted()));
}

/// The choice, where there is one.
#[component]
pub fn CoresChoice() -> impl IntoView {
    let store = expect_context::<Store>();
    let is_cpu = move || matches!(store.engine.state.get(), EngineState::Ready(report) if report.engine == Engine::Cpu);
    let most = most().max(wanted());
    let choose = move |event| {
        if let Ok(cores) = event_target_value(&event).parse() {
            send(store, Command::SetCores(cores));
        }
    };
    let choices = move || {
        let choice = |cores| view! { <option value=cores selected=cores == wanted()>{cores}</option> };
        (1..=most).map(choice).collect_view()
    };
    view! {
        <Show when=move || is_cpu() && (most > 1)>
            <label class="cores" title=text().engine.cores_why>
                {text().engine.cores}
                <select data-testid="engine-cores" on:change=choose>{choices}</select>
            </label>
        </Show>
    }
}
