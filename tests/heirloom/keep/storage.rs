//! The store itself, natively a folder, in the browser its own file system.

use burn::tensor::Device;
use heirloom_platform::storage::{Storage, StorageError};

async fn holds_what_was_written(storage: Storage) {
    let mut writer = storage.create("a/b/one").await.unwrap();
    writer.write(b"hello ").unwrap();
    writer.write(b"world").unwrap();
    writer.finish().unwrap();
    storage.write("a/two", b"2").await.unwrap();
    let one = storage.file("a/b/one", "called").await.unwrap();
    assert_eq!((one.path(), one.len()), ("called", 11));
    assert_eq!(one.read(6..11).await.unwrap(), b"world");
    assert_eq!(one.part("wor", 6..9).unwrap().read(1..3).await.unwrap(), b"or");
    assert_eq!(storage.size("").await.unwrap(), 12);
    let names: Vec<_> = storage.list("a").await.unwrap().into_iter().map(|e| (e.name, e.is_folder)).collect();
    assert_eq!(names, [("b".to_owned(), true), ("two".to_owned(), false)]);
    storage.write("a/two", b"").await.unwrap();
    assert_eq!(storage.file("a/two", "two").await.unwrap().len(), 0, "a file begun again is empty");
    storage.remove("a/b").await.unwrap();
    storage.remove("a/b").await.unwrap();
    assert!(matches!(storage.file("a/b/one", "x").await, Err(StorageError::Gone { .. })));
    assert!(storage.list("nowhere").await.unwrap().is_empty());
}

async fn says_when_it_is_full_and_gives_room_back(storage: Storage) {
    storage.write("x", &[1; 60]).await.unwrap();
    let storage = storage.limited(100).await.unwrap();
    assert_eq!(storage.room().await.1, Some(40));
    assert!(matches!(storage.write("y", &[1; 41]).await, Err(StorageError::Full { .. })));
    storage.remove("y").await.unwrap();
    storage.remove("x").await.unwrap();
    storage.write("y", &[1; 100]).await.unwrap();
    storage.write("y", &[1; 100]).await.unwrap();
}

on_every_engine! {
    async fn a_store_in_memory_holds_what_was_written(_device: Device) {
        holds_what_was_written(Storage::memory()).await;
        says_when_it_is_full_and_gives_room_back(Storage::memory()).await;
    }
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn a_folder_holds_what_was_written() {
    pollster::block_on(async {
        holds_what_was_written(super::Place::new().storage()).await;
        let place = super::Place::new();
        says_when_it_is_full_and_gives_room_back(place.storage()).await;
    });
}

#[cfg(target_arch = "wasm32")]
#[wasm_bindgen_test::wasm_bindgen_test]
async fn the_browsers_store_holds_what_was_written_and_has_one_owner() {
    let storage = Storage::from_browser().await.unwrap();
    assert!(storage.is_lasting());
    holds_what_was_written(storage.clone()).await;
    storage.remove("a").await.unwrap();
    says_when_it_is_full_and_gives_room_back(storage.clone()).await;
    storage.remove("y").await.unwrap();
    assert!(matches!(Storage::from_browser().await, Err(StorageError::InUse)));
    drop(storage);
    assert!(Storage::from_browser().await.is_ok());
}
