//! Step 7: files to keep.

use super::actions::save_page;
use crate::prelude::*;
use crate::trial::model::{has_model, model_name};
use crate::widgets::{Press, Step, row};
use heirloom_plan::protocol::Command;

#[component]
pub fn HomeStep() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().home;
    let has = Memo::new(move |_| has_model(store) && !store.training.models_lost.get());
    let has_curves = Memo::new(move |_| {
        store.training.race.with(|race| race.as_ref().is_some_and(|r| r.runs.iter().any(|run| !run.points.is_empty())))
    });
    let missing = Signal::derive(move || {
        let nothing = store.plans.descendant.with(Option::is_none) && !has.get() && !has_curves.get();
        nothing.then_some(t.need)
    });
    let name = move || model_name(store, store.trial.run.get());
    let run = move || has.get_untracked().then(|| store.trial.run.get_untracked());
    let save_label = move || if has.get() { (t.save)(&name()) } else { t.save_planned.to_owned() };
    let export = move |id, words, command: fn(Option<usize>) -> Command| {
        Press::new(id, words, move |_| send(store, command(run())))
    };
    let buttons = move || {
        row(vec![
            export("export-safetensors", "", |run| Command::ExportSafetensors { run })
                .words(Signal::derive(save_label)),
            export("export-onnx", t.save_onnx, |run| Command::ExportOnnx { run }).quiet(),
            export("export-package", t.save_package, |run| Command::ExportPackage { run }).quiet(),
            Press::new("export-page", t.save_page, move |_| save_page(store)).quiet().off_while(move || !has.get()),
            export("export-curves", t.save_curves, |_| Command::ExportCurves)
                .quiet()
                .off_while(move || !has_curves.get()),
        ])
    };
    view! {
        <Step id="home" number=7 heading=&t.heading missing>
            {buttons()}
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
