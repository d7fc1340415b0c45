//! How far a long job is: what happens, how far, how long still, and a way to stop it.

use crate::prelude::*;
use heirloom_plan::protocol::JobKind;

/// The bar of one kind of job; nothing while no such job is under way. Without `stop_id` the step has its own button.
#[component]
pub fn JobBar(kind: JobKind, #[prop(optional)] stop_id: Option<&'static str>) -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().jobs;
    let job = Memo::new(move |_| store.jobs.with(|jobs| jobs.iter().find(|job| job.kind == kind).cloned()));
    let progress = move || job.get().and_then(|job| job.progress);
    let is_running = Memo::new(move |_| job.with(Option::is_some));
    let note = move || progress().map_or_else(|| t.waiting.to_owned(), |progress| progress.note);
    let far =
        move || progress().filter(|progress| progress.total > 0).map(|progress| (t.of)(progress.done, progress.total));
    let left = move || {
        progress().map(|progress| match progress.seconds_left {
            Some(seconds) => (t.left)(&duration(seconds)),
            None => t.left_unknown.to_owned(),
        })
    };
    // Without a `value` the bar shows that something goes on, not how far.
    let value = move || progress().filter(|progress| progress.total > 0).map(|progress| progress.done.to_string());
    let most = move || progress().map_or(1, |progress| progress.total.max(1)).to_string();
    view! {
        <Show when=move || is_running.get()>
            <div class="job">
                <p class="job-note">{note}</p>
                <progress max=most value=value aria-label=(t.name)(kind)></progress>
                <p class="job-far">
                    <span>{far}</span>
                    <span>{left}</span>
                </p>
                {stop_id
                    .map(|id| {
                        view! {
                            <button
                                type="button"
                                class="quiet"
                                data-testid=id
                                aria-label=(t.stop_job)((t.name)(kind))
                                on:click=move |_| stop(store)
                            >
                                {t.stop}
                            </button>
                        }
                    })}
            </div>
        </Show>
    }
}
