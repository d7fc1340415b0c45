//! The browser's store as the page sees it: it asks that it be kept, shows stored pictures, and strings stored files
//! together to a zip. Only the engine writes.

use js_sys::{Array, Reflect, Uint8Array};
use leptos::prelude::window;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, File, FileSystemDirectoryHandle, FileSystemFileHandle, StorageManager};

use heirloom_plan::protocol::ZipPiece;

/// The engine's folder.
const ROOT: &str = "heirloom";

/// `None` on pages from plain http.
fn manager() -> Option<StorageManager> {
    let navigator = window().navigator();
    let has = Reflect::get(&navigator, &"storage".into()).is_ok_and(|storage| !storage.is_undefined());
    has.then(|| navigator.storage())
}

/// Asks the browser not to clear the store when the disk gets full. It may refuse; then everything works as before.
pub async fn persist() {
    let Some(Ok(asked)) = manager().map(|manager| manager.persist()) else { return };
    match JsFuture::from(asked).await {
        Ok(kept) => {
            log::info!("the browser's store is {}", if kept.is_truthy() { "persistent" } else { "best effort" })
        }
        Err(error) => log::warn!("the browser's store could not be made persistent: {error:?}"),
    }
}

/// A file of the store.
pub async fn file(path: &str) -> Option<File> {
    let mut folder: FileSystemDirectoryHandle = JsFuture::from(manager()?.get_directory()).await.ok()?.unchecked_into();
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    for part in std::iter::once(ROOT).chain(folders.split('/').filter(|part| !part.is_empty())) {
        folder = JsFuture::from(folder.get_directory_handle(part)).await.ok()?.unchecked_into();
    }
    let handle: FileSystemFileHandle = JsFuture::from(folder.get_file_handle(name)).await.ok()?.unchecked_into();
    Some(JsFuture::from(handle.get_file()).await.ok()?.unchecked_into())
}

/// A file that somebody handed over and that a project holds, by its SHA-256 in hexadecimal. It may be half written.
pub async fn blob(sha256: &str) -> Option<File> {
    file(&format!("blobs/{sha256}")).await
}

/// A zip of which nothing is copied: the stored files stay where they are until the browser writes the download.
/// `attached` are the bytes between them.
pub async fn together(pieces: &[ZipPiece], attached: &Uint8Array) -> Option<Blob> {
    let parts = Array::new();
    for piece in pieces {
        parts.push(&match piece {
            ZipPiece::Attached(range) => attached.subarray(range.start, range.end).into(),
            ZipPiece::Stored(path) => JsValue::from(file(path).await?),
        });
    }
    Blob::new_with_blob_sequence(&parts).ok()
}
