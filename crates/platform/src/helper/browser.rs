//! Helpers as nested workers of this worker's own program.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use futures::channel::oneshot;
use js_sys::{Array, Float32Array};
use wasm_bindgen::prelude::*;
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent, Worker, WorkerGlobalScope, WorkerOptions, WorkerType};

use super::{Answering, Message};

/// What a helper says once its program runs.
const ALIVE: &str = "alive";

/// A worker that answers one message after the other.
#[derive(Debug)]
pub struct Helper {
    worker: Worker,
    is_ready: Rc<Cell<bool>>,
    waiting: Rc<RefCell<VecDeque<oneshot::Sender<Message>>>>,
    _handlers: [Closure<dyn FnMut(MessageEvent)>; 2],
}

impl Helper {
    /// Starts one from the script and the compiled module that this worker was started from; `None` where a worker may
    /// have none of its own. What it answers with is chosen where the program begins ([`serve`]).
    pub fn start(_: Answering) -> Option<Self> {
        let scope: WorkerGlobalScope = js_sys::global().dyn_into().ok()?;
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        options.set_name(super::NAME);
        let worker = Worker::new_with_options(&scope.location().href(), &options).ok()?;
        worker.post_message(&wasm_bindgen::module()).ok()?;
        let is_ready = Rc::new(Cell::new(false));
        let waiting: Rc<RefCell<VecDeque<oneshot::Sender<Message>>>> = Rc::default();
        let (ready, asked) = (is_ready.clone(), waiting.clone());
        let on_message = Closure::new(move |event: MessageEvent| {
            if event.data().as_string().as_deref() == Some(ALIVE) {
                return ready.set(true);
            }
            let data: Array = event.data().unchecked_into();
            match (data.get(0).as_string(), data.get(1).dyn_into::<Float32Array>()) {
                (Some(head), Ok(numbers)) => {
                    let next = asked.borrow_mut().pop_front();
                    // Whoever asked may have given up.
                    let _ = next.map(|answer| answer.send((head, numbers.to_vec())));
                }
                // The last words of a panic: those who wait hear that nothing will come.
                _ => {
                    ready.set(false);
                    asked.borrow_mut().clear();
                }
            }
        });
        let (ready, asked) = (is_ready.clone(), waiting.clone());
        let on_error = Closure::new(move |_: MessageEvent| {
            ready.set(false);
            asked.borrow_mut().clear();
        });
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        Some(Self { worker, is_ready, waiting, _handlers: [on_message, on_error] })
    }

    /// Whether its program runs.
    pub fn is_ready(&self) -> bool {
        self.is_ready.get()
    }

    /// Its answer; `None` when it is lost.
    pub fn ask(&self, head: &str, numbers: &[&[f32]]) -> impl Future<Output = Option<Message>> + use<> {
        let all = Float32Array::new_with_length(numbers.iter().map(|part| part.len() as u32).sum());
        let mut from = 0;
        for part in numbers {
            let to = from + part.len() as u32;
            all.subarray(from, to).copy_from(part);
            from = to;
        }
        let (answer, answered) = oneshot::channel();
        let message = Array::of2(&head.into(), &all);
        let is_sent = self.worker.post_message_with_transfer(&message, &Array::of1(&all.buffer())).is_ok();
        if is_sent {
            self.waiting.borrow_mut().push_back(answer);
        }
        async move { if is_sent { answered.await.ok() } else { None } }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.worker.terminate();
    }
}

/// Answers whoever started this worker, for as long as it lives. `false` where this is no helper.
pub fn serve(answering: Answering) -> bool {
    let Ok(scope) = js_sys::global().dyn_into::<DedicatedWorkerGlobalScope>() else { return false };
    if scope.name() != super::NAME {
        return false;
    }
    let back = scope.clone();
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let data: Array = event.data().unchecked_into();
        let numbers: Float32Array = data.get(1).unchecked_into();
        let (head, numbers) = answering((data.get(0).as_string().unwrap_or_default(), numbers.to_vec()));
        let numbers = Float32Array::from(numbers.as_slice());
        let message = Array::of2(&head.into(), &numbers);
        let _ = back.post_message_with_transfer(&message, &Array::of1(&numbers.buffer()));
    });
    scope.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    on_message.forget();
    scope.post_message(&ALIVE.into()).is_ok()
}
