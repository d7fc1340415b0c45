//! What the page says and does when the engine died, and what a report for the makers holds.

use leptos::prelude::*;

use super::state::{App, EngineState};
use super::strings::text;
use super::{bench, format};
use heirloom_plan::protocol::{JobKind, RaceState};

/// A new engine is being brought to where the dead one stood.
pub fn restarted(app: App, reason: &str, during: Option<JobKind>, cpu_only: bool) {
    app.engine.set(EngineState::Loading);
    let smaller = is_training(app).then(|| app.plan_retry(reason)).flatten();
    let making = app.lose_pools();
    let training = lose_engine(app);
    let during = match (training, making) {
        (true, _) => Some(JobKind::Train),
        (false, true) => Some(JobKind::Pool),
        (false, false) => during,
    };
    let t = &text().engine;
    let is_kept = app.projects.is_kept();
    if let (true, Some(pictures)) = (is_kept, smaller) {
        app.resume_in_parts(pictures);
    }
    let mut sentence = match is_kept {
        true => {
            let ago = untrack(|| app.projects.saved_ago());
            (text().projects.restarted)(reason, during.map(text().jobs.name), ago.as_deref())
        }
        false => (t.restarted)(reason, during.map(text().jobs.name)),
    };
    if cpu_only {
        sentence.push(' ');
        sentence.push_str(t.cpu_from_now);
    }
    if !is_kept && app.race.with_untracked(Option::is_some) {
        sentence.push(' ');
        sentence.push_str(t.models_lost);
    }
    if let Some(pictures) = smaller {
        sentence.push(' ');
        sentence.push_str(&(text().race.retry)(pictures));
    }
    bench::lost(&sentence);
    app.complain(sentence);
}

/// The engine died again and again.
pub fn gave_up(app: App, reason: &str) {
    app.engine.set(EngineState::Gone);
    app.lose_pools();
    lose_engine(app);
    let sentence = (text().engine.gave_up)(reason);
    bench::lost(&sentence);
    app.complain(sentence);
}

fn is_training(app: App) -> bool {
    let state = app.race.with_untracked(|race| race.as_ref().map(|race| race.state));
    matches!(state, Some(RaceState::Running | RaceState::Paused))
}

/// Takes from the screen what only the dead engine knew; curves stay. Returns whether a race was under way.
fn lose_engine(app: App) -> bool {
    app.jobs.set(Vec::new());
    app.knows_nothing(false);
    app.trial.forget();
    app.heads.set(None);
    app.attention.set(None);
    let mut training = false;
    app.race.update(|race| {
        if let Some(race) = race {
            app.models_lost.set(!app.projects.is_kept());
            training = matches!(race.state, RaceState::Running | RaceState::Paused);
            if training {
                race.state = RaceState::Stopped;
            }
        }
    });
    training
}

/// What a copied report says besides its sentence: nothing of the person's pictures but their number.
pub fn report_context(app: App) -> String {
    let navigator = window().navigator();
    let engine = app.engine.with_untracked(|engine| match engine {
        EngineState::Ready(report) => format!("{:?} {} {:?}", report.engine, report.name, report.self_test),
        other => format!("{other:?}"),
    });
    let ancestor = app.ancestor.with_untracked(|ancestor| {
        ancestor.as_ref().map(|a| {
            let [name, family, dtype] = [&a.name, &a.family, &a.dtype];
            format!("{name}: {family}, {:?}, {dtype}", a.config)
        })
    });
    let pictures = app.pictures.with_untracked(|pictures| {
        pictures.as_ref().map(|p| {
            let (train, validation) = p.classes.iter().fold((0, 0), |(t, v), c| (t + c.train, v + c.validation));
            format!("{} classes, {train} + {validation}, unreadable {}", p.classes.len(), p.unreadable_count)
        })
    });
    let memory = app.plans.descendant.with_untracked(|d| d.as_ref().map(|d| format::bytes(d.training_bytes)));
    let settings = app.settings.with_untracked(heirloom_plan::settings::Settings::to_fragment);
    format!(
        "Heirloom {}\nengine: {engine}\nancestor: {}\npictures: {}\ntraining memory: {}\nsettings: #{settings}\nbrowser: {}\n",
        env!("CARGO_PKG_VERSION"),
        ancestor.as_deref().unwrap_or("-"),
        pictures.as_deref().unwrap_or("-"),
        memory.as_deref().unwrap_or("-"),
        navigator.user_agent().unwrap_or_default(),
    )
}
