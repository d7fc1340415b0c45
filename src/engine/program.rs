//! The engine's program, and workers of it.
//!
//! `static/start.js` chooses one of the two that the site has, and fetches and compiles it beside the page's own; every
//! worker is handed the same module, so that an engine in the place of a dead one starts without a download.

use js_sys::{Array, Function, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, BlobPropertyBag, Url, Worker, WorkerOptions, WorkerType};

use heirloom_plan::protocol::Engine;

/// A worker that starts the program of `engine`, or of what this browser can use.
///
/// # Errors
/// The browser's, where the program cannot be fetched or compiled, or no worker can be made.
pub async fn worker(engine: Option<Engine>) -> Result<Worker, JsValue> {
    let choose: Function = Reflect::get(&js_sys::global(), &"heirloomProgram".into())?.dyn_into()?;
    let wanted = engine.map_or(JsValue::NULL, |engine| engine.name().into());
    let program: Promise = choose.call1(&JsValue::NULL, &wanted)?.dyn_into()?;
    let program: Array = JsFuture::from(program).await?.dyn_into()?;
    let options = WorkerOptions::new();
    options.set_type(WorkerType::Module);
    let worker = Worker::new_with_options(&script(&program.get(0))?, &options)?;
    worker.post_message(&program.get(1))?;
    Ok(worker)
}

/// Address of a script that starts the module it is sent: the program's own, which imports nothing, and what starts it. A worker fetched from a server has no policy but its own
/// headers', and a plain static server sends none; one from a blob inherits the page's content-security policy, so that
/// not even the engine can reach another place. What fails is thrown where the page hears of it.
fn script(program: &JsValue) -> Result<String, JsValue> {
    // wasm-bindgen's name for what it exports as default.
    let script = format!(
        "{}\n\
         onmessage = ({{ data }}) => {{\n  \
           onmessage = null;\n  \
           __wbg_init({{ module_or_path: data }}).catch((error) => setTimeout(() => {{ throw error; }}));\n\
         }};\n",
        program.as_string().unwrap_or_default()
    );
    let kind = BlobPropertyBag::new();
    kind.set_type("text/javascript");
    Url::create_object_url_with_blob(&Blob::new_with_str_sequence_and_options(&Array::of1(&script.into()), &kind)?)
}
