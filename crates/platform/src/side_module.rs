//! Small WebAssembly modules beside the engine's own, on the same memory.
//!
//! They let an engine that must load everywhere use instructions that only some browsers have.

use std::cell::RefCell;

use js_sys::{Function, Object, Reflect, Uint8Array, WebAssembly};
use wasm_bindgen::{JsCast, JsValue};

/// Takes seven numbers.
type Export = Function<fn(JsValue, JsValue, JsValue, JsValue, JsValue, JsValue, JsValue) -> JsValue>;

thread_local! {
    static EXPORTS: RefCell<Vec<Export>> = const { RefCell::new(Vec::new()) };
}

/// Starts a module that imports this engine's memory as `from.memory`. Returns the number of the first of its `exports`,
/// for [`call`]; `None` where the browser does not take it.
pub fn start(bytes: &[u8], [from, memory]: [&str; 2], exports: &[&str]) -> Option<usize> {
    let found = instantiate(bytes, [from, memory], exports)?;
    EXPORTS.with_borrow_mut(|all| {
        let first = all.len();
        all.extend(found);
        Some(first)
    })
}

fn instantiate(bytes: &[u8], [from, memory]: [&str; 2], exports: &[&str]) -> Option<Vec<Export>> {
    let bytes = Uint8Array::from(bytes);
    // Its own instructions in a browser that lacks them are an error of the compiler, not an answer of `validate`.
    let module = WebAssembly::Module::new(&bytes).ok()?;
    let (imports, of_engine) = (Object::new(), Object::new());
    Reflect::set(&of_engine, &memory.into(), &wasm_bindgen::memory()).ok()?;
    Reflect::set(&imports, &from.into(), &of_engine).ok()?;
    let instance = WebAssembly::Instance::new(&module, &imports).ok()?;
    let all = instance.exports();
    exports.iter().map(|name| Reflect::get(&all, &(*name).into()).ok()?.dyn_into().ok()).collect()
}

/// Calls export number `export` with seven numbers. Answers whether it ran.
pub fn call(export: usize, numbers: [u32; 7]) -> bool {
    let [a, b, c, d, e, f, g] = numbers.map(JsValue::from);
    EXPORTS.with_borrow(|exports| {
        let Some(export) = exports.get(export) else { return false };
        export.call7(&JsValue::UNDEFINED, &a, &b, &c, &d, &e, &f, &g).is_ok()
    })
}
