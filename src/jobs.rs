//! Long jobs as the person sees them.

use leptos::prelude::*;

use crate::store::{Job, Store};
use crate::strings::text;
use heirloom_plan::protocol::{JobKind, Progress};

/// Whether any long job is under way.
pub fn is_busy(store: Store) -> bool {
    store.jobs.with(|jobs| !jobs.is_empty())
}

/// Whether one of this kind is.
pub fn has_job(store: Store, kind: JobKind) -> bool {
    store.jobs.with(|jobs| jobs.iter().any(|job| job.kind == kind))
}

/// Shows a job before the engine says how far it is: nothing the person starts is without an answer.
pub fn begin_job(store: Store, kind: JobKind) {
    end_job(store, kind);
    store.jobs.update(|jobs| jobs.push(Job { kind, progress: None }));
}

/// It is over.
pub fn end_job(store: Store, kind: JobKind) {
    if untrack(|| has_job(store, kind)) {
        store.jobs.update(|jobs| jobs.retain(|job| job.kind != kind));
    }
}

/// It is over, and that is said.
pub fn job_ended(store: Store, job: JobKind, finished: bool) {
    end_job(store, job);
    let t = &text().jobs;
    store.says.spoken.set(if finished { (t.finished)((t.name)(job)) } else { (t.stopped)((t.name)(job)) });
}

/// How far it is.
pub fn move_job(store: Store, progress: Progress) {
    speak_quarter(store, &progress);
    store.jobs.update(|jobs| {
        let kind = progress.job;
        match jobs.iter_mut().find(|job| job.kind == kind) {
            Some(job) => job.progress = Some(progress),
            None => jobs.push(Job { kind, progress: Some(progress) }),
        }
    });
}

/// A screen reader hears of each quarter, not of each step.
fn speak_quarter(store: Store, progress: &Progress) {
    let quarter = |progress: &Progress| progress.done * 4 / progress.total.max(1);
    let before = store.jobs.with_untracked(|jobs| {
        let job = jobs.iter().find(|job| job.kind == progress.job)?;
        job.progress.as_ref().map(quarter)
    });
    let now = quarter(progress);
    if (1..4).contains(&now) && before.is_some_and(|before| before < now) {
        let t = &text().jobs;
        store.says.spoken.set((t.quarter)((t.name)(progress.job), now * 25));
    }
}
