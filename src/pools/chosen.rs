//! The pool and the configuration that are looked at, and what they are called.

use crate::prelude::*;
use heirloom_plan::protocol::{CutReport, Method, PoolConfiguration, PoolReport};

/// The method in use, tracked.
pub fn method_in_use(store: Store) -> Method {
    store.settings.with(|settings| settings.method)
}

/// The pool of the method in use.
pub fn pool_report(store: Store) -> RwSignal<Option<PoolReport>> {
    store.pools.of(method_in_use(store))
}

/// The configuration that is looked at: picked by hand, or the best within the budget.
pub fn chosen_configuration(store: Store) -> Option<PoolConfiguration> {
    let (picked, kind, budget) = (store.pools.picked.get(), store.pools.kind.get(), store.pools.budget.get());
    pool_report(store).with(|report| {
        let report = report.as_ref()?;
        match picked {
            Some(id) => report.configurations.get(id).cloned(),
            None => report.best_within(kind.at_most(budget.unwrap_or(f64::MAX))).cloned(),
        }
    })
}

/// A path in words: `4 × 192`, or `2 × 96 → 3 × 192`.
pub fn path_name(report: &PoolReport, one: &PoolConfiguration) -> String {
    let widths: Vec<usize> = one.path.iter().map(|part| report.models[part.model].width).collect();
    named(one, &widths)
}

/// The same of a model cut out.
pub fn cut_name(cut: &CutReport) -> String {
    named(&cut.configuration, &cut.widths)
}

fn named(one: &PoolConfiguration, widths: &[usize]) -> String {
    let parts = one.path.iter().zip(widths).map(|(part, width)| format!("{} × {width}", part.last + 1 - part.first));
    parts.collect::<Vec<_>>().join(" → ")
}
