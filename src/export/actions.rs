//! Saving a model as a web page: the site's own player is fetched only then, and handed to the engine, which writes the
//! model behind it.

use js_sys::Array;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Blob, File, Response};

use crate::browser::files::Picked;
use crate::prelude::*;
use heirloom_plan::protocol::{Command, JobKind};

/// The page without a model, beside this one.
const PLAYER: &str = "player.html";

/// Saves the chosen model; it is checked on the pictures at hand first.
pub fn save_page(store: Store) {
    let run = store.trial.run.get_untracked();
    begin_job(store, JobKind::Evaluate);
    spawn_local(async move {
        match player().await {
            Some(file) => {
                let (files, handles) = hand_over(vec![Picked { path: PLAYER.into(), file }]);
                send_files(store, Command::ExportPage { run, files }, handles);
            }
            None => {
                end_job(store, JobKind::Evaluate);
                complain(store, text().home.no_player.to_owned());
            }
        }
    });
}

async fn player() -> Option<File> {
    let answer = JsFuture::from(window().fetch_with_str(PLAYER)).await.ok()?;
    let answer: Response = answer.dyn_into().ok().filter(Response::ok)?;
    let blob: Blob = JsFuture::from(answer.blob().ok()?).await.ok()?.dyn_into().ok()?;
    File::new_with_blob_sequence(&Array::of1(&blob), PLAYER).ok()
}
