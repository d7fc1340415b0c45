//! Step 6: show a model pictures, and see where it is wrong.

use super::answer::answer;
use super::camera::Camera;
use super::confusion::ConfusionTable;
use super::look::LookDialog;
use super::pad::Pad;
use crate::prelude::*;
use crate::training::runs::{first_choice, trained_runs};
use crate::trial::actions::{ask_confusion, predict, predict_validation};
use crate::trial::model::{has_model, name_of_cut};
use crate::trial::state::Way;
use crate::widgets::{JobBar, Picker, Press, Step, row, said};
use heirloom_plan::protocol::{CutReport, JobKind};

/// Pictures kept for checking that are named at a time.
const AT_ONCE: usize = 6;

#[component]
pub fn TrialStep() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().trial;
    let is_training = Memo::new(move |_| has_job(store, JobKind::Train));
    let missing = Signal::derive(move || match (has_model(store), store.training.models_lost.get()) {
        _ if is_training.get() => Some(t.training),
        (true, false) => None,
        _ if has_naming_ancestor(store) => None,
        (_, true) => Some(t.lost),
        (false, false) => Some(t.need),
    });
    let has_confusion = Memo::new(move |_| store.trial.confusion.with(Option::is_some));
    view! {
        <Step id="trial" number=6 heading=&t.heading missing>
            <ChooseModel/>
            <Ways/>
            {row(vec![
                Press::new("confusion-start", "", move |_| ask_confusion(store))
                    .words(said(move || if has_confusion.get() { t.matrix_again } else { t.matrix }))
                    .quiet()
                    .off_while(move || is_busy(store))
                    .hint(move || t.matrix_intro),
            ])}
            <JobBar kind=JobKind::Evaluate stop_id="evaluate-stop"/>
            <ConfusionTable/>
            <LookDialog/>
        </Step>
    }
}

/// Whether the ancestor has a classifier and so can name pictures itself: a descendant that was saved and opened again.
fn has_naming_ancestor(store: Store) -> bool {
    store.ancestor.with(|ancestor| ancestor.as_ref().is_some_and(|ancestor| ancestor.config.classes().is_some()))
}

/// Where the pictures come from.
#[component]
fn Ways() -> impl IntoView {
    let store = expect_context::<Store>();
    let (t, words) = (&text().trial, &text().trying);
    let ways = [
        (Way::Files, "files", words.way_files),
        (Way::Camera, "camera", words.way_camera),
        (Way::Pad, "pad", words.way_pad),
    ];
    let choices = ways.map(|(way, id, name)| {
        let choose = move |_| {
            store.trial.way.set(way);
            store.trial.forget_glance();
        };
        view! {
            <label>
                <input
                    type="radio"
                    name="way"
                    data-testid=format!("way-{id}")
                    prop:checked=move || store.trial.way.get() == way
                    on:change=choose
                />
                <span>{name}</span>
            </label>
        }
    });
    let panel = move || match store.trial.way.get() {
        Way::Files => view! {
            <div class="drop" data-drop="predict">
                <Picker id="try-input" label=t.input accept="image/*" on_pick=move |picked| predict(store, picked)/>
                <p class="hint">{t.hint}</p>
            </div>
            <Validation/>
            <div class="predictions" aria-live="polite">
                {move || store.trial.predictions.with(|all| all.iter().map(|one| answer(store, one)).collect_view())}
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
    let store = expect_context::<Store>();
    let words = &text().trying;
    let has_any = Memo::new(move |_| {
        store.pictures.with(|set| set.as_ref().is_some_and(|set| set.classes.iter().any(|class| class.validation > 0)))
    });
    view! {
        <Show when=move || has_any.get()>
            {
                let take = Press::new("try-validation", words.validation, move |_| predict_validation(store, AT_ONCE));
                row(vec![take.quiet().off_while(move || is_busy(store)).hint(move || words.validation_hint)])
            }
        </Show>
    }
}

/// Which model is used here; a trained one is also saved in step 7.
#[component]
fn ChooseModel() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().trial;
    // Once for each race.
    Effect::new(move |_| {
        if let Some(run) = first_choice(store) {
            store.trial.run.set(run);
            store.trial.is_ancestor.set(false);
        }
    });
    let trained = move || {
        let runs = trained_runs(store).into_iter();
        runs.map(|run| {
            let name = (t.model_name)((text().training.arm)(run.arm), run.seed, run.step);
            let right = run.accuracy.map(|accuracy| (t.accuracy)(&percent(accuracy)));
            let name = [run.size, Some(name), right].into_iter().flatten().collect::<Vec<_>>().join(", ");
            let number = run.number;
            let is_chosen = move || store.trial.run.get() == number && !store.trial.is_ancestor.get();
            view! { <option value=number selected=is_chosen>{name}</option> }
        })
        .collect_view()
    };
    let ancestor = move || {
        let named =
            store.ancestor.with(|a| a.as_ref().filter(|a| a.config.classes().is_some()).map(|a| a.name.clone()))?;
        let name = (text().trying.ancestor_itself)(&named);
        Some(view! { <option value="ancestor" selected=move || store.trial.is_ancestor.get()>{name}</option> })
    };
    let cuts = move || {
        store.pools.cuts.with(|cuts| {
            let option = |cut: &CutReport| {
                let run = cut.run;
                let is_chosen = move || store.trial.run.get() == run && !store.trial.is_ancestor.get();
                view! { <option value=run selected=is_chosen>{name_of_cut(cut)}</option> }
            };
            cuts.iter().map(option).collect_view()
        })
    };
    let choose = move |event| {
        let value = event_target_value(&event);
        store.trial.is_ancestor.set(value == "ancestor");
        if let Ok(run) = value.parse() {
            store.trial.run.set(run);
        }
        store.trial.forget_answers();
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
