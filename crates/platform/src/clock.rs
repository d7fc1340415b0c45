//! Time and taking turns.

/// Milliseconds since some fixed moment; only differences mean something.
pub fn now_ms() -> f64 {
    #[cfg(target_arch = "wasm32")]
    {
        use wasm_bindgen::JsCast;
        let global = js_sys::global();
        let performance = match global.dyn_ref::<web_sys::WorkerGlobalScope>() {
            Some(worker) => worker.performance(),
            None => web_sys::window().and_then(|window| window.performance()),
        };
        performance.map_or_else(js_sys::Date::now, |performance| performance.now())
    }
    #[cfg(not(target_arch = "wasm32"))]
    {
        static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        START.get_or_init(std::time::Instant::now).elapsed().as_secs_f64() * 1e3
    }
}

/// Milliseconds since 1970, as far as the machine's clock is right.
pub fn unix_ms() -> f64 {
    #[cfg(target_arch = "wasm32")]
    return js_sys::Date::now();
    #[cfg(not(target_arch = "wasm32"))]
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0.0, |since| (since.as_secs_f64() * 1e3).floor())
}

/// Lets waiting messages in. Timers sleep in background tabs and are clamped to 4 ms, message channels are not.
pub async fn yield_now() {
    #[cfg(target_arch = "wasm32")]
    {
        let promise = js_sys::Promise::new(&mut |resolve, _| {
            if let Ok(channel) = web_sys::MessageChannel::new() {
                channel.port1().set_onmessage(Some(&resolve));
                let _ = channel.port2().post_message(&wasm_bindgen::JsValue::NULL);
            } else {
                let _ = resolve.call0(&wasm_bindgen::JsValue::NULL);
            }
        });
        let _ = wasm_bindgen_futures::JsFuture::from(promise).await;
    }
}

/// Processors that this program may use at the same time; 1 where that is unknown.
pub fn cores() -> usize {
    #[cfg(target_arch = "wasm32")]
    {
        use wasm_bindgen::JsCast;
        let global = js_sys::global();
        let worker = global.dyn_ref::<web_sys::WorkerGlobalScope>();
        worker.map_or(1, |worker| worker.navigator().hardware_concurrency() as usize).max(1)
    }
    #[cfg(not(target_arch = "wasm32"))]
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Waits; never natively, where nobody has to be given up on.
pub async fn sleep(ms: f64) {
    #[cfg(target_arch = "wasm32")]
    {
        use wasm_bindgen::JsCast;
        let promise = js_sys::Promise::new(&mut |wake, _| {
            if let Some(scope) = js_sys::global().dyn_ref::<web_sys::WorkerGlobalScope>() {
                let _ = scope.set_timeout_with_callback_and_timeout_and_arguments_0(&wake, ms as i32);
            }
        });
        let _ = wasm_bindgen_futures::JsFuture::from(promise).await;
    }
    #[cfg(not(target_arch = "wasm32"))]
    {
        let _ = ms;
        std::future::pending::<()>().await;
    }
}
