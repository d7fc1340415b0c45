//! Keeps the screen awake while the engine works: a laptop that falls asleep stops training.
//!
//! A browser takes the lock away whenever the page is hidden and does not give it back, so it is asked for again each
//! time the page is seen. A hidden page needs none: the engine is a worker, whose loop no timer drives.

use std::cell::RefCell;

use js_sys::{Function, Promise, Reflect};
use leptos::prelude::{document, on_cleanup, window, window_event_listener_untyped};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};

/// Whether the screen should stay awake, and the browser's lock while it does.
struct Wake {
    is_wanted: bool,
    lock: Option<JsValue>,
}

thread_local!(static WAKE: RefCell<Wake> = const { RefCell::new(Wake { is_wanted: false, lock: None }) });

/// Asks for the lock or gives it back. A browser without one, or that refuses (low battery), is no fault.
pub fn hold(on: bool) {
    let changed = WAKE.with_borrow_mut(|wake| std::mem::replace(&mut wake.is_wanted, on) != on);
    if !changed {
        return;
    }
    if on { acquire() } else { release() }
}

/// Takes the lock again whenever the page comes into sight.
pub fn follow_the_page() {
    let seen = window_event_listener_untyped("visibilitychange", |_| {
        if !document().hidden() && WAKE.with_borrow(|wake| wake.is_wanted) {
            release();
            acquire();
        }
    });
    on_cleanup(move || seen.remove());
}

fn acquire() {
    spawn_local(async {
        if let Ok(lock) = request().await {
            // Two requests may have been on their way; only one lock is kept.
            release();
            WAKE.with_borrow_mut(|wake| wake.lock = Some(lock));
            // It may have been given up while the browser thought about it.
            if !WAKE.with_borrow(|wake| wake.is_wanted) {
                release();
            }
        }
    });
}

// web-sys counts the wake lock as unstable, so it is asked for by name.
async fn request() -> Result<JsValue, JsValue> {
    let lock = Reflect::get(&window().navigator(), &"wakeLock".into())?;
    let request: Function = Reflect::get(&lock, &"request".into())?.dyn_into()?;
    JsFuture::from(request.call1(&lock, &"screen".into())?.dyn_into::<Promise>()?).await
}

fn release() {
    let Some(lock) = WAKE.with_borrow_mut(|wake| wake.lock.take()) else { return };
    let release = Reflect::get(&lock, &"release".into()).and_then(JsCast::dyn_into::<Function>);
    if let Ok(promise) = release.and_then(|release| release.call0(&lock)).and_then(JsCast::dyn_into::<Promise>) {
        spawn_local(async { drop(JsFuture::from(promise).await) });
    }
}
