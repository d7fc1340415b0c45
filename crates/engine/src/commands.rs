//! What is answered at once: functions over the workspace and an emitter. None of them knows a job or the store.

pub mod bench;
pub mod classify;
pub mod clusters;
pub mod descendant;
pub mod device;
pub mod evaluate;
pub mod explain;
pub mod export;
pub mod export_page;
pub mod open;
pub mod pictures;
pub mod pools;

use crate::emitter::Emitter;
use crate::workspace::{Change, Workspace};
use heirloom_data::Normalise;
use heirloom_plan::protocol::{Event, JobKind};
use heirloom_platform::image::RgbImage8;

/// The end of what changed the workspace: it is saved at once, and the page hears of it.
pub fn end(workspace: &Workspace, emitter: &Emitter, job: JobKind, finished: bool) {
    workspace.note(Change::Now);
    emitter.ended(job, finished);
}

/// The end of the job under way, said as an answer to the command that began it.
pub fn end_job(workspace: &Workspace, emitter: &Emitter, job: JobKind, finished: bool) {
    emitter.of_job(|| end(workspace, emitter, job, finished));
    emitter.job_is_over();
}

/// Tells the page what training reached on this machine, from which it forecasts.
pub fn emit_speed(workspace: &Workspace, emitter: &Emitter) {
    workspace.flops_per_second.into_iter().for_each(|speed| emitter.emit(Event::Speed(speed)));
}

/// `[3, side, side]`, normalised.
pub fn pixels(image: &RgbImage8, normalise: &Normalise) -> Vec<f32> {
    let mut pixels = vec![0.0; 3 * image.width * image.height];
    normalise.write(image, false, &mut pixels);
    pixels
}
