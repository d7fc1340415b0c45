//! Sentences for the person, and what a report for the makers holds besides.

use leptos::prelude::*;

use crate::format;
use crate::store::{EngineState, Shown, Store};
use heirloom_plan::protocol::{Notice, NoticeLevel};
use heirloom_plan::settings::Settings;

/// Notices kept on the screen; older ones make room.
const MOST_NOTICES: usize = 6;

/// Shows a notice; the same sentence twice is shown once.
pub fn notify(store: Store, notice: Notice) {
    if notice.level == NoticeLevel::Error {
        // A command refused before it began has no `JobEnded` to wait for.
        store.jobs.update(|jobs| jobs.retain(|job| job.progress.is_some()));
    }
    let id = store.says.next.get_value();
    store.says.next.set_value(id + 1);
    let context = report_context(store);
    store.says.notices.update(|notices| {
        notices.retain(|shown| shown.notice != notice);
        notices.push(Shown { id, notice, context });
        let over = notices.len().saturating_sub(MOST_NOTICES);
        notices.drain(..over);
    });
}

/// Says what is good to know.
pub fn inform(store: Store, text: String) {
    // A status that enters the page together with its words is often not read out; a standing one is.
    store.says.spoken.set(text.clone());
    notify(store, Notice::of_text(NoticeLevel::Info, text));
}

/// Says what did not work.
pub fn complain(store: Store, text: String) {
    notify(store, Notice::of_text(NoticeLevel::Error, text));
}

/// What a copied report says besides its sentence: nothing of the person's pictures but their number.
fn report_context(store: Store) -> String {
    let navigator = window().navigator();
    let engine = store.engine.state.with_untracked(|engine| match engine {
        EngineState::Ready(report) => format!("{:?} {} {:?}", report.engine, report.name, report.self_test),
        other => format!("{other:?}"),
    });
    let ancestor = store.ancestor.with_untracked(|ancestor| {
        ancestor.as_ref().map(|a| {
            let [name, family, dtype] = [&a.name, &a.family, &a.dtype];
            format!("{name}: {family}, {:?}, {dtype}", a.config)
        })
    });
    let pictures = store.pictures.with_untracked(|pictures| {
        pictures.as_ref().map(|p| {
            let (train, validation) = p.classes.iter().fold((0, 0), |(t, v), c| (t + c.train, v + c.validation));
            format!("{} classes, {train} + {validation}, unreadable {}", p.classes.len(), p.unreadable_count)
        })
    });
    let memory = store.plans.descendant.with_untracked(|d| d.as_ref().map(|d| format::bytes(d.training_bytes)));
    let settings = store.settings.with_untracked(Settings::to_fragment);
    format!(
        "Heirloom {}\nengine: {engine}\nancestor: {}\npictures: {}\ntraining memory: {}\nsettings: #{settings}\nbrowser: {}\n",
        env!("CARGO_PKG_VERSION"),
        ancestor.as_deref().unwrap_or("-"),
        pictures.as_deref().unwrap_or("-"),
        memory.as_deref().unwrap_or("-"),
        navigator.user_agent().unwrap_or_default(),
    )
}
