//! The browser's own file system for this page. Synchronous handles exist only in a worker, and are the only way to
//! write that every browser has.

use std::rc::Rc;

use js_sys::{AsyncIterator, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Blob, DomException, FileSystemDirectoryHandle, FileSystemFileHandle, FileSystemGetDirectoryOptions,
    FileSystemGetFileOptions, FileSystemReadWriteOptions, FileSystemRemoveOptions, FileSystemSyncAccessHandle,
    StorageEstimate, StorageManager, WorkerGlobalScope,
};

use super::{Entry, StorageError};
use crate::file::FileHandle;

/// Everything of ours lies in this folder of the page's file system; the page reads it too.
const ROOT: &str = "heirloom";
/// Held open while a worker has the store.
const LOCK: &str = "lock";
/// A worker that was ended gives its handles back a little later: how often to try, and the pause between, ms.
const LOCK_TRIES: usize = 20;
const LOCK_PAUSE: i32 = 150;

#[derive(Clone)]
pub(super) struct Opfs {
    manager: StorageManager,
    root: FileSystemDirectoryHandle,
    _lock: Rc<Lock>,
}

struct Lock(FileSystemSyncAccessHandle);

impl Drop for Lock {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// A file being written.
pub(super) struct Open(FileSystemSyncAccessHandle);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Opfs {
    pub(super) async fn open() -> Result<Self, StorageError> {
        let denied = |reason: &str| StorageError::Denied { reason: reason.to_owned() };
        let scope: WorkerGlobalScope = js_sys::global().dyn_into().map_err(|_| denied("this is not a worker"))?;
        let navigator = scope.navigator();
        let has = Reflect::get(&navigator, &"storage".into()).is_ok_and(|storage| !storage.is_undefined());
        if !has {
            return Err(denied("the browser offers no storage"));
        }
        let manager = navigator.storage();
        let top: FileSystemDirectoryHandle = ask(ROOT, manager.get_directory()).await?;
        let make = FileSystemGetDirectoryOptions::new();
        make.set_create(true);
        let root: FileSystemDirectoryHandle = ask(ROOT, top.get_directory_handle_with_options(ROOT, &make)).await?;
        let lock = Rc::new(Lock(lock(&root).await?));
        Ok(Self { manager, root, _lock: lock })
    }

    pub(super) async fn create(&self, path: &str) -> Result<Open, StorageError> {
        let (folder, name) = self.folder_of(path, true).await?;
        let open = Open(open(&folder, name).await?);
        open.0.truncate_with_u32(0).map_err(|error| explain(path, &error))?;
        Ok(open)
    }

    pub(super) async fn file(&self, path: &str, called: &str) -> Result<FileHandle, StorageError> {
        let (folder, name) = self.folder_of(path, false).await?;
        let handle: FileSystemFileHandle = ask(path, folder.get_file_handle(name)).await?;
        let blob: Blob = ask(path, handle.get_file()).await?;
        Ok(FileHandle::from_blob(called, blob))
    }

    pub(super) async fn list(&self, folder: &str) -> Result<Vec<Entry>, StorageError> {
        let handle = match self.folder(folder, false).await {
            Ok(handle) => handle,
            Err(StorageError::Gone { .. }) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let entries: AsyncIterator = handle.values();
        let mut found = Vec::new();
        loop {
            let next = entries.next().map_err(|error| explain(folder, &error))?;
            let next = JsFuture::from(next).await.map_err(|error| explain(folder, &error))?;
            let text = |of: &JsValue, key: &str| Reflect::get(of, &key.into()).unwrap_or_default();
            if text(&next, "done").is_truthy() {
                return Ok(found);
            }
            let entry = text(&next, "value");
            let name = text(&entry, "name").as_string().unwrap_or_default();
            let is_folder = text(&entry, "kind").as_string().as_deref() == Some("directory");
            if name != LOCK || !folder.is_empty() {
                found.push(Entry { name, is_folder });
            }
        }
    }

    pub(super) async fn remove(&self, path: &str) -> Result<(), StorageError> {
        let removed = async {
            let (folder, name) = self.folder_of(path, false).await?;
            let options = FileSystemRemoveOptions::new();
            options.set_recursive(true);
            let removing = folder.remove_entry_with_options(name, &options);
            JsFuture::from(removing).await.map_err(|error| explain(path, &error))
        };
        match removed.await {
            Ok(_) | Err(StorageError::Gone { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// What the whole page uses, and what the browser would still grant.
    pub(super) async fn room(&self) -> (u64, Option<u64>) {
        let Ok(asked) = self.manager.estimate() else { return (0, None) };
        let Ok(estimate) = JsFuture::from(asked).await else { return (0, None) };
        let estimate: StorageEstimate = estimate.unchecked_into();
        let used = estimate.get_usage().unwrap_or_default();
        (used as u64, estimate.get_quota().map(|quota| (quota - used).max(0.0) as u64))
    }

    async fn folder_of<'a>(
        &self,
        path: &'a str,
        make: bool,
    ) -> Result<(FileSystemDirectoryHandle, &'a str), StorageError> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        Ok((self.folder(folder, make).await?, name))
    }

    async fn folder(&self, path: &str, make: bool) -> Result<FileSystemDirectoryHandle, StorageError> {
        let options = FileSystemGetDirectoryOptions::new();
        options.set_create(make);
        let mut folder = self.root.clone();
        for name in path.split('/').filter(|name| !name.is_empty()) {
            folder = ask(path, folder.get_directory_handle_with_options(name, &options)).await?;
        }
        Ok(folder)
    }
}

impl Open {
    pub(super) fn write(&self, path: &str, at: u64, bytes: &[u8]) -> Result<(), StorageError> {
        let options = FileSystemReadWriteOptions::new();
        options.set_at(at as f64);
        let written = self.0.write_with_u8_array_and_options(bytes, &options).map_err(|error| explain(path, &error))?;
        // Some browsers write what has room and say nothing.
        if written as usize == bytes.len() { Ok(()) } else { Err(StorageError::Full { path: path.to_owned() }) }
    }

    pub(super) fn finish(self, path: &str) -> Result<(), StorageError> {
        self.0.flush().map_err(|error| explain(path, &error))
    }
}

async fn open(folder: &FileSystemDirectoryHandle, name: &str) -> Result<FileSystemSyncAccessHandle, StorageError> {
    let options = FileSystemGetFileOptions::new();
    options.set_create(true);
    let file: FileSystemFileHandle = ask(name, folder.get_file_handle_with_options(name, &options)).await?;
    ask(name, file.create_sync_access_handle()).await
}

async fn lock(root: &FileSystemDirectoryHandle) -> Result<FileSystemSyncAccessHandle, StorageError> {
    for _ in 0..LOCK_TRIES {
        match open(root, LOCK).await {
            Err(StorageError::InUse) => pause(LOCK_PAUSE).await,
            opened => return opened,
        }
    }
    Err(StorageError::InUse)
}

async fn pause(ms: i32) {
    let sleep = Promise::new(&mut |wake, _| {
        let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
        let _ = scope.set_timeout_with_callback_and_timeout_and_arguments_0(&wake, ms);
    });
    let _ = JsFuture::from(sleep).await;
}

/// Waits for what the browser promised.
async fn ask<T: JsCast>(path: &str, promise: Promise) -> Result<T, StorageError> {
    JsFuture::from(promise).await.map(JsCast::unchecked_into).map_err(|error| explain(path, &error))
}

fn explain(path: &str, error: &JsValue) -> StorageError {
    let exception = error.dyn_ref::<DomException>();
    let name = exception.map(DomException::name).unwrap_or_default();
    let reason = exception.map_or_else(|| format!("{error:?}"), DomException::message);
    let path = path.to_owned();
    match name.as_str() {
        "QuotaExceededError" => StorageError::Full { path },
        "SecurityError" | "NotAllowedError" => StorageError::Denied { reason },
        "NoModificationAllowedError" => StorageError::InUse,
        "NotFoundError" | "TypeMismatchError" => StorageError::Gone { path },
        _ => StorageError::Other { path, reason },
    }
}
