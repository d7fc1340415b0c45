//! Step 6: show a trained model pictures.

use leptos::prelude::*;

use super::confusion::ConfusionTable;
use crate::session::protocol::{CutReport, JobKind, Prediction, StartValue};
use crate::ui::format::percent;
use crate::ui::pools::cut_name;
use crate::ui::state::App;
use crate::ui::strings::text;
use crate::ui::widgets::{JobBar, Picker, Step};

/// Classes drawn for each picture.
const MOST_CLASSES: usize = 5;

#[component]
pub fn TrialStep() -> impl IntoView {
    let app = expect_context::<App>();
    let t = &text().trial;
    let is_training = Memo::new(move |_| app.jobs.with(|jobs| jobs.iter().any(|job| job.kind == JobKind::Train)));
    let missing = Signal::derive(move || match (has_model(app), app.models_lost.get()) {
        _ if is_training.get() => Some(t.training),
        (_, true) => Some(t.lost),
        (false, false) => Some(t.need),
        (true, false) => None,
    });
    let has_confusion = Memo::new(move |_| app.confusion.with(Option::is_some));
    view! {
        <Step id="trial" number=6 heading=&t.heading missing>
            <ChooseRun/>
            <div class="drop" data-drop="predict">
                <Picker id="try-input" label=t.input accept="image/*" on_pick=move |picked| app.predict(picked)/>
                <p class="hint">{t.hint}</p>
            </div>
            <JobBar kind=JobKind::Evaluate stop_id="evaluate-stop"/>
            <div class="predictions" aria-live="polite">
                {move || app.predictions.with(|all| all.iter().map(prediction).collect_view())}
            </div>
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
            <ConfusionTable/>
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
        app.race.with(|race| {
            let run = race.as_ref()?.runs.get(run)?;
            Some((t.model_name)((text().training.arm)(run.arm), run.seed, run.step))
        })
    };
    cut.or_else(trained).unwrap_or_default()
}

fn name_of_cut(cut: &CutReport) -> String {
    let right = cut.configuration.known_accuracy().map(|right| percent(f64::from(right)));
    (text().pool.cut_name)(cut.method, &cut_name(cut), right.as_deref())
}

fn has_trained(app: App) -> bool {
    app.race.with(|race| {
        let Some(race) = race else { return false };
        // While the race runs the engine is busy with it; what it has trained can be used once it is over.
        let is_over = !app.jobs.with(|jobs| jobs.iter().any(|job| job.kind == JobKind::Train));
        is_over && race.runs.iter().any(|run| run.step > 0)
    })
}

/// Which trained model is used here and saved in step 7.
#[component]
fn ChooseRun() -> impl IntoView {
    let app = expect_context::<App>();
    let t = &text().trial;
    // The inherited model is what all this is for: it is chosen first, once for each race.
    Effect::new(move |_| {
        let inherited = app.race.with(|race| {
            let race = race.as_ref()?;
            race.runs.iter().position(|run| run.arm == StartValue::Inherited && run.step > 0)
        });
        if let Some(run) = inherited {
            app.run.set(run);
        }
    });
    let options = move || {
        app.race.with(|race| {
            let runs = race.as_ref().map(|race| race.runs.as_slice()).unwrap_or_default();
            let trained = runs.iter().enumerate().filter(|(_, run)| run.step > 0);
            trained
                .map(|(index, run)| {
                    let name = (t.model_name)((text().training.arm)(run.arm), run.seed, run.step);
                    let right = run.points.last().map(|p| (t.accuracy)(&percent(f64::from(p.validation_accuracy))));
                    let name = [Some(name), right].into_iter().flatten().collect::<Vec<_>>().join(", ");
                    view! { <option value=index selected=move || app.run.get() == index>{name}</option> }
                })
                .collect_view()
        })
    };
    let cuts = move || {
        app.pools.cuts.with(|cuts| {
            let option = |cut: &CutReport| {
                let run = cut.run;
                view! { <option value=run selected=move || app.run.get() == run>{name_of_cut(cut)}</option> }
            };
            cuts.iter().map(option).collect_view()
        })
    };
    let choose = move |event| {
        app.run.set(event_target_value(&event).parse().unwrap_or_default());
        app.predictions.set(Vec::new());
        app.confusion.set(None);
    };
    view! {
        <div class="field inline">
            <label for="trial-run">{t.model}</label>
            <select id="trial-run" data-testid="trial-run" prop:value=move || app.run.get().to_string() on:change=choose>
                {options}
                {cuts}
            </select>
        </div>
    }
}

fn prediction(prediction: &Prediction) -> impl IntoView + use<> {
    let t = &text().trial;
    let said = prediction.classes.first().map(|(class, share)| (t.is)(class, &percent(f64::from(*share))));
    let bars = prediction.classes.iter().take(MOST_CLASSES).map(|(class, share)| {
        view! {
            <li>
                <span>{class.clone()}</span>
                <svg class="bar" width="100%" height="8" aria-hidden="true">
                    <rect class="bar-all" width="100%" height="8" rx="4"></rect>
                    <rect class="bar-part" width=format!("{:.1}%", share.clamp(0.0, 1.0) * 100.0) height="8" rx="4"></rect>
                </svg>
                <span class="number">{percent(f64::from(*share))}</span>
            </li>
        }
    });
    view! {
        <article class="prediction" data-testid="prediction">
            <img src=prediction.thumbnail.clone() alt=prediction.name.clone() width="96"/>
            <div>
                <p class="lead"><strong>{said}</strong> " " <span class="file">{prediction.name.clone()}</span></p>
                <ol>{bars.collect_view()}</ol>
            </div>
        </article>
    }
}
