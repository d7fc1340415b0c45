//! Files from inputs and drops, as handles with their path; nothing is read here.

use gloo::file::ObjectUrl;
use gloo::timers::callback::Timeout;
use js_sys::{Array, Function, Promise, Reflect};
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Blob, BlobPropertyBag, DataTransfer, File, FileList, FileSystemDirectoryEntry, FileSystemEntry,
    FileSystemFileEntry, HtmlAnchorElement, HtmlInputElement,
};

/// A file the person chose.
#[derive(Clone)]
pub struct Picked {
    /// Path inside the chosen folder, or the plain name.
    pub path: String,
    pub file: File,
}

/// The files of an input; the input is emptied so that the same file can be chosen again.
pub fn from_input(input: &HtmlInputElement) -> Vec<Picked> {
    let picked = input.files().map(|list| from_list(&list)).unwrap_or_default();
    input.set_value("");
    picked
}

fn from_list(list: &FileList) -> Vec<Picked> {
    (0..list.length()).filter_map(|index| list.item(index)).map(from_file).collect()
}

fn from_file(file: File) -> Picked {
    let inside = Reflect::get(&file, &"webkitRelativePath".into()).ok().and_then(|path| path.as_string());
    let path = inside.filter(|path| !path.is_empty()).unwrap_or_else(|| file.name());
    Picked { path, file }
}

/// What was dropped. Must be called inside the drop event: afterwards the browser empties the transfer.
pub fn of_drop(transfer: &DataTransfer) -> Dropped {
    let items = transfer.items();
    let entries: Vec<FileSystemEntry> =
        (0..items.length()).filter_map(|index| items.get(index)?.webkit_get_as_entry().ok().flatten()).collect();
    let files =
        if entries.is_empty() { transfer.files().map(|list| from_list(&list)).unwrap_or_default() } else { vec![] };
    Dropped { entries, files }
}

/// Dropped files and folders before the folders are walked.
pub struct Dropped {
    entries: Vec<FileSystemEntry>,
    files: Vec<Picked>,
}

impl Dropped {
    /// All files, those in folders included, and the entries that could not be read.
    pub async fn collect(self) -> (Vec<Picked>, Vec<String>) {
        let (mut open, mut picked, mut failed) = (self.entries, self.files, Vec::new());
        open.reverse();
        while let Some(entry) = open.pop() {
            let path = entry.full_path().trim_start_matches('/').to_owned();
            // Asked, not cast: Chromium has no classes of these names to compare with.
            if entry.is_directory() {
                match children(entry.unchecked_ref()).await {
                    Ok(children) => open.extend(children.into_iter().rev()),
                    Err(_) => failed.push(path),
                }
            } else {
                match file_of(entry.unchecked_ref()).await {
                    Ok(file) => picked.push(Picked { path, file }),
                    Err(_) => failed.push(path),
                }
            }
        }
        (picked, failed)
    }
}

/// Everything in a folder. `readEntries` gives at most 100 a call, and an empty list at the end.
async fn children(folder: &FileSystemDirectoryEntry) -> Result<Vec<FileSystemEntry>, JsValue> {
    let reader = folder.create_reader();
    let mut all = Vec::new();
    loop {
        let batch = ask(|yes, no| reader.read_entries_with_callback_and_callback(yes, no)).await?;
        let batch: Array = batch.unchecked_into();
        if batch.length() == 0 {
            return Ok(all);
        }
        all.extend(batch.iter().map(JsCast::unchecked_into::<FileSystemEntry>));
    }
}

async fn file_of(entry: &FileSystemFileEntry) -> Result<File, JsValue> {
    let file = ask(|yes, no| {
        entry.file_with_callback_and_callback(yes, no);
        Ok(())
    });
    Ok(file.await?.unchecked_into())
}

/// Makes a promise of an old interface with two callbacks.
async fn ask(call: impl Fn(&Function, &Function) -> Result<(), JsValue>) -> Result<JsValue, JsValue> {
    let promise = Promise::new(&mut |yes, no| {
        if let Err(error) = call(&yes, &no) {
            let _ = no.call1(&JsValue::NULL, &error);
        }
    });
    JsFuture::from(promise).await
}

/// Saves bytes as a file of the person's.
pub fn download(name: &str, mime: &str, bytes: &JsValue) -> Result<(), JsValue> {
    let kind = BlobPropertyBag::new();
    kind.set_type(mime);
    let blob = Blob::new_with_buffer_source_sequence_and_options(&Array::of1(bytes), &kind)?;
    let url = ObjectUrl::from(gloo::file::Blob::from(blob));
    let link: HtmlAnchorElement = document().create_element("a")?.unchecked_into();
    link.set_href(&url);
    link.set_download(name);
    link.click();
    // The browser reads the address after this task; it must not be taken back before.
    Timeout::new(60_000, move || drop(url)).forget();
    Ok(())
}
