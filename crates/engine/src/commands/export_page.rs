//! A trained model as one web page: checked on the pictures at hand, written as 16-bit numbers behind the player.

use super::evaluate::evaluate_run;
use super::export::{described, shape_name};
use crate::emitter::Emitter;
use crate::error::EngineError;
use crate::workspace::{Trained, Workspace};
use heirloom_checkpoint::{Checked, PageCard, PageError, write_half_safetensors, write_page, write_safetensors};
use heirloom_plan::protocol::JobKind;
use heirloom_platform::clock::unix_ms;
use heirloom_platform::file::FileHandle;
use heirloom_player::check_playable;

/// Largest number of 16 bits.
const LARGEST_HALF: f32 = 65_504.0;
/// Most bytes of a player that are read; it has some 300 KB.
const MOST_PLAYER: u64 = 4 << 20;

/// Writes the model of a run as a page; `player` is the site's own page without a model.
pub async fn export_page(workspace: &Workspace, emitter: &Emitter, run: usize, player: &[FileHandle]) {
    emitter.pace().begin(0);
    let written = emitter.notify_failure(page(workspace, emitter, run, player).await).flatten();
    emitter.ended(JobKind::Evaluate, written.is_some());
    if let Some((name, bytes)) = written {
        emitter.emit_file(name, "text/html", bytes);
    }
}

/// `None` when it was stopped.
async fn page(
    workspace: &Workspace,
    emitter: &Emitter,
    run: usize,
    player: &[FileHandle],
) -> Result<Option<(String, Vec<u8>)>, EngineError> {
    let Trained { model, classes, normalise, arm, seed, .. } = workspace.trained(run)?;
    check_playable(&model.config())?;
    let Some(player) = player.first().filter(|player| player.len() <= MOST_PLAYER) else {
        return Err(PageError::NotPlayer.into());
    };
    let player = String::from_utf8(player.read_all().await?).map_err(|_| PageError::NotPlayer)?;
    let checked = match evaluate_run(workspace, emitter, Some(run)).await {
        Ok(None) => return Ok(None),
        Ok(Some(confusion)) => {
            let right = (0..confusion.classes.len()).map(|class| confusion.counts[class][class]).sum();
            Some(Checked { right, pictures: confusion.counts.iter().flatten().sum() })
        }
        // It was trained on pictures that are no longer at hand.
        Err(EngineError::NothingToCheckWith | EngineError::OtherClasses) => None,
        Err(error) => return Err(error),
    };
    let card = PageCard {
        ancestor: workspace.ancestor.as_ref().map(|ancestor| ancestor.summary.name.clone()),
        start: arm.name().to_owned(),
        parameters: model.config().parameters(),
        checked: checked.filter(|checked| checked.pictures > 0),
        saved: unix_ms(),
    };
    let (tensors, description) = described(model, Some(classes.clone()), normalise).await?;
    let fits = tensors.iter().all(|(_, tensor)| tensor.values.iter().all(|value| value.abs() <= LARGEST_HALF));
    let write = if fits { write_half_safetensors } else { write_safetensors };
    let bytes = write_page(&player, &card, &write(tensors, &description))?;
    Ok(Some((format!("heirloom-{}-{}-seed{seed}.html", shape_name(model), arm.name()), bytes)))
}
