//! Tied layers: two or a few stored layers, learned in an auxiliary model that is bound to a rule, from which descendants
//! of any depth are read off (docs/methods.md, section 5.6). TLEG (Xia et al., AAAI 2024) and SWS (IJCAI 2024) differ in
//! the rule alone.

mod expand;
mod learn;

pub use expand::{TiedStart, TiedVit};
pub use heirloom_plan::tied::{Tying, stored_parameters};
pub use learn::{TiedHeader, TiedMeasurements, TiedPhase, TiedPlan, TiedTrainer, tempered_divergence};
