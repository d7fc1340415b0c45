//! Taking in pictures, and dividing them.

use super::end;
use crate::emitter::Emitter;
use crate::workspace::{Dataset, Workspace};
use heirloom_data::{DataError, KnownPicture, PictureSet, SplitPlan};
use heirloom_plan::protocol::{Event, JobKind, SplitSettings};
use heirloom_platform::file::FileHandle;

/// Adds files to the pictures that are there.
pub async fn add(workspace: &mut Workspace, emitter: &Emitter, files: &[FileHandle], class: Option<&str>) {
    emitter.pace().begin(0);
    let looked = |looked: heirloom_data::ScanProgress| {
        emitter.progress(JobKind::Pictures, looked.done, looked.total, "looking at files");
        emitter.flow()
    };
    let added = workspace.dataset.set.add(files, class, looked).await;
    let finished = emitter.notify_failure(added).is_some_and(|added| !added.was_stopped);
    divide(workspace, emitter).await;
    end(workspace, emitter, JobKind::Pictures, finished);
}

/// Forgets all pictures.
pub async fn clear(workspace: &mut Workspace, emitter: &Emitter) {
    workspace.dataset = Dataset { settings: workspace.dataset.settings, ..Dataset::default() };
    if let Some(heads) = &mut workspace.heads {
        heads.saved.shown.clear();
    }
    divide(workspace, emitter).await;
}

/// Divides them otherwise.
pub async fn set_split(workspace: &mut Workspace, emitter: &Emitter, settings: SplitSettings) {
    workspace.dataset.settings = settings;
    divide(workspace, emitter).await;
}

/// Takes back pictures that were there before.
///
/// # Errors
/// When a picture is not what it was.
pub async fn restore(
    workspace: &mut Workspace,
    emitter: &Emitter,
    known: Vec<KnownPicture>,
    refused: &[(String, String)],
    settings: SplitSettings,
) -> Result<(), DataError> {
    emitter.pace().begin(0);
    let looked = |looked: heirloom_data::ScanProgress| {
        emitter.progress(JobKind::Pictures, looked.done, looked.total, "taking the pictures back");
    };
    let set = PictureSet::from_known(known, refused, looked).await?;
    workspace.dataset = Dataset { set, settings, ..Dataset::default() };
    divide(workspace, emitter).await;
    end(workspace, emitter, JobKind::Pictures, true);
    Ok(())
}

/// Divides the pictures afresh and tells the page.
async fn divide(workspace: &mut Workspace, emitter: &Emitter) {
    let dataset = &mut workspace.dataset;
    let SplitSettings { validation_share, seed } = dataset.settings;
    dataset.split = None;
    if !dataset.set.pictures().is_empty() {
        match dataset.set.split(SplitPlan { validation_share, seed }) {
            Ok(split) => {
                split.notes.iter().for_each(|note| emitter.notify_info(note.clone()));
                dataset.split = Some(split);
            }
            Err(error) => emitter.notify_error(error),
        }
    }
    emitter.emit(Event::Pictures(dataset.summary().await));
}
