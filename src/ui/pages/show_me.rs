//! The story's place on the page: the offer at the top, and while it is told, a bar that stays in sight.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use super::shipped::FetchBar;
use super::trial::answer::is_right;
use super::trial::has_model;
use crate::session::protocol::{RaceReport, StartValue};
use crate::ui::app::jump;
use crate::ui::format::{bytes, digits, duration, percent, short};
use crate::ui::presets::STORY;
use crate::ui::settings::Settings;
use crate::ui::shipped::Shipped;
use crate::ui::show_me::{Scene, Stage};
use crate::ui::state::{App, EngineState};
use crate::ui::strings::text;
use crate::ui::trial::Way;
use crate::ui::widgets::JobBar;

#[component]
pub fn ShowMe() -> impl IntoView {
    let app = expect_context::<App>();
    let t = &text().show_me;
    let scene = Memo::new(move |_| app.story.scene.get());
    let is_told = move || matches!(scene.get(), Scene::At(_) | Scene::Halted(_));
    // What is told of a stage changes, the frame around it stays: so the buttons keep the focus.
    let frame = Memo::new(move |_| std::mem::discriminant(&scene.get()));
    let inside = move || {
        frame.track();
        match scene.get_untracked() {
            Scene::Off => view! { <Offer/> }.into_any(),
            Scene::Asking => view! { <Ask/> }.into_any(),
            Scene::At(_) => view! { <Tell scene/> }.into_any(),
            Scene::Halted(_) => view! { <Halted/> }.into_any(),
            Scene::Ended => view! { <End/> }.into_any(),
        }
    };
    Effect::new(move |before: Option<_>| {
        let now = frame.get();
        if before.is_some_and(|before| before != now) {
            request_animation_frame(keep_focus);
        }
        now
    });
    view! {
        <section class="story" class:telling=is_told id="story" tabindex="-1" aria-label=t.title>
            {inside}
        </section>
    }
}

/// A button that had the focus may be gone; then the story itself has it, not the top of the page.
fn keep_focus() {
    let is_nowhere = document().active_element().is_none_or(|element| element.tag_name() == "BODY");
    let story = document().get_element_by_id("story").and_then(|story| story.dyn_into::<HtmlElement>().ok());
    if let (true, Some(story)) = (is_nowhere, story) {
        let _ = story.focus();
    }
}

#[component]
fn Offer() -> impl IntoView {
    let app = expect_context::<App>();
    let t = &text().show_me;
    let card = Shipped::Classroom.card();
    let offer = card.map(|card| view! { <p>{(t.offer)(&card.name, &bytes(card.bytes))}</p> });
    view! {
        {offer}
        <div class="row">
            <button type="button" data-testid="show-me" disabled=move || app.busy() on:click=move |_| app.show_me()>
                {t.button}
            </button>
            <span class="hint">{move || app.busy().then_some(t.busy)}</span>
        </div>
    }
}

#[component]
fn Ask() -> impl IntoView {
    let app = expect_context::<App>();
    let t = &text().show_me;
    let has_no_heads = Memo::new(move |_| app.has_no_heads());
    let is_kept = Memo::new(move |_| app.projects.unsaved.with(Option::is_none));
    view! {
        <p class="lead" data-testid="show-me-asks" role="status">{t.asking}</p>
        <div class="choices">
            <button
                type="button"
                data-testid="show-me-here"
                aria-describedby="show-me-here-hint"
                disabled=move || has_no_heads.get()
                on:click=move |_| app.tell_with_what_is_here()
            >
                {t.here}
            </button>
            <span class="hint" id="show-me-here-hint">{move || if has_no_heads.get() { t.no_heads } else { t.here_hint }}</span>
            <button
                type="button"
                data-testid="show-me-new"
                aria-describedby="show-me-new-hint"
                disabled=move || !is_kept.get()
                on:click=move |_| app.tell_in_new_project()
            >
                {t.anew}
            </button>
            <span class="hint" id="show-me-new-hint">{move || if is_kept.get() { t.anew_hint } else { t.not_kept }}</span>
            <button type="button" class="quiet" data-testid="show-me-close" on:click=move |_| app.stop_story()>{t.never_mind}</button>
        </div>
    }
}

#[component]
fn Tell(scene: Memo<Scene>) -> impl IntoView {
    let app = expect_context::<App>();
    let t = &text().show_me;
    let stage = Memo::new(move |before: Option<&Stage>| match scene.get() {
        Scene::At(stage) => stage,
        _ => before.copied().unwrap_or(Stage::Ancestor),
    });
    let words = move || {
        let stage = stage.get();
        let words = (t.stage)(stage);
        view! {
            <p class="story-title">
                <span class="story-place">{(t.place)(stage as usize + 1, Stage::ALL.len())}</span> " " <strong>{words.title}</strong>
            </p>
            <p>{words.sentence} " " <span class="term">{words.term}</span></p>
        }
    };
    let told = move || app.story.is_done.get().then(|| found(app, stage.get())).flatten();
    let is_waiting = move || !matches!(app.engine.get(), EngineState::Ready(_));
    let bar = move || stage.get().job().map(|kind| view! { <JobBar kind/> });
    let is_held = app.story.is_held;
    let can_skip = Memo::new(move |_| app.can_skip());
    view! {
        <div aria-live="polite" data-testid="show-me-stage">
            {words}
            <p class="story-found" data-testid="show-me-found">{told}</p>
            <p class="hint">{move || is_waiting().then_some(t.waiting_engine)}</p>
        </div>
        <FetchBar is_plain=true/>
        {bar}
        <div class="row">
            <button
                type="button"
                class="quiet"
                data-testid="show-me-hold"
                aria-pressed=move || is_held.get().to_string()
                on:click=move |_| is_held.update(|held| *held = !*held)
            >
                {move || if is_held.get() { t.release } else { t.hold }}
            </button>
            <button
                type="button"
                class="quiet"
                data-testid="show-me-skip"
                disabled=move || !can_skip.get()
                title=move || (!can_skip.get()).then_some(t.skip_hint)
                on:click=move |_| app.skip_stage()
            >
                {t.skip}
            </button>
            <button type="button" class="quiet" data-testid="show-me-stop" on:click=move |_| app.stop_story()>{t.stop}</button>
        </div>
    }
}

#[component]
fn Halted() -> impl IntoView {
    let app = expect_context::<App>();
    let t = &text().show_me;
    view! {
        <p class="lead" data-testid="show-me-halted" role="status">{t.halted}</p>
        <div class="row">
            <button type="button" data-testid="show-me-go-on" on:click=move |_| app.go_on_with_story()>{t.go_on}</button>
            <button type="button" class="quiet" data-testid="show-me-stop" on:click=move |_| app.stop_story()>{t.stop}</button>
        </div>
    }
}

#[component]
fn End() -> impl IntoView {
    let app = expect_context::<App>();
    let t = &text().show_me;
    let took = app.story.took.get_untracked().map(|seconds| (t.took)(&duration(seconds)));
    let untrained = move || (!has_model(app)).then_some(t.untrained);
    let own = t.own.map(|(id, words)| {
        view! { <li><a href=format!("#{id}") on:click=move |event| jump(&event, id)>{words}</a></li> }
    });
    let classes = move || {
        let names = app.race.with(|race| race.as_ref().map(|race| race.classes.join(", ")));
        names.filter(|_| app.story.has_doodles.get() && has_model(app))
    };
    let draw = move |event| {
        app.trial.glance.set(None);
        app.trial.way.set(Way::Pad);
        jump(&event, "trial");
    };
    let is_small =
        Memo::new(move |_| app.settings.with(|settings| settings.differing(&STORY.settings(settings)).is_empty()));
    let usual = move |_| {
        app.settings.update(|settings| *settings = Settings { engine: settings.engine, ..Settings::default() });
    };
    view! {
        <div data-testid="show-me-end" role="status">
            <p class="story-title"><strong>{t.ended}</strong></p>
            <p>{took} " " {untrained}</p>
        </div>
        {move || {
            classes()
                .map(|classes| {
                    view! {
                        <p>{(t.draw)(&classes)}</p>
                        <div class="row">
                            <button type="button" data-testid="show-me-draw" on:click=draw>{t.draw_it}</button>
                        </div>
                    }
                })
        }}
        <p class="sub">{t.yours}</p>
        <ul class="plain" data-testid="show-me-own">{own.into_iter().collect_view()}</ul>
        <div class="row">
            <Show when=move || is_small.get()>
                <button type="button" class="quiet" data-testid="show-me-usual" on:click=usual>{t.usual}</button>
                <span class="hint">{t.usual_hint}</span>
            </Show>
            <button type="button" class="quiet" data-testid="show-me-close" on:click=move |_| app.stop_story()>{t.close}</button>
        </div>
    }
}

/// What a stage found, in a sentence, from what is on the screen.
fn found(app: App, stage: Stage) -> Option<String> {
    let t = &text().show_me;
    match stage {
        Stage::Ancestor => app.ancestor.with(|ancestor| {
            let ancestor = ancestor.as_ref()?;
            let shape = ancestor.vit()?;
            Some((t.found_ancestor)(shape.depth, shape.num_heads, &short(ancestor.parameters)))
        }),
        Stage::Pictures => app.pictures.with(|pictures| {
            let classes = &pictures.as_ref()?.classes;
            let (train, checks) = classes.iter().fold((0, 0), |(t, v), class| (t + class.train, v + class.validation));
            Some((t.found_pictures)(classes.len(), train, checks))
        }),
        Stage::Heads => app.heads.with(|heads| {
            let heads = heads.as_ref()?;
            let all = || heads.distance.iter().flatten().map(|distance| f64::from(*distance));
            let (near, far) = (digits(all().reduce(f64::min)?), digits(all().reduce(f64::max)?));
            Some((t.found_heads)(all().count(), heads.pictures.len(), [&near, &far], heads.image_size))
        }),
        Stage::Clusters => app.clusters.with(|clusters| {
            let clusters = clusters.as_ref()?;
            Some((t.found_clusters)(clusters.kept_heads, clusters.total_heads))
        }),
        Stage::Descendant => {
            let (heads, layers) = app.settings.with(|settings| (settings.heads, settings.layers));
            let of = app.ancestor.with(|ancestor| ancestor.as_ref().map(|ancestor| ancestor.parameters.max(1)))?;
            let parameters = app.descendant.with(|planned| planned.as_ref().map(|planned| planned.parameters))?;
            let share = percent(parameters as f64 / of as f64);
            Some((t.found_descendant)(heads, layers, &short(parameters), &share))
        }
        Stage::Race => app.race.with(|race| {
            let race = race.as_ref()?;
            let [inherited, scratch] = [StartValue::Inherited, StartValue::Scratch].map(|arm| last(race, arm));
            Some(match (inherited, scratch) {
                (Some(inherited), Some(scratch)) => (t.found_race)(inherited, scratch),
                _ => t.found_race_stopped.to_owned(),
            })
        }),
        Stage::Naming => app.predictions.with(|all| {
            let right = all.iter().filter(|prediction| is_right(prediction)).count();
            (!all.is_empty()).then(|| (t.found_naming)(right, all.len()))
        }),
    }
}

/// Mean accuracy of a start at its last point.
fn last(race: &RaceReport, arm: StartValue) -> Option<f64> {
    let runs = race.runs.iter().filter(|run| run.arm == arm);
    let last: Vec<_> = runs.filter_map(|run| Some(f64::from(run.points.last()?.validation_accuracy))).collect();
    (!last.is_empty()).then(|| last.iter().sum::<f64>() / last.len() as f64)
}
