//! Words of tied layers (TLEG, SWS), in the steps `heads` and `descendant`.

use super::Heading;
use heirloom_plan::protocol::TiedStage;

pub struct TiedWords {
    /// Of the step that learns them, of TLEG.
    pub line: Heading,
    /// The same, of SWS.
    pub stages: Heading,
    /// Of the step that reads a descendant off them.
    pub plan: Heading,
    pub need_learned: &'static str,
    pub learn: &'static str,
    pub learn_again: &'static str,
    pub idle: &'static str,
    pub at: fn(TiedStage) -> &'static str,
    pub finished: fn(&str, Option<&str>) -> String,
    pub auxiliary_layers: &'static str,
    pub auxiliary_layers_hint: &'static str,
    pub stage_count: &'static str,
    pub stage_count_hint: &'static str,
    pub temperature: &'static str,
    pub temperature_hint: &'static str,
    pub steps: &'static str,
    pub steps_hint: &'static str,
    pub loss: &'static str,
    pub stored: &'static str,
    pub auxiliary: &'static str,
    pub ancestor: &'static str,
    pub depth: &'static str,
    pub depth_term: &'static str,
    pub not_counted: &'static str,
    pub table: &'static str,
    pub columns: [&'static str; 2],
    pub on_line: fn(usize, usize) -> String,
    pub of_stage: fn(usize) -> String,
}
