//! How the files of shipped ancestors come.

use js_sys::Array;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use web_sys::{AbortController, AbortSignal, File};

use crate::ancestor::actions::open_ancestor;
use crate::ancestor::shipped::{Card, Fetching, Shipped};
use crate::browser::fetch::Fault;
use crate::browser::files::Picked;
use crate::browser::{fetch, stored};
use crate::prelude::*;

/// Opens a shipped ancestor as if the person had chosen its file. Another choice in the meantime goes before it.
pub fn open_shipped(store: Store, which: Shipped) {
    let shipped = store.shipped;
    shipped.cancel();
    let (Some(card), Ok(aborter)) = (which.card(), AbortController::new()) else {
        return complain(store, (text().shipped.missing)(which.file()));
    };
    let (turn, signal) = (shipped.turn.get_value(), aborter.signal());
    shipped.aborter.set_value(Some(aborter));
    shipped.fetching.set(Some(Fetching { which, bytes: 0, seconds_left: None }));
    spawn_local(async move {
        let got = get(store, which, card, &signal, turn).await;
        if shipped.turn.get_value() != turn {
            return;
        }
        // Also ends the connection of a file that turned out to be another one.
        shipped.cancel();
        let t = &text().shipped;
        match got {
            Ok(picked) => open_ancestor(store, picked),
            Err(Fault::Missing) => complain(store, (t.missing)(which.file())),
            Err(Fault::Short(bytes)) => complain(store, (t.short)(which.file(), bytes, card.bytes)),
            Err(Fault::Changed) => complain(store, (t.changed)(which.file())),
        }
    });
}

/// The weights, and beside them the description that they need.
async fn get(
    store: Store,
    which: Shipped,
    card: &Card,
    signal: &AbortSignal,
    turn: usize,
) -> Result<Vec<Picked>, Fault> {
    let weights = match stored::blob(&card.sha256).await {
        Some(stored) if fetch::is_whole(&stored, card.expected()).await => {
            File::new_with_blob_sequence(&Array::of1(&stored), which.file())
        }
        _ => {
            let begun = js_sys::Date::now();
            let heard = |bytes: u64| {
                if store.shipped.turn.get_value() == turn {
                    let seconds = (js_sys::Date::now() - begun) / 1e3;
                    let seconds_left = (bytes > 0).then(|| seconds * (card.bytes as f64 / bytes as f64 - 1.0));
                    store.shipped.fetching.set(Some(Fetching { which, bytes, seconds_left }));
                }
            };
            let address = format!("static/ancestors/{}", which.file());
            let pieces = fetch::fetch(&address, card.expected(), signal, heard).await?;
            File::new_with_blob_sequence(&pieces, which.file())
        }
    };
    let config = which
        .config()
        .map(|config| File::new_with_str_sequence(&Array::of1(&JsValue::from_str(config)), "config.json"));
    let files = [Some(weights), config].into_iter().flatten();
    let picked = files.map(|file| file.map(|file| Picked { path: file.name(), file }));
    picked.collect::<Result<_, _>>().map_err(|_| Fault::Missing)
}
