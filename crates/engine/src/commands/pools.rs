//! Cutting a model out of a pool.

use crate::error::EngineError;
use crate::workspace::{Id, Trained, Workspace};
use heirloom_plan::protocol::{CutReport, Event, Init, Method};

/// A configuration becomes a trained model like any other.
pub fn cut_out(workspace: &mut Workspace, method: Method, configuration: usize) -> Result<Event, EngineError> {
    let pool = workspace.pools.of(method).as_ref().ok_or(EngineError::NoPool)?;
    let (model, chosen) = pool.cut(configuration).ok_or(EngineError::NotReady(configuration))?;
    let widths = chosen.path.iter().map(|part| pool.report.models[part.model].width).collect();
    let cut = CutReport { run: workspace.trained.len(), method, configuration: chosen, widths };
    workspace.trained.push(Some(Trained {
        id: Id::default(),
        model,
        classes: pool.report.classes.clone(),
        normalise: pool.normalise,
        arm: Init::Inherited,
        seed: pool.report.settings.seed,
        cut: Some(cut.clone()),
    }));
    Ok(Event::Cut(cut))
}
