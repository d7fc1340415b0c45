//! What happens anywhere on the page: drops, pasted addresses, an engine that says nothing.

use std::time::Duration;

use leptos::ev;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::spawn_local;
use web_sys::{DragEvent, Element};

use crate::address::read_address;
use crate::ancestor::actions::open_ancestor;
use crate::browser::files::Picked;
use crate::browser::{files, wake};
use crate::pictures::actions::add_pictures;
use crate::prelude::*;
use crate::projects::actions::import_project;
use crate::store::EngineState;
use crate::trial::actions::predict;
use heirloom_plan::drops::{Destination, sort_drop};
use heirloom_plan::protocol::{JobKind, PoolReport, RaceState};

/// Seconds of silence in the middle of a job after which the page asks what to do.
const LONG_SILENCE: f64 = 60.0;
/// Time between two looks at how long the engine has been silent.
const WATCH: Duration = Duration::from_secs(5);

/// Holds the screen awake while the engine works for the person: not while a race is paused.
pub fn stay_awake(store: Store) {
    let is_working = Memo::new(move |_| {
        let is_racing =
            store.training.race.with(|race| race.as_ref().is_some_and(|race| race.state == RaceState::Running));
        let is_running = |pool: RwSignal<Option<PoolReport>>| {
            pool.with(|pool| pool.as_ref().is_some_and(|pool| pool.state == RaceState::Running))
        };
        let is_making = is_running(store.pools.pool) || is_running(store.pools.stitch);
        let is_paused = |kind: JobKind| matches!(kind, JobKind::Train | JobKind::Pool | JobKind::Tied);
        let is_learning = store.tied.with(|tied| tied.as_ref().is_some_and(|tied| tied.state == RaceState::Running));
        is_racing || is_making || is_learning || store.jobs.with(|jobs| jobs.iter().any(|job| !is_paused(job.kind)))
    });
    Effect::new(move |_| wake::hold(is_working.get()));
    wake::follow_the_page();
}

/// Drops anywhere, pasted addresses, and an engine that says nothing.
pub fn listen(store: Store) {
    let over = window_event_listener(ev::dragover, move |event: DragEvent| {
        event.prevent_default();
        mark_dragging(true);
    });
    let leave = window_event_listener(ev::dragleave, move |event: DragEvent| {
        if event.related_target().is_none() {
            mark_dragging(false);
        }
    });
    let drop = window_event_listener(ev::drop, move |event: DragEvent| {
        event.prevent_default();
        mark_dragging(false);
        dropped(store, &event);
    });
    let address = window_event_listener(ev::hashchange, move |_| {
        let before = store.settings.with_untracked(|settings| settings.engine);
        read_address(store);
        if store.settings.with_untracked(|settings| settings.engine) != before {
            inform(store, text().lessons.engine_later.to_owned());
        }
    });
    let focus = window_event_listener(ev::focusin, move |event| uncover(&event));
    let watched = StoredValue::new(js_sys::Date::now());
    let watch = set_interval_with_handle(
        move || {
            let slept = js_sys::Date::now() - watched.get_value();
            watched.set_value(js_sys::Date::now());
            if slept > 4.0 * WATCH.as_millis() as f64 {
                // The laptop slept, or the browser froze this tab: the engine slept as well and owes no answer yet.
                store.engine.link.with_value(|link| link.iter().for_each(crate::engine::link::Link::forgive));
            }
            let is_waiting = store.jobs.with_untracked(|jobs| !jobs.is_empty())
                || store
                    .engine
                    .state
                    .with_untracked(|engine| matches!(engine, EngineState::Loading | EngineState::Starting));
            let silence =
                store.engine.link.with_value(|link| link.as_ref().map_or(0.0, crate::engine::link::Link::silence));
            let is_silent = is_waiting && silence > LONG_SILENCE;
            if store.engine.is_silent.get_untracked() != is_silent {
                store.engine.is_silent.set(is_silent);
            }
        },
        WATCH,
    );
    on_cleanup(move || {
        [over, leave, drop, address, focus].into_iter().for_each(WindowListenerHandle::remove);
        if let Ok(watch) = watch {
            watch.clear();
        }
    });
}

/// Scrolls what has the focus out from under the messages at the lower edge.
fn uncover(event: &web_sys::Event) {
    let Some(focused) = event.target().and_then(|target| target.dyn_into::<Element>().ok()) else { return };
    let Ok(Some(notices)) = document().query_selector(".notices") else { return };
    if notices.contains(Some(&focused)) || notices.child_element_count() == 0 {
        return;
    }
    let hidden = focused.get_bounding_client_rect().bottom() + 12.0 - notices.get_bounding_client_rect().top();
    if hidden > 0.0 && focused.get_bounding_client_rect().height() < 200.0 {
        window().scroll_by_with_x_and_y(0.0, hidden);
    }
}

fn mark_dragging(on: bool) {
    if let Some(body) = document().body() {
        let _ = body.class_list().toggle_with_force("dragging", on);
    }
}

fn dropped(store: Store, event: &DragEvent) {
    let Some(transfer) = event.data_transfer() else { return };
    // Text dragged about on the page is none of our business.
    if !transfer.types().includes(&"Files".into(), 0) {
        return;
    }
    let dropped = files::of_drop(&transfer);
    let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    let is_on = |place: &str| {
        let found = target.as_ref().and_then(|target| target.closest(place).ok().flatten());
        found.is_some()
    };
    let (to_try, on_ancestor) = (is_on("[data-drop=predict]"), is_on("#ancestor"));
    store.says.spoken.set(text().pictures.walking.to_owned());
    spawn_local(async move {
        let (picked, failed) = dropped.collect().await;
        if let Some(first) = failed.first() {
            complain(store, (text().pictures.unreadable_entries)(failed.len(), first));
        }
        if to_try {
            predict(store, picked);
        } else if failed.is_empty() || !picked.is_empty() {
            sort_dropped(store, picked, on_ancestor);
        }
    });
}

/// Hands dropped files to the steps they belong to.
fn sort_dropped(store: Store, picked: Vec<Picked>, on_ancestor: bool) {
    let paths: Vec<&str> = picked.iter().map(|picked| picked.path.as_str()).collect();
    let destinations = sort_drop(&paths, on_ancestor);
    let (mut models, mut pictures, mut project) = (Vec::new(), Vec::new(), Vec::new());
    for (picked, destination) in picked.into_iter().zip(destinations) {
        match destination {
            Destination::Ancestor => models.push(picked),
            Destination::Pictures => pictures.push(picked),
            Destination::Project => project.push(picked),
            Destination::Nowhere => {}
        }
    }
    if !project.is_empty() {
        return import_project(store, project);
    }
    let has_models = !models.is_empty();
    open_ancestor(store, models);
    if !pictures.is_empty() || !has_models {
        add_pictures(store, pictures, None);
    }
}
