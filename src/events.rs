//! What the engine says, and what of the screen it changes.

use js_sys::Uint8Array;
use wasm_bindgen::JsCast;

use crate::ancestor::actions::ancestor_opened;
use crate::browser::files;
use crate::descendant::follow::{knows_clusters, knows_plan};
use crate::engine::link::{Link, Report};
use crate::engine::{bench, restart};
use crate::heads::actions::heads_measured;
use crate::jobs::{job_ended, move_job};
use crate::layers::actions::condensed;
use crate::pools::actions::{pool_moved, was_cut};
use crate::prelude::*;
use crate::projects::actions::project_moved;
use crate::say::notify;
use crate::store::EngineState;
use crate::tied::actions::tied_moved;
use crate::training::actions::{race_moved, retry_training};
use heirloom_plan::protocol::{Engine, EngineReport, Event, JobKind, Said};

/// Starts the engine.
pub fn connect(store: Store, engine: Option<Engine>) {
    let link = Link::start(engine, move |report| hear(store, report));
    store.engine.link.set_value(Some(link));
}

fn hear(store: Store, report: Report) {
    store.engine.is_silent.set(false);
    match report {
        Report::Said(said, attachment) => apply(store, said, attachment),
        Report::Alive => store.engine.state.set(EngineState::Starting),
        Report::Restarted { reason, during, cpu_only } => restart::restarted(store, &reason, during, cpu_only),
        Report::GaveUp { reason } => restart::gave_up(store, &reason),
    }
}

fn apply(store: Store, Said { answers, event }: Said, attachment: Option<Uint8Array>) {
    match event {
        Event::Engine(report) => engine_ready(store, report),
        Event::Ancestor(summary) => {
            store.survival.set(None);
            ancestor_opened(store, summary);
        }
        Event::Pictures(summary) => {
            end_job(store, JobKind::Pictures);
            store.pictures.set(Some(summary));
            store.survival.set(None);
        }
        Event::Progress(progress) => move_job(store, progress),
        Event::JobEnded { job, finished } => job_ended(store, job, finished),
        Event::Heads(report) => {
            store.survival.set(None);
            heads_measured(store, report);
        }
        Event::Speed(speed) => store.engine.speed.set(Some(speed)),
        Event::Clusters(report) => knows_clusters(store, &report),
        Event::Attention(map) => store.heads.attention.set(Some(map)),
        Event::Condensed(report) => {
            end_job(store, JobKind::Condense);
            condensed(store, report);
        }
        Event::Survival(report) => {
            end_job(store, JobKind::Survival);
            store.survival.set(Some(report));
        }
        Event::Descendant(summary) => {
            knows_plan(store, summary);
            retry_training(store);
        }
        Event::Race(report) => race_moved(store, report),
        Event::Pool(report) => pool_moved(store, *report),
        Event::Tied(report) => tied_moved(store, *report),
        Event::Cut(cut) => was_cut(store, cut),
        Event::Experiment(report) => store.training.report.set(Some(report)),
        Event::Prediction(prediction) => store.trial.predictions.update(|all| all.push(prediction)),
        Event::Glance(prediction) => store.trial.glanced(answers, prediction),
        Event::Look(look) => store.trial.looked(answers, look),
        Event::Thumbnail { path, url } => store.trial.thumbnail(path, url),
        Event::Confusion(confusion) => store.trial.confusion.set(Some(confusion)),
        Event::File { name, mime } => save(store, &name, &mime, attachment),
        Event::Notice(notice) => {
            bench::failed(&notice);
            notify(store, notice);
        }
        Event::Project(event) => project_moved(store, event, attachment),
        Event::Bench { work, json } => bench::answered(&work, &json),
    }
}

fn engine_ready(store: Store, report: EngineReport) {
    if let Some(reason) = &report.fallback {
        let mut sentence = (text().engine.fallback)(reason);
        if !window().is_secure_context() {
            sentence = format!("{sentence} {}", text().engine.insecure);
        }
        inform(store, sentence);
    }
    store.engine.state.set(EngineState::Ready(report));
    bench::ready();
}

fn save(store: Store, name: &str, mime: &str, attachment: Option<Uint8Array>) {
    let saved = attachment.map(|bytes| files::download(name, mime, bytes.unchecked_ref()));
    match saved {
        Some(Ok(())) => store.says.spoken.set((text().home.saved)(name)),
        _ => complain(store, (text().home.not_saved)(name)),
    }
}
