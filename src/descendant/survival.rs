//! Before any training: how much of the ancestor is left, as the learngene gets smaller.

use crate::descendant::follow::tell_engine;
use crate::prelude::*;
use crate::widgets::{JobBar, Press, row};
use heirloom_plan::protocol::{Command, DescendantPlan, DescendantSettings, JobKind, Survival, SurvivalReport};

#[component]
pub fn SurvivalView() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().descendant;
    let look = Press::new("survival-start", t.survival, move |_| see(store)).quiet().off_while(move || is_busy(store));
    // Of another plan it says nothing.
    let shown = move || {
        store.plans.clusters.track();
        store.survival.get().filter(|report| planned(store).as_ref() == Some(&report.settings))
    };
    view! {
        {row(vec![look])}
        <p class="hint">{t.survival_hint}</p>
        <JobBar kind=JobKind::Survival stop_id="survival-stop"/>
        {move || shown().map(table)}
    }
}

/// The plan, if it is one of clustered heads.
fn planned(store: Store) -> Option<DescendantSettings> {
    store.plans.descendant.with(|planned| match planned.as_ref()?.settings {
        DescendantPlan::Cluster(settings) => Some(settings),
        DescendantPlan::Layers(_) | DescendantPlan::Tied(_) => None,
    })
}

fn see(store: Store) {
    if let Some(settings) = untrack(|| planned(store)) {
        tell_engine(store);
        begin_job(store, JobKind::Survival);
        send(store, Command::Survive(settings));
    }
}

fn table(report: SurvivalReport) -> impl IntoView {
    let t = &text().descendant;
    let rows = report.points.into_iter().map(one).collect_view();
    let head = t.survival_columns.map(|name| view! { <th scope="col">{name}</th> });
    view! {
        <p>{(t.survival_of)(report.pictures, &duration(report.seconds))}</p>
        <div class="scroll" tabindex="0" role="region" aria-label=t.survival>
            <table data-testid="survival-table">
                <thead>
                    <tr>{head.into_iter().collect_view()}</tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}

fn one(point: Survival) -> impl IntoView {
    let store = expect_context::<Store>();
    let in_use = store.plans.clusters.with_untracked(|all| all.as_ref().map(|clusters| clusters.settings.eps));
    let is_current = in_use == Some(point.eps);
    let eps = digits(f64::from(point.eps));
    let eps = if is_current { (text().descendant.survival_current)(&eps) } else { eps };
    let [plain, compensated] = [point.plain, point.compensated].map(|near| percent(near.cosine.max(0.0)));
    view! {
        <tr aria-current=is_current.then_some("true")>
            <th scope="row">{eps}</th>
            <td class="number">{point.heads}</td>
            <td class="number">{point.ffns}</td>
            <td class="number">{short(point.taken)}</td>
            <td class="number">{plain}</td>
            <td class="number">{compensated}</td>
        </tr>
    }
}
