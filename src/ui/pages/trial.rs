//! Step 6: show a trained model pictures.

use leptos::prelude::*;

use super::confusion::ConfusionTable;
use crate::session::protocol::{JobKind, Prediction, StartValue};
use crate::ui::format::percent;
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
    // While races run the engine is busy with them; what they have trained can be used once they are over.
    let is_over = !app.jobs.with(|jobs| jobs.iter().any(|job| job.kind == JobKind::Train));
    is_over && !app.trained_runs().is_empty()
}

/// Which trained model is used here and saved in step 7.
#[component]
fn ChooseRun() -> impl IntoView {
    let app = expect_context::<App>();
    let t = &text().trial;
    // The inherited model is what all this is for: it is chosen first, once for each race.
    Effect::new(move |_| {
        let runs = app.trained_runs();
        let inherited = runs.iter().find(|run| run.arm == StartValue::Inherited).or(runs.first());
        if let Some(run) = inherited {
            app.run.set(run.number);
        }
    });
    let options = move || {
        let runs = app.trained_runs().into_iter();
        runs.map(|run| {
            let name = (t.model_name)((text().training.arm)(run.arm), run.seed, run.step);
            let size = run.size.map(|(heads, layers)| (text().race.size)(heads, layers));
            let right = run.accuracy.map(|accuracy| (t.accuracy)(&percent(accuracy)));
            let name = [size, Some(name), right].into_iter().flatten().collect::<Vec<_>>().join(", ");
            let number = run.number;
            view! { <option value=number selected=move || app.run.get() == number>{name}</option> }
        })
        .collect_view()
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
