//! The page's end of the wire: starts the engine worker, speaks with it, and puts a new one in its place when it dies.
//!
//! Page to worker: `[json_of_asked, [File, …]]`. Worker to page: `"alive"` once its wasm runs, then
//! `[json_of_said, Uint8Array | null]`, or `["panic", sentence]` as its last word. A browser never restarts a worker,
//! a GPU error in burn is a panic, and a panic is final: that is why the page owns the restart.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{ErrorEvent, File, MessageEvent, Worker};

use super::program;
use heirloom_plan::journal::Journal;
use heirloom_plan::protocol::{Asked, Command, Engine, Event, JobKind, ProjectCommand, ProjectEvent, Said};

/// Deaths in a row, without a device in between, after which the page stops trying.
const MOST_DEATHS: usize = 2;

/// What the link tells the page.
#[allow(clippy::large_enum_variant, reason = "there is one at a time, and it is nearly always an event")]
pub enum Report {
    /// The engine said something; the attachment are the bytes of a file, or of what is between files.
    Said(Said, Option<Uint8Array>),
    /// The worker's wasm runs.
    Alive,
    /// The engine died and a new one is being brought to the same place.
    Restarted {
        /// Last words of the dead one.
        reason: String,
        /// What it was doing; this is not repeated.
        during: Option<JobKind>,
        /// Whether the new one is asked to leave WebGPU alone because the old one died while starting it.
        cpu_only: bool,
    },
    /// The engine died again and again; only the person can start another.
    GaveUp {
        /// Last words.
        reason: String,
    },
}

/// A connection to the engine. Clones speak to the same engine.
#[derive(Clone)]
pub struct Link {
    inner: Rc<RefCell<Inner>>,
}

struct Inner {
    worker: Option<Worker>,
    handlers: Vec<Closure<dyn FnMut(JsValue)>>,
    /// Handlers of the worker before: one of them may be the very function that is being executed.
    retired: Vec<Closure<dyn FnMut(JsValue)>>,
    alive: bool,
    /// Whether this engine has reported its device.
    ready: bool,
    deaths: usize,
    /// Whether a race that is brought back waits for the person.
    calm: bool,
    last_heard: f64,
    queue: Vec<(Asked, Vec<File>)>,
    /// Commands so far; the next one bears this number.
    asked: u64,
    journal: Journal<File>,
    engine: Option<Engine>,
    /// Workers asked for so far.
    spawned: u64,
    report: Rc<dyn Fn(Report)>,
}

impl Link {
    /// Starts an engine; `report` hears everything it says.
    pub fn start(engine: Option<Engine>, report: impl Fn(Report) + 'static) -> Self {
        let inner = Inner {
            worker: None,
            handlers: Vec::new(),
            retired: Vec::new(),
            alive: false,
            ready: false,
            deaths: 0,
            calm: false,
            last_heard: js_sys::Date::now(),
            queue: Vec::new(),
            asked: 0,
            journal: Journal::default(),
            engine,
            spawned: 0,
            report: Rc::new(report),
        };
        let link = Self { inner: Rc::new(RefCell::new(inner)) };
        link.spawn();
        link.send(Command::Start { engine }, Vec::new());
        link
    }

    /// Sends a command with the handles its `FileRef`s count; kept back until the worker runs. Returns its number, which
    /// what comes of it bears.
    pub fn send(&self, command: Command, files: Vec<File>) -> u64 {
        let mut inner = self.inner.borrow_mut();
        let asked = inner.ask(command, &files);
        let id = asked.id;
        if inner.alive {
            inner.post(&asked, &files);
        } else {
            inner.queue.push((asked, files));
        }
        id
    }

    /// Seconds since the worker last said anything.
    pub fn silence(&self) -> f64 {
        (js_sys::Date::now() - self.inner.borrow().last_heard) / 1e3
    }

    /// Counts the silence from now on: page and worker were both asleep.
    pub fn forgive(&self) {
        self.inner.borrow_mut().last_heard = js_sys::Date::now();
    }

    /// Puts a new engine in the place of one that the person gave up on.
    pub fn restart(&self, reason: &str) {
        let mut inner = self.inner.borrow_mut();
        // One that died again and again may do so once more: a race then waits for the person.
        inner.calm = inner.deaths > MOST_DEATHS;
        inner.deaths = 0;
        drop(inner);
        self.replace(reason);
    }

    fn spawn(&self) {
        let mut inner = self.inner.borrow_mut();
        inner.spawned += 1;
        let (spawned, engine) = (inner.spawned, inner.engine);
        drop(inner);
        let link = self.clone();
        spawn_local(async move {
            let worker = program::worker(engine).await;
            // Meanwhile the person may have asked for another one.
            if link.inner.borrow().spawned != spawned {
                return;
            }
            match worker {
                Ok(worker) => link.listen(worker),
                Err(error) => link.tell(Report::GaveUp { reason: words(&error) }),
            }
        });
    }

    fn listen(&self, worker: Worker) {
        let on_message = self.handler(|link, value| link.hear(&value.unchecked_into::<MessageEvent>().data()));
        let on_error = self.handler(|link, value| link.die(&error_words(&value)));
        let on_garbled = self.handler(|link, _| link.die("a message from the engine could not be read"));
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        worker.set_onmessageerror(Some(on_garbled.as_ref().unchecked_ref()));
        let mut inner = self.inner.borrow_mut();
        inner.retired = std::mem::replace(&mut inner.handlers, vec![on_message, on_error, on_garbled]);
        inner.worker = Some(worker);
        inner.alive = false;
        inner.ready = false;
        inner.last_heard = js_sys::Date::now();
    }

    fn handler(&self, act: impl Fn(&Self, JsValue) + 'static) -> Closure<dyn FnMut(JsValue)> {
        let weak = Rc::downgrade(&self.inner);
        Closure::new(move |value| {
            if let Some(inner) = weak.upgrade() {
                act(&Self { inner }, value);
            }
        })
    }

    fn hear(&self, data: &JsValue) {
        self.inner.borrow_mut().last_heard = js_sys::Date::now();
        if data.as_string().as_deref() == Some("alive") {
            self.inner.borrow_mut().wake();
            return self.tell(Report::Alive);
        }
        let parts: &Array = data.unchecked_ref();
        let first = parts.get(0).as_string().unwrap_or_default();
        if first == "panic" {
            return self.die(&parts.get(1).as_string().unwrap_or_default());
        }
        match serde_json::from_str::<Said>(&first) {
            Ok(said) => {
                self.inner.borrow_mut().note(&said);
                self.tell(Report::Said(said, parts.get(1).dyn_into().ok()));
            }
            Err(error) => log::error!("the engine said something unknown ({error}): {first:.200}"),
        }
    }

    fn die(&self, reason: &str) {
        self.inner.borrow_mut().deaths += 1;
        if self.inner.borrow().deaths > MOST_DEATHS {
            self.inner.borrow_mut().stop();
            return self.tell(Report::GaveUp { reason: reason.to_owned() });
        }
        self.replace(reason);
    }

    fn replace(&self, reason: &str) {
        let mut inner = self.inner.borrow_mut();
        // A worker that fell while acquiring a GPU would fall again, and one that fell twice over the same work most
        // likely lost its GPU; a forced engine is the person's choice, though.
        let fell_at_start = !inner.ready && inner.alive;
        let cpu_only = (fell_at_start || inner.deaths == MOST_DEATHS) && inner.engine.is_none();
        inner.stop();
        let (entries, during) = inner.journal.replay();
        if cpu_only {
            inner.engine = Some(Engine::Cpu);
        }
        inner.queue.clear();
        for (mut command, files) in entries {
            if let Command::Start { engine } = &mut command {
                *engine = inner.engine;
            }
            if let Command::Project(ProjectCommand::Begin { calm, .. }) = &mut command {
                *calm = inner.calm;
            }
            let asked = inner.ask(command, &files);
            inner.queue.push((asked, files));
        }
        drop(inner);
        self.spawn();
        self.tell(Report::Restarted { reason: reason.to_owned(), during, cpu_only });
    }

    /// Calls the page without holding the borrow: the page may send a command at once.
    fn tell(&self, report: Report) {
        let listener = self.inner.borrow().report.clone();
        listener(report);
    }
}

impl Inner {
    fn wake(&mut self) {
        self.alive = true;
        for (asked, files) in std::mem::take(&mut self.queue) {
            self.post(&asked, &files);
        }
    }

    /// Numbers a command, and notes it.
    fn ask(&mut self, command: Command, files: &[File]) -> Asked {
        let id = self.asked;
        self.asked += 1;
        self.journal.sent(id, &command, files);
        Asked { id, command }
    }

    fn note(&mut self, said: &Said) {
        self.journal.received(said);
        let event = &said.event;
        if matches!(event, Event::Engine(_)) {
            self.ready = true;
        }
        // An engine that finished something is a sound one: later deaths are counted afresh. Opening what was kept does
        // not count, for it comes after every death.
        let has_saved = matches!(event, Event::Project(ProjectEvent::Saved(_)));
        let has_done = matches!(event, Event::Ancestor(_) | Event::Heads(_) | Event::JobEnded { finished: true, .. });
        if has_saved || has_done && !self.journal.is_opening() {
            self.deaths = 0;
        }
    }

    fn post(&self, asked: &Asked, files: &[File]) {
        let Some(worker) = &self.worker else { return };
        match serde_json::to_string(asked) {
            Ok(json) => {
                let message = Array::of2(&json.into(), &files.iter().collect::<Array>());
                if let Err(error) = worker.post_message(&message) {
                    log::error!("a command could not be sent: {}", words(&error));
                }
            }
            Err(error) => log::error!("a command could not be written: {error}"),
        }
    }

    /// Ends the worker and leaves nothing of it that could still call.
    fn stop(&mut self) {
        if let Some(worker) = self.worker.take() {
            worker.set_onmessage(None);
            worker.set_onerror(None);
            worker.set_onmessageerror(None);
            worker.terminate();
        }
        self.alive = false;
        self.ready = false;
    }
}

/// A JavaScript error in words.
fn words(value: &JsValue) -> String {
    value.dyn_ref::<js_sys::Error>().map_or_else(|| format!("{value:?}"), |error| String::from(error.message()))
}

fn error_words(event: &JsValue) -> String {
    event.dyn_ref::<ErrorEvent>().map(ErrorEvent::message).filter(|message| !message.is_empty()).unwrap_or_default()
}
