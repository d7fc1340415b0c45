//! Sample pictures that ship with the page, so that nobody needs files of their own for a first look.

use gloo::net::http::Request;
use js_sys::{Array, Uint8Array};
use wasm_bindgen_futures::spawn_local;
use web_sys::File;

use crate::browser::files::Picked;
use crate::pictures::actions::add_pictures;
use crate::prelude::*;
use heirloom_plan::protocol::JobKind;

/// A shipped set of pictures; its zip and its credits are in `static/samples`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// Quick, Draw! drawings.
    Doodles,
    /// Fashion-MNIST.
    Clothes,
}

impl Sample {
    /// Its zip below `static/samples`.
    fn file(self) -> &'static str {
        match self {
            Self::Doodles => "doodles.zip",
            Self::Clothes => "clothes.zip",
        }
    }
}

/// Fetches a set from where the page came from and adds it as if the person had chosen the zip.
pub fn add(store: Store, sample: Sample) {
    begin_job(store, JobKind::Pictures);
    store.shipped.has_samples_coming.set(true);
    spawn_local(async move {
        let fetched = fetch(sample.file()).await;
        store.shipped.has_samples_coming.set(false);
        match fetched {
            Some(file) => add_pictures(store, vec![Picked { path: file.name(), file }], None),
            None => {
                end_job(store, JobKind::Pictures);
                complain(store, (text().pictures.sample_missing)(sample.file()));
            }
        }
    });
}

async fn fetch(name: &str) -> Option<File> {
    let answer = Request::get(&format!("static/samples/{name}")).send().await.ok().filter(|answer| answer.ok())?;
    let bytes = answer.binary().await.ok()?;
    File::new_with_u8_array_sequence(&Array::of1(&Uint8Array::from(bytes.as_slice())), name).ok()
}
