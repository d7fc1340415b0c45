//! What the page hears of the engine, and whether it wants what is at hand to break off: all that commands and jobs know
//! of the outside.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::rc::Rc;

use super::error::EngineError;
use super::pace::Pace;
use super::remark::Remark;
use heirloom_plan::protocol::{Event, JobKind, Notice, NoticeLevel, Progress, Said};

/// Where events go, with the bytes of files.
pub type Outlet = Box<dyn Fn(Said, Option<Vec<u8>>)>;

/// Emits events; clones are the same one.
#[derive(Clone)]
pub struct Emitter(Rc<Shared>);

struct Shared {
    outlet: Outlet,
    stop: Rc<Cell<bool>>,
    pace: Pace,
    /// Number of the command that is being answered.
    answers: Cell<Option<u64>>,
    /// Number of the command that began the job under way.
    job: Cell<Option<u64>>,
}

impl Emitter {
    /// Emits to `outlet`, and breaks off where `stop` is raised.
    pub fn new(outlet: Outlet, stop: Rc<Cell<bool>>) -> Self {
        Self(Rc::new(Shared { outlet, stop, pace: Pace::default(), answers: Cell::default(), job: Cell::default() }))
    }

    pub fn emit(&self, event: Event) {
        self.say(event, None);
    }

    pub fn emit_file(&self, name: String, mime: &str, bytes: Vec<u8>) {
        self.emit_with(Event::File { name, mime: mime.to_string() }, bytes);
    }

    /// Emits an event whose bytes travel beside it.
    pub fn emit_with(&self, event: Event, bytes: Vec<u8>) {
        self.say(event, Some(bytes));
    }

    fn say(&self, event: Event, bytes: Option<Vec<u8>>) {
        (self.0.outlet)(Said { answers: self.0.answers.get(), event }, bytes);
    }

    /// What is emitted from now on answers this command.
    pub fn answering(&self, id: Option<u64>) {
        self.0.answers.set(id);
    }

    /// The command at hand began a job.
    pub fn job_begins(&self) {
        self.0.job.set(self.0.answers.get());
    }

    /// The job is over; one that comes back from the store was begun by no command.
    pub fn job_is_over(&self) {
        self.0.job.set(None);
    }

    /// What is emitted from now on comes of the job.
    pub fn answering_for_job(&self) {
        self.answering(self.0.job.get());
    }

    /// Emits as the job under way, though another command (that it stop, say) is being carried out.
    pub fn of_job<T>(&self, act: impl FnOnce() -> T) -> T {
        let before = self.0.answers.replace(self.0.job.get());
        let done = act();
        self.answering(before);
        done
    }

    /// How fast the job at hand moves.
    pub fn pace(&self) -> &Pace {
        &self.0.pace
    }

    /// Emits how far a job is, at most four times a second.
    pub fn progress(&self, job: JobKind, done: usize, total: usize, note: &str) {
        if let Some(seconds_left) = self.pace().step(done, total) {
            let note = note.to_string();
            let (is_warming_up, is_preparing) = (false, false);
            let progress = Progress { job, done, total, seconds_left, note, is_warming_up, is_preparing };
            self.emit(Event::Progress(progress));
        }
    }

    /// Emits what a command led to, or why to nothing.
    pub fn answer(&self, answer: Result<Event, impl Into<EngineError>>) {
        self.notify_failure(answer).into_iter().for_each(|event| self.emit(event));
    }

    /// What there is; else says why there is nothing.
    pub fn notify_failure<T>(&self, result: Result<T, impl Into<EngineError>>) -> Option<T> {
        result.map_err(|reason| self.notify_error(reason)).ok()
    }

    pub fn ended(&self, job: JobKind, finished: bool) {
        self.emit(Event::JobEnded { job, finished });
    }

    pub fn notify_info(&self, remark: impl Into<Remark>) {
        self.emit(Event::Notice(Notice::of(NoticeLevel::Info, &remark.into())));
    }

    /// Every error goes by way of [`EngineError`], so that its code begins alike wherever it was met.
    pub fn notify_error(&self, reason: impl Into<EngineError>) {
        self.emit(Event::Notice(Notice::of(NoticeLevel::Error, &reason.into())));
    }

    /// Whether the person wants the command at hand to break off.
    pub fn flow(&self) -> ControlFlow<()> {
        if self.0.stop.get() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Another command begins, which nobody wanted to break off yet.
    pub fn lower_stop(&self) {
        self.0.stop.set(false);
    }
}
