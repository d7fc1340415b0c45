//! Step 7: files to keep.

use leptos::prelude::*;

use super::trial::{has_model, model_name};
use crate::state::App;
use crate::strings::text;
use crate::widgets::Step;

#[component]
pub fn HomeStep() -> impl IntoView {
    let app = expect_context::<App>();
    let t = &text().home;
    let has = Memo::new(move |_| has_model(app) && !app.models_lost.get());
    let has_curves = Memo::new(move |_| {
        app.race.with(|race| race.as_ref().is_some_and(|r| r.runs.iter().any(|run| !run.points.is_empty())))
    });
    let missing = Signal::derive(move || {
        let nothing = app.plans.descendant.with(Option::is_none) && !has.get() && !has_curves.get();
        nothing.then_some(t.need)
    });
    let name = move || model_name(app, app.run.get());
    let run = move || has.get_untracked().then(|| app.run.get_untracked());
    let save_label = move || if has.get() { (t.save)(&name()) } else { t.save_planned.to_owned() };
    view! {
        <Step id="home" number=7 heading=&t.heading missing>
            <div class="row">
                <button
                    type="button"
                    data-testid="export-safetensors"
                    on:click=move |_| app.export_safetensors(run())
                >
                    {save_label}
                </button>
                <button
                    type="button"
                    class="quiet"
                    data-testid="export-onnx"
                    on:click=move |_| app.export_onnx(run())
                >
                    {t.save_onnx}
                </button>
                <button
                    type="button"
                    class="quiet"
                    data-testid="export-package"
                    on:click=move |_| app.export_package(run())
                >
                    {t.save_package}
                </button>
                <button
                    type="button"
                    class="quiet"
                    data-testid="export-curves"
                    disabled=move || !has_curves.get()
                    on:click=move |_| app.export_curves()
                >
                    {t.save_curves}
                </button>
            </div>
            <p class="hint">{move || has.get().then_some(t.what)}</p>
            <dl class="endings">
                {t.which
                    .map(|(ending, words)| view! { <div><dt>{ending}</dt><dd>{words}</dd></div> })
                    .into_iter()
                    .collect_view()}
            </dl>
        </Step>
    }
}
