//! What the page knows of pools: what was made, and which model is chosen.

use leptos::prelude::*;

use super::state::App;
use super::strings::text;
use heirloom_plan::protocol::{Budget, Command, CutReport, JobKind, Method, PoolConfiguration, PoolReport, RaceState};

/// What a budget counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BudgetKind {
    #[default]
    Parameters,
    Flops,
    Milliseconds,
}

impl BudgetKind {
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Parameters, "parameters"), (Self::Flops, "flops"), (Self::Milliseconds, "milliseconds")];

    /// What a configuration costs.
    pub fn of(self, one: &PoolConfiguration) -> Option<f64> {
        match self {
            Self::Parameters => Some(one.parameters as f64),
            Self::Flops => Some(one.flops as f64),
            Self::Milliseconds => one.milliseconds,
        }
    }

    fn at_most(self, most: f64) -> Budget {
        match self {
            Self::Parameters => Budget::Parameters(most as u64),
            Self::Flops => Budget::Flops(most as u64),
            Self::Milliseconds => Budget::Milliseconds(most),
        }
    }
}

/// What is on the screen of pools. Copies are handles of the same state.
#[derive(Clone, Copy, Default)]
pub struct PoolView {
    pub pool: RwSignal<Option<PoolReport>>,
    pub stitch: RwSignal<Option<PoolReport>>,
    /// Models cut out, in the order of their numbers.
    pub cuts: RwSignal<Vec<CutReport>>,
    pub kind: RwSignal<BudgetKind>,
    /// The slider; `None` = everything is allowed.
    pub budget: RwSignal<Option<f64>>,
    /// A configuration chosen by hand; the slider takes it back.
    pub picked: RwSignal<Option<usize>>,
}

impl PoolView {
    /// The pool of a method.
    pub fn of(self, method: Method) -> RwSignal<Option<PoolReport>> {
        if method == Method::Stitch { self.stitch } else { self.pool }
    }

    /// Nothing is known of pools: another project is being opened.
    pub(super) fn clear(self) {
        self.pool.set(None);
        self.stitch.set(None);
        self.cuts.set(Vec::new());
        self.budget.set(None);
        self.picked.set(None);
    }
}

/// Whether a method makes a pool.
pub fn is_pool(method: Method) -> bool {
    matches!(method, Method::Pool | Method::Stitch)
}

impl App {
    /// The method in use, tracked.
    pub fn method(self) -> Method {
        self.settings.with(|settings| settings.method)
    }

    /// The pool of the method in use.
    pub fn pool_report(self) -> RwSignal<Option<PoolReport>> {
        self.pools.of(self.method())
    }

    /// The configuration that is looked at: picked by hand, or the best within the budget.
    pub fn chosen_configuration(self) -> Option<PoolConfiguration> {
        let (picked, kind, budget) = (self.pools.picked.get(), self.pools.kind.get(), self.pools.budget.get());
        self.pool_report().with(|report| {
            let report = report.as_ref()?;
            match picked {
                Some(id) => report.configurations.get(id).cloned(),
                None => report.best_within(kind.at_most(budget.unwrap_or(f64::MAX))).cloned(),
            }
        })
    }

    pub fn make_pool(self) {
        let patch = self.patch_size();
        let settings = self.settings.with_untracked(|settings| settings.pool(patch));
        self.begin_job(JobKind::Pool);
        self.pools.picked.set(None);
        self.pools.budget.set(None);
        self.send(Command::MakePool(settings), Vec::new());
    }

    pub fn pause_or_continue_pool(self) {
        let state = self.pools.of(self.settings.with_untracked(|s| s.method));
        let paused = state.with_untracked(|pool| pool.as_ref().is_some_and(|pool| pool.state == RaceState::Paused));
        self.send(if paused { Command::Continue } else { Command::Pause }, Vec::new());
    }

    pub fn cut_out(self, configuration: usize) {
        let method = self.settings.with_untracked(|settings| settings.method);
        self.send(Command::CutOut { method, configuration }, Vec::new());
    }

    pub(super) fn pool_moved(self, report: PoolReport) {
        if matches!(report.state, RaceState::Finished | RaceState::Stopped) {
            self.end_job(JobKind::Pool);
        }
        self.pools.of(report.settings.method).set(Some(report));
    }

    /// A cut-out model is at once the one that names pictures and is saved.
    pub(super) fn was_cut(self, cut: CutReport) {
        self.run.set(cut.run);
        self.trial.is_ancestor.set(false);
        self.forget_answers_of_namer();
        self.models_lost.set(false);
        self.spoken.set((text().pool.was_cut)(&cut_name(&cut)));
        self.pools.cuts.update(|cuts| cuts.push(cut));
    }

    /// The models went with their engine; numbers and drawings stay. Returns whether a pool was in the making.
    pub(super) fn lose_pools(self) -> bool {
        self.pools.cuts.set(Vec::new());
        let mut was_running = false;
        for signal in [self.pools.pool, self.pools.stitch] {
            if signal.with_untracked(Option::is_none) {
                continue;
            }
            signal.update(|report| {
                let Some(report) = report else { return };
                was_running |= matches!(report.state, RaceState::Running | RaceState::Paused);
                if was_running {
                    report.state = RaceState::Stopped;
                }
                report.configurations.iter_mut().for_each(|one| one.is_ready = false);
            });
        }
        was_running
    }
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
