//! `?bench`: lets a measuring program drive the engine through `window.bench({work, t: {warm, reps, budget}})`.

use std::cell::RefCell;

use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::*;

use crate::prelude::*;
use heirloom_plan::protocol::{Command, Notice, NoticeLevel};

struct Waiting {
    work: String,
    resolve: Function,
    reject: Function,
}

thread_local!(static WAITING: RefCell<Vec<Waiting>> = const { RefCell::new(Vec::new()) });
thread_local!(static ON: RefCell<bool> = const { RefCell::new(false) });

/// Whether the address asks for it.
pub fn is_wanted() -> bool {
    crate::address::query("bench").is_some()
}

/// Puts `bench` on the window.
pub fn install(store: Store) {
    ON.set(true);
    let bench = Closure::<dyn Fn(JsValue) -> Promise>::new(move |request: JsValue| {
        Promise::new(&mut |resolve, reject| {
            let work =
                Reflect::get(&request, &"work".into()).ok().and_then(|work| work.as_string()).unwrap_or_default();
            let time = Reflect::get(&request, &"t".into()).unwrap_or_default();
            let number = |name: &str| Reflect::get(&time, &name.into()).ok().and_then(|number| number.as_f64());
            let command = Command::Bench {
                work: work.clone(),
                warm: number("warm").unwrap_or(3.0) as usize,
                reps: number("reps").unwrap_or(10.0) as usize,
                budget: number("budget").unwrap_or(60_000.0),
            };
            WAITING.with_borrow_mut(|waiting| waiting.push(Waiting { work, resolve, reject }));
            send(store, command);
        })
    });
    set("bench", &bench.into_js_value());
}

/// The engine has a device.
pub fn ready() {
    if ON.with_borrow(|on| *on) {
        set("ready", &JsValue::TRUE);
    }
}

/// A workload was measured.
pub fn answered(work: &str, json: &str) {
    let waiting = WAITING.with_borrow_mut(|all| {
        let at = all.iter().position(|waiting| waiting.work == work)?;
        Some(all.remove(at))
    });
    if let Some(waiting) = waiting {
        let _ = match js_sys::JSON::parse(json) {
            Ok(value) => waiting.resolve.call1(&JsValue::NULL, &value),
            Err(error) => waiting.reject.call1(&JsValue::NULL, &error),
        };
    }
}

/// The engine complained: whoever waits must not wait for ever.
pub fn failed(notice: &Notice) {
    if notice.level == NoticeLevel::Error {
        lost(&notice.text);
    }
}

/// The engine died, or complained.
pub fn lost(sentence: &str) {
    for waiting in WAITING.take() {
        let _ = waiting.reject.call1(&JsValue::NULL, &js_sys::Error::new(sentence));
    }
}

fn set(name: &str, value: &JsValue) {
    // Setting a property of the window cannot fail unless something froze it; then the waiting program says so.
    let _ = Reflect::set(&window(), &name.into(), value);
}
