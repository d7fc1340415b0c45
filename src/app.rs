//! The whole page: header, steps, messages, footer, and what happens anywhere on it.

use std::time::Duration;

use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::spawn_local;
use web_sys::{DragEvent, Element, HtmlElement, UrlSearchParams};

use super::pages::{
    AncestorStep, CompareStep, DescendantStep, HeadsStep, HomeStep, LayersStep, Lessons, MethodChoice, PicturesStep,
    PoolStep, ProjectsBar, ShowMe, SmallModelsStep, StackStep, TrainingStep, TrialStep,
};
use super::pools::is_pool;
use super::state::{App, EngineState};
use super::strings::{settings::expected, text};
use super::widgets::Notices;
use super::{bench, files, wake};
use heirloom_plan::protocol::{Engine, JobKind, Method, PoolReport, RaceState};
use heirloom_plan::settings::{Fault, Settings};

/// Seconds of silence in the middle of a job after which the page asks what to do.
const LONG_SILENCE: f64 = 60.0;
/// Time between two looks at how long the engine has been silent.
const WATCH: Duration = Duration::from_secs(5);
/// Pieces of a bad address that are named.
const MOST_FAULTS: usize = 5;

/// The page.
#[component]
pub fn Page() -> impl IntoView {
    let app = App::new();
    provide_context(app);
    let is_bench = bench::is_wanted();
    if is_bench {
        bench::install(app);
    }
    read_address(app);
    let forced = query("engine").and_then(|name| Engine::of_name(&name));
    app.connect(forced.or_else(|| app.settings.with_untracked(|settings| settings.engine)));
    if !is_bench {
        app.begin_keeping();
    }
    follow_settings(app);
    app.follow_plans();
    listen(app);
    stay_awake(app);
    let main = NodeRef::<leptos::html::Main>::new();
    let measure = move || {
        if let Some(body) = main.get_untracked().and_then(|main| main.query_selector(".step-body").ok().flatten()) {
            app.width.set(f64::from(body.client_width()).max(240.0));
        }
    };
    Effect::new(move |_| {
        main.track();
        measure();
    });
    on_cleanup({
        let handle = window_event_listener(ev::resize, move |_| measure());
        move || handle.remove()
    });
    view! {
        <a class="skip" href="#main" on:click=move |event| jump(&event, "ancestor")>{text().page.skip}</a>
        <Header/>
        {(!is_bench).then(|| view! { <ProjectsBar/> })}
        <main id="main" node_ref=main>
            {if is_bench { view! { <p class="intro">{text().page.bench}</p> }.into_any() } else { steps().into_any() }}
        </main>
        <Footer/>
        <Notices/>
        <p class="unseen" role="status">{move || app.spoken.get()}</p>
    }
}

fn steps() -> impl IntoView {
    let app = expect_context::<App>();
    let method = Memo::new(move |_| app.method());
    // Steps 3 to 5 are the method's own.
    let own = move || match method.get() {
        Method::Layers => view! { <LayersStep/> <StackStep/> <TrainingStep/> }.into_any(),
        Method::Cluster => view! { <HeadsStep/> <DescendantStep/> <TrainingStep/> }.into_any(),
        Method::Pool | Method::Stitch => view! { <SmallModelsStep/> <PoolStep/> <CompareStep/> }.into_any(),
    };
    view! {
        <ShowMe/>
        <Lessons/>
        <AncestorStep/>
        <PicturesStep/>
        <MethodChoice/>
        {own}
        <TrialStep/>
        <HomeStep/>
    }
}

/// The value of a parameter of the address (`?name=value`; empty where it has none).
pub fn query(name: &str) -> Option<String> {
    let search = window().location().search().ok()?;
    UrlSearchParams::new_with_str(&search).ok()?.get(name)
}

#[component]
fn Header() -> impl IntoView {
    let app = expect_context::<App>();
    let t = text();
    let status = move || match app.engine.get() {
        EngineState::Loading => t.engine.loading.to_owned(),
        EngineState::Starting => t.engine.starting.to_owned(),
        EngineState::Ready(report) => match report.engine {
            Engine::WebGpu => format!("WebGPU · {}", report.name),
            Engine::Cpu => format!("CPU · {}", report.name),
        },
        EngineState::Gone => t.engine.gone.to_owned(),
    };
    let self_test = move || match app.engine.get() {
        EngineState::Ready(report) => report.self_test,
        _ => Vec::new(),
    };
    let can_restart = move || app.silent.get() || app.engine.get() == EngineState::Gone;
    view! {
        <header class="top">
            <div class="brand">
                <h1>"Heirloom"</h1>
                <p>{t.page.tagline}</p>
            </div>
            <div class="engine">
                <p data-testid="engine-status" class="engine-name" class:ready=move || matches!(app.engine.get(), EngineState::Ready(_))>
                    {status}
                </p>
                <Show when=move || !self_test().is_empty()>
                    <details class="self-test">
                        <summary>{t.engine.self_test}</summary>
                        <ul>{move || self_test().into_iter().map(|line| view! { <li>{line}</li> }).collect_view()}</ul>
                    </details>
                </Show>
                <Show when=can_restart>
                    <p class="silent">{move || app.silent.get().then_some(t.engine.silent)}</p>
                    <button type="button" class="quiet" data-testid="engine-restart" on:click=move |_| app.restart_engine()>
                        {t.engine.again}
                    </button>
                </Show>
            </div>
            <nav class="steps" aria-label=t.page.steps>
                <ol>
                    {move || {
                        step_names(is_pool(app.method()))
                            .into_iter()
                            .map(|(id, name)| {
                                view! {
                                    <li>
                                        <a href=format!("#{id}") on:click=move |event| jump(&event, id)>{name}</a>
                                    </li>
                                }
                            })
                            .collect_view()
                    }}
                </ol>
            </nav>
        </header>
    }
}

/// The steps of the method in use.
fn step_names(is_pool: bool) -> [(&'static str, &'static str); 7] {
    let t = text();
    let [third, fourth, fifth] = match is_pool {
        true => [&t.pool.set_up, &t.pool.pool, &t.pool.compare],
        false => [&t.heads.heading, &t.descendant.heading, &t.training.heading],
    };
    [
        ("ancestor", t.ancestor.heading.title),
        ("pictures", t.pictures.heading.title),
        ("heads", third.title),
        ("descendant", fourth.title),
        ("training", fifth.title),
        ("trial", t.trial.heading.title),
        ("home", t.home.heading.title),
    ]
}

#[component]
fn Footer() -> impl IntoView {
    let t = &text().page;
    view! {
        <footer>
            <p>{t.privacy}</p>
            <details>
                <summary>{t.privacy_check_title}</summary>
                <p>{t.privacy_check}</p>
            </details>
            <details>
                <summary>{t.paper_link}</summary>
                <p>{t.paper}</p>
            </details>
        </footer>
    }
}

/// Goes to a step without touching the address, where the settings stand.
pub fn jump(event: &ev::MouseEvent, id: &str) {
    event.prevent_default();
    if let Some(heading) = document().get_element_by_id(&format!("{id}-title")) {
        heading.scroll_into_view();
        let _ = heading.unchecked_into::<HtmlElement>().focus();
    }
}

/// Takes the settings of the address, and says what was not understood.
fn read_address(app: App) {
    let hash = window().location().hash().unwrap_or_default();
    let (settings, faults) = Settings::read_fragment(&hash);
    app.settings.set(settings);
    if !faults.is_empty() {
        let t = &text().lessons;
        let fault = |Fault { piece, expected: wanted }: &Fault| match wanted {
            Some(wanted) => (t.bad)(piece, &expected(*wanted)),
            None => (t.unknown)(piece),
        };
        app.inform((t.faults)(&faults.iter().take(MOST_FAULTS).map(fault).collect::<Vec<_>>().join(", ")));
    }
}

/// Holds the screen awake while the engine works for the person: not while a race is paused.
fn stay_awake(app: App) {
    let is_working = Memo::new(move |_| {
        let is_racing = app.race.with(|race| race.as_ref().is_some_and(|race| race.state == RaceState::Running));
        let is_running = |pool: RwSignal<Option<PoolReport>>| {
            pool.with(|pool| pool.as_ref().is_some_and(|pool| pool.state == RaceState::Running))
        };
        let is_making = is_running(app.pools.pool) || is_running(app.pools.stitch);
        let is_paused = |kind: JobKind| matches!(kind, JobKind::Train | JobKind::Pool);
        is_racing || is_making || app.jobs.with(|jobs| jobs.iter().any(|job| !is_paused(job.kind)))
    });
    Effect::new(move |_| wake::hold(is_working.get()));
    wake::follow_the_page();
}

/// Keeps the address in step with the settings.
fn follow_settings(app: App) {
    let write = leptos::leptos_dom::helpers::debounce(Duration::from_millis(500), move |fragment: String| {
        let location = window().location();
        let [path, search] = [location.pathname(), location.search()].map(Result::unwrap_or_default);
        let address = if fragment.is_empty() { format!("{path}{search}") } else { format!("#{fragment}") };
        if let Ok(history) = window().history() {
            let _ = history.replace_state_with_url(&wasm_bindgen::JsValue::NULL, "", Some(&address));
        }
    });
    let write = StoredValue::new_local(write);
    Effect::new(move |before: Option<String>| {
        let fragment = app.settings.with(Settings::to_fragment);
        if before.is_some_and(|before| before != fragment) {
            write.update_value(|write| write(fragment.clone()));
        }
        fragment
    });
}

/// Drops anywhere, pasted addresses, and an engine that says nothing.
fn listen(app: App) {
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
        dropped(app, &event);
    });
    let address = window_event_listener(ev::hashchange, move |_| {
        let before = app.settings.with_untracked(|settings| settings.engine);
        read_address(app);
        if app.settings.with_untracked(|settings| settings.engine) != before {
            app.inform(text().lessons.engine_later.to_owned());
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
                app.link.with_value(|link| link.iter().for_each(crate::link::Link::forgive));
            }
            let is_waiting = app.jobs.with_untracked(|jobs| !jobs.is_empty())
                || app.engine.with_untracked(|engine| matches!(engine, EngineState::Loading | EngineState::Starting));
            let silence = app.link.with_value(|link| link.as_ref().map_or(0.0, crate::link::Link::silence));
            let is_silent = is_waiting && silence > LONG_SILENCE;
            if app.silent.get_untracked() != is_silent {
                app.silent.set(is_silent);
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

fn dropped(app: App, event: &DragEvent) {
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
    app.spoken.set(text().pictures.walking.to_owned());
    spawn_local(async move {
        let (picked, failed) = dropped.collect().await;
        if let Some(first) = failed.first() {
            app.complain((text().pictures.unreadable_entries)(failed.len(), first));
        }
        if to_try {
            app.predict(picked);
        } else if failed.is_empty() || !picked.is_empty() {
            app.sort_dropped(picked, on_ancestor);
        }
    });
}
