//! Taking in pictures, and dividing them.

use super::end;
use crate::emitter::Emitter;
use crate::workspace::{Dataset, Workspace};
use heirloom_data::{DataError, KnownPicture, Level, PictureSet, SplitPlan};
use heirloom_plan::protocol::{Event, FolderLevel, JobKind, SplitSettings};
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

/// Takes another folder for the class.
pub async fn read_folders(workspace: &mut Workspace, emitter: &Emitter, level: FolderLevel) {
    let Workspace { dataset, heads, .. } = workspace;
    let path = |dataset: &Dataset, index: usize| dataset.set.pictures().get(index).map(|one| one.path.clone());
    let shown = heads.iter().flat_map(|heads| &heads.saved.shown);
    let shown: Vec<String> = shown.filter_map(|&index| path(dataset, index)).collect();
    let level = match level {
        FolderLevel::Outermost => Level::Outermost,
        FolderLevel::Innermost => Level::Innermost,
    };
    dataset.set.read_by(level).await;
    // Pictures stand elsewhere now.
    let place = |path: &String| dataset.set.pictures().iter().position(|one| one.path == *path);
    if let Some(heads) = heads {
        heads.saved.shown = shown.iter().filter_map(place).collect();
    }
    divide(workspace, emitter).await;
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
