//! The worker's end of the wire; the page's end is its `engine::link`, which also says what travels on it.

use std::cell::Cell;
use std::rc::Rc;

use futures::channel::mpsc::{UnboundedSender, unbounded};
use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{Blob, DedicatedWorkerGlobalScope, MessageEvent};

use heirloom_engine::{Engine, Request};
use heirloom_plan::protocol::{Asked, Command, FileRef, ProjectCommand, Said};
use heirloom_platform::file::FileHandle;

/// Serves the page that started this worker until it is ended.
pub fn serve() {
    let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    let stop = Rc::new(Cell::new(false));
    let (sender, inbox) = unbounded();
    let raised = stop.clone();
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| {
        receive(&message.data(), &raised, &sender);
    });
    scope.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    on_message.forget();
    let page = scope.clone();
    let outlet = move |said: Said, bytes: Option<Vec<u8>>| post(&page, &said, bytes);
    let engine = Engine::new(Box::new(outlet), stop);
    spawn_local(engine.serve(inbox));
    let _ = scope.post_message(&"alive".into());
}

/// `[json_of_asked, [File, …]]` to a request.
fn receive(data: &JsValue, stop: &Rc<Cell<bool>>, sender: &UnboundedSender<Request>) {
    let parts: &Array = data.unchecked_ref();
    let asked = serde_json::from_str::<Asked>(&parts.get(0).as_string().unwrap_or_default());
    let asked = match asked {
        Ok(asked) => asked,
        Err(error) => return log::error!("a command could not be read: {error}"),
    };
    if asked.command == Command::Stop {
        stop.set(true);
    }
    let handles: Array = parts.get(1).unchecked_into();
    let file = |file: &FileRef| {
        let blob = handles.get(file.index as u32).dyn_into::<Blob>().ok()?;
        Some(FileHandle::from_blob(file.path.clone(), blob))
    };
    let files = files_of(&asked.command).iter().filter_map(file).collect();
    if sender.unbounded_send(Request { asked, files }).is_err() {
        log::error!("the engine listens no more");
    }
}

/// The files a command counts.
fn files_of(command: &Command) -> &[FileRef] {
    match command {
        Command::OpenAncestor { files }
        | Command::AddPictures { files, .. }
        | Command::ExportPage { files, .. }
        | Command::Predict { files, .. }
        | Command::Glance { files, .. } => files,
        Command::Project(ProjectCommand::Import { files }) => files,
        _ => &[],
    }
}

fn post(page: &DedicatedWorkerGlobalScope, said: &Said, bytes: Option<Vec<u8>>) {
    let json = match serde_json::to_string(said) {
        Ok(json) => json,
        Err(error) => return log::error!("an event could not be written: {error}"),
    };
    let sent = match bytes {
        Some(bytes) => {
            let bytes = Uint8Array::from(bytes.as_slice());
            let buffer = bytes.buffer();
            page.post_message_with_transfer(&Array::of2(&json.into(), &bytes), &Array::of1(&buffer))
        }
        None => page.post_message(&Array::of2(&json.into(), &JsValue::NULL)),
    };
    if let Err(error) = sent {
        log::error!("an event could not be sent: {error:?}");
    }
}

/// A panic ends this worker for good; its last words tell the page to start another.
pub fn tell_of_panics() {
    std::panic::set_hook(Box::new(|info| {
        console_error_panic_hook::hook(info);
        let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
        let _ = scope.post_message(&Array::of2(&"panic".into(), &info.to_string().into()));
        scope.close();
    }));
}
