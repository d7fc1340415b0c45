//! Step 6: show a model pictures, and see where it is wrong.

pub mod answer;
mod camera;
pub mod gallery;
mod look;
mod pad;
mod strokes;

use leptos::prelude::*;

use self::answer::answer;
use self::camera::Camera;
use self::look::LookDialog;
use self::pad::Pad;
use super::confusion::ConfusionTable;
use crate::format::percent;
use crate::pools::cut_name;
use crate::state::App;
use crate::strings::text;
use crate::trial::Way;
use crate::widgets::{JobBar, Picker, Press, Step, row};
use heirloom_plan::protocol::{CutReport, JobKind, StartValue};

/// Pictures kept for checking that are named at a time.
const AT_ONCE: usize = 6;

#[component]
pub fn TrialStep() -> impl IntoView {
    let app = expect_context::<App>();
    let t = &text().trial;
    let is_training = Memo::new(move |_| app.jobs.with(|jobs| jobs.iter().any(|job| job.kind == JobKind::Train)));
    let missing = Signal::derive(move || match (has_model(app), app.models_lost.get()) {
        _ if is_training.get() => Some(t.training),
        (true, false) => None,
        _ if has_naming_ancestor(app) => None,
        (_, true) => Some(t.lost),
        (false, false) => Some(t.need),
    });
    let has_confusion = Memo::new(move |_| app.confusion.with(Option::is_some));
    view! {
        <Step id="trial" number=6 heading=&t.heading missing>
            <ChooseModel/>
            <Ways/>
            <div class="row">
                <button
                    type="button"
                    class="quiet"
                    data-testid="confusion-start"
                    disabled=move || app.busy()
                    on:click=move |_| app.ask_confusion()
                >
                    {move || if has_confusion.get() { t.matrix_again } else { t.matrix }}
                </button>
                <span class="hint">{t.matrix_intro}</span>
            </div>
            <JobBar kind=JobKind::Evaluate stop_id="evaluate-stop"/>
            <ConfusionTable/>
            <LookDialog/>
        </Step>
    }
}

/// Whether some model was trained that can name pictures.
pub fn has_model(app: App) -> bool {
    let has_cut = app.pools.cuts.with(|cuts| !cuts.is_empty());
    has_cut || has_trained(app)
}

/// What a model is called, whether trained or cut out.
pub fn model_name(app: App, run: usize) -> String {
    let t = &text().trial;
    let cut = app.pools.cuts.with(|cuts| cuts.iter().find(|cut| cut.run == run).map(name_of_cut));
    let trained = || {
        let run = app.trained_runs().into_iter().find(|one| one.number == run)?;
        Some((t.model_name)((text().training.arm)(run.arm), run.seed, run.step))
    };
    cut.or_else(trained).unwrap_or_default()
}

fn name_of_cut(cut: &CutReport) -> String {
    let right = cut.configuration.known_accuracy().map(|right| percent(f64::from(right)));
    (text().pool.cut_name)(cut.method, &cut_name(cut), right.as_deref())
}

fn has_trained(app: App) -> bool {
    // While races run the engine is busy with them; what they have trained can be used once they are over.
    let is_over = !app.jobs.with(|jobs| jobs.iter().any(|job| job.kind == JobKind::Train));
    is_over && !app.trained_runs().is_empty()
}

/// Whether the ancestor has a classifier and so can name pictures itself: a descendant that was saved and opened again.
fn has_naming_ancestor(app: App) -> bool {
    app.ancestor.with(|ancestor| ancestor.as_ref().is_some_and(|ancestor| ancestor.config.classes().is_some()))
}

/// Where the pictures come from.
#[component]
fn Ways() -> impl IntoView {
    let app = expect_context::<App>();
    let (t, words) = (&text().trial, &text().trying);
    let ways = [
        (Way::Files, "files", words.way_files),
        (Way::Camera, "camera", words.way_camera),
        (Way::Pad, "pad", words.way_pad),
    ];
    let choices = ways.map(|(way, id, name)| {
        let choose = move |_| {
            app.trial.way.set(way);
            app.trial.glance.set(None);
        };
        view! {
            <label>
                <input
                    type="radio"
                    name="way"
                    data-testid=format!("way-{id}")
                    prop:checked=move || app.trial.way.get() == way
                    on:change=choose
                />
                <span>{name}</span>
            </label>
        }
    });
    let panel = move || match app.trial.way.get() {
        Way::Files => view! {
            <div class="drop" data-drop="predict">
                <Picker id="try-input" label=t.input accept="image/*" on_pick=move |picked| app.predict(picked)/>
                <p class="hint">{t.hint}</p>
            </div>
            <Validation/>
            <div class="predictions" aria-live="polite">
                {move || app.predictions.with(|all| all.iter().map(|one| answer(app, one)).collect_view())}
            </div>
        }
        .into_any(),
        Way::Camera => view! { <Camera/> }.into_any(),
        Way::Pad => view! { <Pad/> }.into_any(),
    };
    view! {
        <fieldset class="ways">
            <legend>{words.ways}</legend>
            {choices.into_iter().collect_view()}
        </fieldset>
        {panel}
    }
}

/// Pictures of the set that no model learned from.
#[component]
fn Validation() -> impl IntoView {
    let app = expect_context::<App>();
    let words = &text().trying;
    let has_any = Memo::new(move |_| {
        app.pictures.with(|set| set.as_ref().is_some_and(|set| set.classes.iter().any(|class| class.validation > 0)))
    });
    view! {
        <Show when=move || has_any.get()>
            {
                let take = Press::new("try-validation", words.validation, move |_| app.predict_validation(AT_ONCE));
                row(vec![take.quiet().off_while(move || app.busy()).hint(move || words.validation_hint)])
            }
        </Show>
    }
}

/// Which model is used here; a trained one is also saved in step 7.
#[component]
fn ChooseModel() -> impl IntoView {
    let app = expect_context::<App>();
    let t = &text().trial;
    // The inherited model is what all this is for: it is chosen first, once for each race.
    Effect::new(move |_| {
        let runs = app.trained_runs();
        let inherited = runs.iter().find(|run| run.arm == StartValue::Inherited).or(runs.first());
        if let Some(run) = inherited {
            app.run.set(run.number);
            app.trial.is_ancestor.set(false);
        }
    });
    let trained = move || {
        let runs = app.trained_runs().into_iter();
        runs.map(|run| {
            let name = (t.model_name)((text().training.arm)(run.arm), run.seed, run.step);
            let size = run.size.map(|(heads, layers)| (text().race.size)(heads, layers));
            let right = run.accuracy.map(|accuracy| (t.accuracy)(&percent(accuracy)));
            let name = [size, Some(name), right].into_iter().flatten().collect::<Vec<_>>().join(", ");
            let number = run.number;
            let is_chosen = move || app.run.get() == number && !app.trial.is_ancestor.get();
            view! { <option value=number selected=is_chosen>{name}</option> }
        })
        .collect_view()
    };
    let ancestor = move || {
        let named =
            app.ancestor.with(|a| a.as_ref().filter(|a| a.config.classes().is_some()).map(|a| a.name.clone()))?;
        let name = (text().trying.ancestor_itself)(&named);
        Some(view! { <option value="ancestor" selected=move || app.trial.is_ancestor.get()>{name}</option> })
    };
    let cuts = move || {
        app.pools.cuts.with(|cuts| {
            let option = |cut: &CutReport| {
                let run = cut.run;
                let is_chosen = move || app.run.get() == run && !app.trial.is_ancestor.get();
                view! { <option value=run selected=is_chosen>{name_of_cut(cut)}</option> }
            };
            cuts.iter().map(option).collect_view()
        })
    };
    let choose = move |event| {
        let value = event_target_value(&event);
        app.trial.is_ancestor.set(value == "ancestor");
        if let Ok(run) = value.parse() {
            app.run.set(run);
        }
        app.forget_answers_of_namer();
    };
    view! {
        <div class="field inline">
            <label for="trial-run">{t.model}</label>
            <select id="trial-run" data-testid="trial-run" on:change=choose>
                {trained}
                {cuts}
                {ancestor}
            </select>
        </div>
    }
}
