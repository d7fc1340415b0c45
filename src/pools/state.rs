//! What the page knows of pools: what was made, and which model is chosen.

use leptos::prelude::*;

use heirloom_plan::protocol::{Budget, CutReport, Method, PoolConfiguration, PoolReport};

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

    pub fn at_most(self, most: f64) -> Budget {
        match self {
            Self::Parameters => Budget::Parameters(most as u64),
            Self::Flops => Budget::Flops(most as u64),
            Self::Milliseconds => Budget::Milliseconds(most),
        }
    }
}

/// What is on the screen of pools. Copies are handles of the same state.
#[derive(Clone, Copy, Default)]
pub struct PoolsState {
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

impl PoolsState {
    /// The pool of a method.
    pub fn of(self, method: Method) -> RwSignal<Option<PoolReport>> {
        if method == Method::Stitch { self.stitch } else { self.pool }
    }

    /// Nothing is known of pools: another project is being opened.
    pub fn clear(self) {
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
