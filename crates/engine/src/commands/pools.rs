//! Cutting a model out of a pool.

use crate::emitter::Emitter;
use crate::workspace::{Id, Trained, Workspace};
use heirloom_plan::protocol::{CutReport, Event, Method, StartValue};

/// A configuration becomes a trained model like any other.
pub fn cut_out(workspace: &mut Workspace, emitter: &Emitter, method: Method, configuration: usize) {
    let Some(pool) = workspace.pools.of(method) else {
        return emitter.notify_error("there is no pool yet; make one first");
    };
    let Some((model, chosen)) = pool.cut(configuration) else {
        let reason = format!("configuration `{configuration}` is not there; choose one that is ready");
        return emitter.notify_error(reason);
    };
    let widths = chosen.path.iter().map(|part| pool.report.models[part.model].width).collect();
    let cut = CutReport { run: workspace.trained.len(), method, configuration: chosen, widths };
    workspace.trained.push(Some(Trained {
        id: Id::default(),
        model,
        classes: pool.report.classes.clone(),
        normalise: pool.normalise,
        arm: StartValue::Inherited,
        seed: pool.report.settings.seed,
        cut: Some(cut.clone()),
    }));
    emitter.emit(Event::Cut(cut));
}
