//! The story's place on the page: the offer at the top, and while it is told, a bar that stays in sight.

use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use crate::ancestor::shape::has_no_heads;
use crate::ancestor::shipped::Shipped;
use crate::ancestor::shipped_view::FetchBar;
use crate::prelude::*;
use crate::show_me::actions::{
    can_skip, go_on_with_story, show_me, skip_stage, stop_story, tell_in_new_project, tell_with_what_is_here,
};
use crate::show_me::state::{Scene, Stage};
use crate::store::EngineState;
use crate::trial::answer::is_right;
use crate::trial::model::has_model;
use crate::trial::state::Way;
use crate::widgets::{JobBar, Press, jump, line, row, said};
use heirloom_plan::protocol::{Init, RaceReport};
use heirloom_plan::settings::{STORY, Settings};

#[component]
pub fn ShowMe() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().show_me;
    let scene = Memo::new(move |_| store.story.scene.get());
    let is_told = move || matches!(scene.get(), Scene::At(_) | Scene::Halted(_));
    // What is told of a stage changes, the frame around it stays: so the buttons keep the focus. Another frame is made
    // anew, so that no button turns into another one under a finger.
    let frame = Memo::new(move |_| frame_of(scene.get()));
    let inside = move |_| match scene.get_untracked() {
        Scene::Off => offer(store),
        Scene::Asking => ask(store),
        Scene::At(_) => tell(store, scene),
        Scene::Halted(_) => halted(store),
        Scene::Ended => end(store),
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
            <For each=move || [frame.get()] key=|frame| *frame children=inside/>
        </section>
    }
}

fn frame_of(scene: Scene) -> usize {
    match scene {
        Scene::Off => 0,
        Scene::Asking => 1,
        Scene::At(_) => 2,
        Scene::Halted(_) => 3,
        Scene::Ended => 4,
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

fn stored(words: impl Into<String>) -> Signal<String> {
    Signal::stored(words.into())
}

fn offer(store: Store) -> Vec<AnyView> {
    let t = &text().show_me;
    let card = Shipped::Classroom.card();
    let words = card.map(|card| (t.offer)(&card.name, &bytes(card.bytes))).unwrap_or_default();
    let show = Press::new("show-me", t.button, move |_| show_me(store)).off_while(move || is_busy(store));
    vec![
        line("", "show-me-offer", stored(words)),
        row(vec![show.hint(move || if is_busy(store) { t.busy } else { "" })]),
    ]
}

fn ask(store: Store) -> Vec<AnyView> {
    let t = &text().show_me;
    let is_kept = move || store.projects.unsaved.with(Option::is_none);
    let here = Press::new("show-me-here", t.here, move |_| tell_with_what_is_here(store))
        .off_while(move || has_no_heads(store))
        .hint(move || if has_no_heads(store) { t.no_heads } else { t.here_hint });
    let anew = Press::new("show-me-new", t.anew, move |_| tell_in_new_project(store))
        .off_while(move || !is_kept())
        .hint(move || if is_kept() { t.anew_hint } else { t.not_kept });
    let close = Press::new("show-me-close", t.never_mind, move |_| stop_story(store)).quiet();
    vec![line("lead", "show-me-asks", stored(t.asking)), row(vec![here]), row(vec![anew]), row(vec![close])]
}

fn tell(store: Store, scene: Memo<Scene>) -> Vec<AnyView> {
    let t = &text().show_me;
    let stage = Memo::new(move |before: Option<&Stage>| match scene.get() {
        Scene::At(stage) => stage,
        _ => before.copied().unwrap_or(Stage::Ancestor),
    });
    let words = move || (t.stage)(stage.get());
    let place = Signal::derive(move || (t.place)(stage.get() as usize + 1, Stage::ALL.len()));
    let title = said(move || words().title);
    let found = Signal::derive(move || {
        store.story.is_done.get().then(|| found(store, stage.get())).flatten().unwrap_or_default()
    });
    let is_waiting = move || !matches!(store.engine.state.get(), EngineState::Ready(_));
    let spoken = view! {
        <div aria-live="polite" data-testid="show-me-stage">
            <p class="story-title">
                <span class="story-place">{move || place.get()}</span> " " <strong>{move || title.get()}</strong>
            </p>
            {line("", "show-me-words", said(move || words().sentence))}
            {line("term", "show-me-term", said(move || words().term))}
            {line("story-found", "show-me-found", found)}
            {line("hint", "show-me-waits", said(move || if is_waiting() { t.waiting_engine } else { "" }))}
        </div>
    };
    let bar = move || stage.get().job().map(|kind| view! { <JobBar kind/> });
    let is_held = store.story.is_held;
    let hold = Press::new("show-me-hold", t.hold, move |_| is_held.update(|held| *held = !*held))
        .words(said(move || if is_held.get() { t.release } else { t.hold }));
    let skip = Press::new("show-me-skip", t.skip, move |_| skip_stage(store))
        .off_while(move || !can_skip(store))
        .hint(move || if can_skip(store) { "" } else { t.skip_hint });
    let stop = Press::new("show-me-stop", t.stop, move |_| stop_story(store));
    let fetching = view! { <FetchBar is_plain=true/> };
    vec![spoken.into_any(), fetching.into_any(), bar.into_any(), row(vec![hold.quiet(), stop.quiet(), skip.quiet()])]
}

fn halted(store: Store) -> Vec<AnyView> {
    let t = &text().show_me;
    let again = Press::new("show-me-go-on", t.go_on, move |_| go_on_with_story(store));
    let stop = Press::new("show-me-stop", t.stop, move |_| stop_story(store)).quiet();
    vec![line("lead", "show-me-halted", stored(t.halted)), row(vec![again, stop])]
}

fn end(store: Store) -> Vec<AnyView> {
    let t = &text().show_me;
    let took = store.story.took.get_untracked().map(|seconds| (t.took)(&duration(seconds))).unwrap_or_default();
    let classes = untrack(|| {
        let names = store.training.race.with(|race| race.as_ref().map(|race| race.classes.join(", ")));
        names.filter(|_| store.story.has_doodles.get() && has_model(store))
    });
    let untrained = if untrack(|| has_model(store)) { "" } else { t.untrained };
    let own = t.own.map(|(id, words)| {
        view! { <li><a href=format!("#{id}") on:click=move |event| jump(&event, id)>{words}</a></li> }
    });
    let draw = Press::new("show-me-draw", t.draw_it, move |event| {
        store.trial.glance.set(None);
        store.trial.way.set(Way::Pad);
        jump(&event, "trial");
    });
    let is_small = move || store.settings.with(|settings| settings.differing(&STORY.settings(settings)).is_empty());
    let usual = Press::new("show-me-usual", t.usual, move |_| {
        store.settings.update(|settings| *settings = Settings { engine: settings.engine, ..Settings::default() });
    });
    let usual = usual.quiet().off_while(move || !is_small()).hint(move || if is_small() { t.usual_hint } else { "" });
    let close = Press::new("show-me-close", t.close, move |_| stop_story(store)).quiet();
    let mut views = vec![
        line("story-title", "show-me-end", stored(format!("{} {took} {untrained}", t.ended))),
        line("sub", "show-me-yours", stored(t.yours)),
        view! { <ul class="plain" data-testid="show-me-own">{own.into_iter().collect_view()}</ul> }.into_any(),
        row(vec![usual, close]),
    ];
    if let Some(classes) = classes {
        views.insert(1, line("", "show-me-classes", stored((t.draw)(&classes))));
        views.insert(2, row(vec![draw]));
    }
    views
}
/// What a stage found, in a sentence, from what is on the screen.
fn found(store: Store, stage: Stage) -> Option<String> {
    let t = &text().show_me;
    match stage {
        Stage::Ancestor => store.ancestor.with(|ancestor| {
            let ancestor = ancestor.as_ref()?;
            let shape = ancestor.config.vit()?;
            Some((t.found_ancestor)(shape.depth, shape.num_heads, &short(ancestor.parameters)))
        }),
        Stage::Pictures => store.pictures.with(|pictures| {
            let classes = &pictures.as_ref()?.classes;
            let (train, checks) = classes.iter().fold((0, 0), |(t, v), class| (t + class.train, v + class.validation));
            Some((t.found_pictures)(classes.len(), train, checks))
        }),
        Stage::Heads => store.heads.report.with(|heads| {
            let heads = heads.as_ref()?;
            let all = || heads.distance.iter().flatten().map(|distance| f64::from(*distance));
            let (near, far) = (digits(all().reduce(f64::min)?), digits(all().reduce(f64::max)?));
            Some((t.found_heads)(all().count(), heads.pictures.len(), [&near, &far], heads.image_size))
        }),
        Stage::Clusters => store.plans.clusters.with(|clusters| {
            let clusters = clusters.as_ref()?;
            Some((t.found_clusters)(clusters.kept_heads, clusters.total_heads))
        }),
        Stage::Descendant => {
            let (heads, layers) = store.settings.with(|settings| (settings.heads, settings.layers));
            let of = store.ancestor.with(|ancestor| ancestor.as_ref().map(|ancestor| ancestor.parameters.max(1)))?;
            let parameters =
                store.plans.descendant.with(|planned| planned.as_ref().map(|planned| planned.parameters))?;
            let share = percent(parameters as f64 / of as f64);
            Some((t.found_descendant)(heads, layers, &short(parameters), &share))
        }
        Stage::Race => store.training.race.with(|race| {
            let race = race.as_ref()?;
            let [inherited, scratch] = [Init::Inherited, Init::Scratch].map(|arm| last(race, arm));
            Some(match (inherited, scratch) {
                (Some(inherited), Some(scratch)) => (t.found_race)(inherited, scratch),
                _ => t.found_race_stopped.to_owned(),
            })
        }),
        Stage::Naming => store.trial.predictions.with(|all| {
            let right = all.iter().filter(|prediction| is_right(prediction)).count();
            (!all.is_empty()).then(|| (t.found_naming)(right, all.len()))
        }),
    }
}

/// Mean accuracy of a start at its last point.
fn last(race: &RaceReport, arm: Init) -> Option<f64> {
    let runs = race.runs.iter().filter(|run| run.arm == arm);
    let last: Vec<_> = runs.filter_map(|run| Some(f64::from(run.points.last()?.validation_accuracy))).collect();
    (!last.is_empty()).then(|| last.iter().sum::<f64>() / last.len() as f64)
}
