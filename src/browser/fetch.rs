//! Files of the page's own site, fetched piece by piece: how far it is can be shown, it can be broken off, and what came
//! is compared with what was meant before anybody uses it.

use std::fmt::Write;

use js_sys::{Array, Reflect, Uint8Array};
use leptos::prelude::window;
use sha2::{Digest, Sha256};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Blob, ReadableStream, ReadableStreamDefaultReader, RequestInit, Response};

/// What a file must be.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    pub bytes: u64,
    /// Hexadecimal, lower case.
    pub sha256: &'a str,
}

/// Why a file is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The server does not have it, or is not reached.
    Missing,
    /// It ended, or the connection broke, after so many bytes.
    Short(u64),
    /// It is another file than was meant.
    Changed,
}

/// Fetches a file; `heard` is told how many bytes came so far. The blobs together are the file.
///
/// # Errors
/// When the server does not give it, or gives another one. The caller knows by itself whether it broke it off.
pub async fn fetch(
    address: &str,
    expected: Expected<'_>,
    signal: &AbortSignal,
    heard: impl Fn(u64),
) -> Result<Array, Fault> {
    let how = RequestInit::new();
    how.set_signal(Some(signal));
    let answer = JsFuture::from(window().fetch_with_str_and_init(address, &how)).await.map_err(|_| Fault::Missing)?;
    let answer: Response = answer.dyn_into().map_err(|_| Fault::Missing)?;
    let stream = answer.body().filter(|_| answer.ok()).ok_or(Fault::Missing)?;
    let pieces = Array::new();
    let mut is_kept = true;
    read_through(&stream, expected, |piece, bytes| {
        // As blobs, which the browser may put on the disk and joins without a copy.
        match Blob::new_with_u8_array_sequence(&Array::of1(piece)) {
            Ok(piece) => drop(pieces.push(&piece)),
            Err(_) => is_kept = false,
        }
        heard(bytes);
    })
    .await?;
    if is_kept { Ok(pieces) } else { Err(Fault::Short(0)) }
}

/// Whether a stored file is what was meant.
pub async fn is_whole(file: &Blob, expected: Expected<'_>) -> bool {
    file.size() as u64 == expected.bytes && read_through(&file.stream(), expected, |_, _| {}).await.is_ok()
}

/// Reads to the end, but never more than was meant.
async fn read_through(
    stream: &ReadableStream,
    expected: Expected<'_>,
    mut each: impl FnMut(&Uint8Array, u64),
) -> Result<(), Fault> {
    let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    loop {
        let read = JsFuture::from(reader.read()).await.map_err(|_| Fault::Short(bytes))?;
        let of = |name: &str| Reflect::get(&read, &name.into()).unwrap_or_default();
        if of("done").is_truthy() {
            break;
        }
        let piece: Uint8Array = of("value").dyn_into().map_err(|_| Fault::Short(bytes))?;
        bytes += u64::from(piece.length());
        if bytes > expected.bytes {
            return Err(Fault::Changed);
        }
        // A piece at a time, so that no task of the page takes long.
        hash.update(piece.to_vec());
        each(&piece, bytes);
    }
    match hex(&hash.finalize()) {
        sum if sum == expected.sha256 => Ok(()),
        _ if bytes < expected.bytes => Err(Fault::Short(bytes)),
        _ => Err(Fault::Changed),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
