//! A project as one zip that opens on another machine. Nothing is compressed, for weights and photographs do not shrink,
//! and so the zip is only headers between files that are already stored: the page strings them together, and not even a
//! project larger than memory has to be copied.

use super::copy::SLICE;
use super::project_store::{Newest, ProjectStore};
use crate::emitter::Emitter;
use crate::error::EngineError;
use crate::remark::Remark;
use heirloom_plan::protocol::{Event, ProjectEvent, ZipPiece};
use heirloom_platform::clock::yield_now;
use heirloom_platform::file::FileHandle;
use heirloom_platform::storage::Storage;

/// Name of the generation inside the zip.
pub const WORK: &str = "work.save";
/// Name of the file that holds the project's name.
pub const NAME: &str = "name.txt";
/// A plain zip counts its bytes with 32 bits.
const MAX_ZIP: u64 = u32::MAX as u64;
/// A file of the zip.
struct Entry {
    name: String,
    path: String,
    len: u64,
    crc: u32,
}

/// Hands out the newest generation of a project as a zip that bears `name`.
pub async fn export(store: &ProjectStore, id: &str, name: &str, emitter: &Emitter) -> Result<(), EngineError> {
    let Newest { generation, .. } = store.newest(id).await?;
    let slot = ProjectStore::slot_path(id, generation.slot);
    let mut files = vec![(NAME.to_owned(), format!("projects/{id}/name")), (WORK.to_owned(), slot)];
    let parts = generation.work.parts();
    files.extend(parts.map(|part| (format!("parts/{}", part.name), ProjectStore::part_path(id, &part.name))));
    let missing = store.missing(&generation.work).await;
    for file in generation.work.files().filter(|file| !missing.contains(file)) {
        let entry = (format!("blobs/{}", file.sha256), ProjectStore::blob_path(&file.sha256));
        if !files.contains(&entry) {
            files.push(entry);
        }
    }
    let mut entries = Vec::new();
    for (name, path) in files {
        let file = store.storage.file(&path, &name).await?;
        let crc = crc32(&file).await?;
        entries.push(Entry { name, path, len: file.len(), crc });
    }
    if !missing.is_empty() {
        emitter.notify_info(Remark::NotInZip { missing: missing.len() });
    }
    let (pieces, headers) = pieces(&entries)?;
    let name = format!("{}.zip", file_name(name));
    if cfg!(target_arch = "wasm32") && store.storage.is_lasting() {
        emitter.emit_with(Event::Project(ProjectEvent::Exported { name, pieces }), headers);
    } else {
        emitter.emit_file(name, "application/zip", together(&store.storage, pieces, &headers).await?);
    }
    Ok(())
}

/// A name that every system takes for a file's.
fn file_name(name: &str) -> String {
    let sign = |sign: char| if sign.is_alphanumeric() || matches!(sign, '-' | '_' | ' ') { sign } else { '-' };
    let name: String = name.chars().map(sign).collect();
    if name.trim().is_empty() { "heirloom".into() } else { name.trim().into() }
}

async fn together(storage: &Storage, pieces: Vec<ZipPiece>, headers: &[u8]) -> Result<Vec<u8>, EngineError> {
    let mut zip = Vec::new();
    for piece in pieces {
        match piece {
            ZipPiece::Attached(range) => zip.extend(&headers[range.start as usize..range.end as usize]),
            ZipPiece::Stored(path) => zip.extend(storage.file(&path, &path).await?.read_all().await?),
        }
    }
    Ok(zip)
}

/// Local headers, files and the directory at the end; and the bytes of all that is no file.
fn pieces(entries: &[Entry]) -> Result<(Vec<ZipPiece>, Vec<u8>), EngineError> {
    let (mut pieces, mut headers, mut directory, mut at) = (Vec::new(), Vec::new(), Vec::new(), 0_u64);
    for entry in entries {
        let header = fields(entry);
        let mut local = b"PK\x03\x04".to_vec();
        local.extend(&header);
        local.extend(entry.name.as_bytes());
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&header);
        // No comment, first disk, no attributes.
        directory.extend([0; 10]);
        directory.extend((at as u32).to_le_bytes());
        directory.extend(entry.name.as_bytes());
        at += local.len() as u64 + entry.len;
        pieces.push(attach(&mut headers, &local));
        pieces.push(ZipPiece::Stored(entry.path.clone()));
    }
    let count = entries.len();
    if at + directory.len() as u64 > MAX_ZIP || count > usize::from(u16::MAX) {
        return Err(EngineError::LargeZip { files: count, bytes: at, most_files: u16::MAX, most_bytes: MAX_ZIP });
    }
    let (start, size, count) = (at as u32, directory.len() as u32, count as u16);
    directory.extend(b"PK\x05\x06\x00\x00\x00\x00");
    directory.extend(count.to_le_bytes());
    directory.extend(count.to_le_bytes());
    directory.extend(size.to_le_bytes());
    directory.extend(start.to_le_bytes());
    directory.extend([0; 2]);
    pieces.push(attach(&mut headers, &directory));
    Ok((pieces, headers))
}

/// Appends to the attachment. A zip's length has 32 bits, so what is between its files has no more.
fn attach(headers: &mut Vec<u8>, bytes: &[u8]) -> ZipPiece {
    let start = headers.len() as u32;
    headers.extend(bytes);
    ZipPiece::Attached(start..headers.len() as u32)
}

/// What local header and directory say alike: version, flags (names are UTF-8), method (none), time (1 January 1980),
/// checksum, sizes, lengths of name and extra field.
fn fields(entry: &Entry) -> Vec<u8> {
    let mut fields = vec![20, 0, 0, 8, 0, 0, 0, 0, 0x21, 0];
    fields.extend(entry.crc.to_le_bytes());
    fields.extend((entry.len as u32).to_le_bytes());
    fields.extend((entry.len as u32).to_le_bytes());
    fields.extend((entry.name.len() as u16).to_le_bytes());
    fields.extend([0; 2]);
    fields
}

/// The checksum that zips use.
async fn crc32(file: &FileHandle) -> Result<u32, EngineError> {
    let table: Vec<u32> = (0..256_u32)
        .map(|byte| (0..8).fold(byte, |crc, _| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 }))
        .collect();
    let mut crc = !0_u32;
    for start in (0..file.len()).step_by(SLICE as usize) {
        let bytes = file.read(start..(start + SLICE).min(file.len())).await?;
        crc = bytes.iter().fold(crc, |crc, byte| table[((crc ^ u32::from(*byte)) & 255) as usize] ^ (crc >> 8));
        yield_now().await;
    }
    Ok(!crc)
}
