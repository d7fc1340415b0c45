//! The whole page: header, steps, messages, footer.

use leptos::ev;

use crate::address::{follow_settings, query, read_address};
use crate::ancestor::view::AncestorStep;
use crate::descendant::follow::follow_plans;
use crate::descendant::method::MethodChoice;
use crate::descendant::stack_view::StackStep;
use crate::descendant::view::DescendantStep;
use crate::engine::bench;
use crate::engine::cores::{self, CoresChoice};
use crate::engine::send::restart_engine;
use crate::events::connect;
use crate::export::view::HomeStep;
use crate::heads::view::HeadsStep;
use crate::layers::view::LayersStep;
use crate::lessons::Lessons;
use crate::listen::{listen, stay_awake};
use crate::offline::OfflineLine;
use crate::pictures::view::PicturesStep;
use crate::pools::chosen::method_in_use;
use crate::pools::compare::CompareStep;
use crate::pools::small_models::SmallModelsStep;
use crate::pools::view::PoolStep;
use crate::prelude::*;
use crate::projects::actions::begin_keeping;
use crate::projects::view::ProjectsBar;
use crate::show_me::view::ShowMe;
use crate::store::EngineState;
use crate::tied::view::{DepthStep, TiedStep};
use crate::training::view::TrainingStep;
use crate::trial::view::TrialStep;
use crate::widgets::{Notices, jump};
use heirloom_plan::protocol::{Engine, Method};

/// The page.
#[component]
pub fn Page() -> impl IntoView {
    let store = Store::new();
    provide_context(store);
    let is_bench = bench::is_wanted();
    if is_bench {
        bench::install(store);
    }
    read_address(store);
    let forced = query("engine").and_then(|name| Engine::from_name(&name));
    connect(store, forced.or_else(|| store.settings.with_untracked(|settings| settings.engine)));
    cores::tell(store);
    if !is_bench {
        begin_keeping(store);
    }
    follow_settings(store);
    follow_plans(store);
    listen(store);
    stay_awake(store);
    let main = NodeRef::<leptos::html::Main>::new();
    let measure = move || {
        if let Some(body) = main.get_untracked().and_then(|main| main.query_selector(".step-body").ok().flatten()) {
            store.width.set(f64::from(body.client_width()).max(240.0));
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
        <p class="unseen" role="status">{move || store.says.spoken.get()}</p>
    }
}

fn steps() -> impl IntoView {
    let store = expect_context::<Store>();
    let method = Memo::new(move |_| method_in_use(store));
    // Steps 3 to 5 are the method's own.
    let own = move || match method.get() {
        Method::Layers => view! { <LayersStep/> <StackStep/> <TrainingStep/> }.into_any(),
        Method::Cluster => view! { <HeadsStep/> <DescendantStep/> <TrainingStep/> }.into_any(),
        Method::Tleg | Method::Sws => view! { <TiedStep/> <DepthStep/> <TrainingStep/> }.into_any(),
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

#[component]
fn Header() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = text();
    let status = move || match store.engine.state.get() {
        EngineState::Loading => t.engine.loading.to_owned(),
        EngineState::Starting => t.engine.starting.to_owned(),
        EngineState::Ready(report) => match report.engine {
            Engine::WebGpu => format!("WebGPU · {}", report.name),
            Engine::Cpu => format!("CPU · {}", report.name),
        },
        EngineState::Gone => t.engine.gone.to_owned(),
    };
    let self_test = move || match store.engine.state.get() {
        EngineState::Ready(report) => report.self_test,
        _ => Vec::new(),
    };
    let can_restart = move || store.engine.is_silent.get() || store.engine.state.get() == EngineState::Gone;
    view! {
        <header class="top">
            <div class="brand">
                <h1>"Heirloom"</h1>
                <p>{t.page.tagline}</p>
            </div>
            <div class="engine">
                <p data-testid="engine-status" class="engine-name" class:ready=move || matches!(store.engine.state.get(), EngineState::Ready(_))>
                    {status}
                </p>
                <Show when=move || !self_test().is_empty()>
                    <details class="self-test">
                        <summary>{t.engine.self_test}</summary>
                        <ul>{move || self_test().into_iter().map(|line| view! { <li>{line}</li> }).collect_view()}</ul>
                    </details>
                </Show>
                <CoresChoice/>
                <Show when=can_restart>
                    <p class="silent">{move || store.engine.is_silent.get().then_some(t.engine.silent)}</p>
                    <button type="button" class="quiet" data-testid="engine-restart" on:click=move |_| restart_engine(store)>
                        {t.engine.again}
                    </button>
                </Show>
            </div>
            <nav class="steps" aria-label=t.page.steps>
                <ol>
                    {move || {
                        step_names(method_in_use(store))
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
fn step_names(method: Method) -> [(&'static str, &'static str); 7] {
    let t = text();
    let [third, fourth, fifth] = match method {
        Method::Pool | Method::Stitch => [&t.pool.set_up, &t.pool.pool, &t.pool.compare],
        Method::Tleg => [&t.tied.line, &t.tied.plan, &t.training.heading],
        Method::Sws => [&t.tied.stages, &t.tied.plan, &t.training.heading],
        Method::Cluster | Method::Layers => [&t.heads.heading, &t.descendant.heading, &t.training.heading],
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
            <OfflineLine/>
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
