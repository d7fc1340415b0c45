//! Running the program's constructors once, see `build.rs`. Natively the system has done that before `main`.

/// Runs the constructors if they have not run yet. Needed before WebGPU: burn's shader compiler registers itself there.
pub fn run_once() {
    #[cfg(target_arch = "wasm32")]
    {
        use wasm_bindgen::JsCast;
        static DONE: std::sync::Once = std::sync::Once::new();
        DONE.call_once(|| {
            let exports = wasm_bindgen::exports();
            let call = js_sys::Reflect::get(&exports, &"__wasm_call_ctors".into());
            match call.ok().and_then(|call| call.dyn_into::<js_sys::Function>().ok()) {
                Some(call) => drop(call.call0(&wasm_bindgen::JsValue::UNDEFINED)),
                None => log::error!("the program does not export its constructors; was it linked without `build.rs`?"),
            }
        });
    }
}
