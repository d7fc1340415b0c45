//! The directory at the end of a zip archive, read by slices.
//!
//! The `zip` crate wants a synchronous reader, which a browser's file is not; what PyTorch writes (entries end to end,
//! never compressed) needs no more than this.

use super::error::CheckpointError;
use heirloom_platform::file::FileHandle;

/// Longest directory that is read; a checkpoint's takes 80 bytes a tensor.
const MAX_DIRECTORY: u64 = 32 << 20;

/// Longest end record: 22 bytes and a comment.
const MAX_END: u64 = 22 + 65_535;

/// One file of the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Path with `/`.
    pub name: String,
    /// Whether its bytes lie there as they are.
    pub is_plain: bool,
    /// Bytes.
    pub size: u64,
    /// Where its local header begins.
    pub header: u64,
}

/// Reads the directory.
///
/// # Errors
/// When it is missing, cut off, or absurdly large.
pub async fn read(file: &FileHandle) -> Result<Vec<Entry>, CheckpointError> {
    let cut_off = || damaged(file, "the zip directory at its end is missing, so it is cut off".into());
    let tail_start = file.len().saturating_sub(MAX_END);
    let tail = file.read(tail_start..file.len()).await?;
    let end = tail.windows(4).rposition(|window| window == b"PK\x05\x06").ok_or_else(cut_off)?;
    let record = tail.get(end..end + 22).ok_or_else(cut_off)?;
    let (mut size, mut start) = (u64::from(u32_at(record, 12)), u64::from(u32_at(record, 16)));
    if u16_at(record, 10) == u16::MAX || size == u64::from(u32::MAX) || start == u64::from(u32::MAX) {
        let locator = end.checked_sub(20).and_then(|at| tail.get(at..end)).filter(|l| l.starts_with(b"PK\x06\x07"));
        let at = u64_at(locator.ok_or_else(cut_off)?, 8);
        let record = file.read(at..at.saturating_add(56)).await?;
        (size, start) = (u64_at(&record, 40), u64_at(&record, 48));
    }
    if size > MAX_DIRECTORY {
        return Err(damaged(
            file,
            format!("its zip directory claims {size} bytes, at most {MAX_DIRECTORY} make sense"),
        ));
    }
    let bytes = file.read(start..start.saturating_add(size)).await?;
    let (mut entries, mut rest) = (Vec::new(), bytes.as_slice());
    while rest.starts_with(b"PK\x01\x02") {
        let (entry, length) = entry(rest).ok_or_else(|| damaged(file, "its zip directory is cut off".into()))?;
        entries.push(entry);
        rest = &rest[length..];
    }
    Ok(entries)
}

/// Where the bytes of the entry begin whose local header is at `header`.
///
/// # Errors
/// When no entry begins there.
pub async fn data_start(file: &FileHandle, header: u64) -> Result<u64, CheckpointError> {
    let bytes = file.read(header..header.saturating_add(30)).await?;
    if !bytes.starts_with(b"PK\x03\x04") {
        return Err(damaged(file, format!("no zip entry begins at byte {header}, where its directory says so")));
    }
    Ok(header + 30 + u64::from(u16_at(&bytes, 26)) + u64::from(u16_at(&bytes, 28)))
}

/// The first entry of a directory and its length there.
fn entry(bytes: &[u8]) -> Option<(Entry, usize)> {
    let fixed = bytes.get(..46)?;
    let (name, extra) = (u16_at(fixed, 28) as usize, u16_at(fixed, 30) as usize);
    let length = 46 + name + extra + u16_at(fixed, 32) as usize;
    let (mut size, mut header) = (u64::from(u32_at(fixed, 24)), u64::from(u32_at(fixed, 42)));
    // Sizes beyond 4 GiB stand in an extra field, in this order and only those that need it.
    let mut wide = zip64_fields(bytes.get(46 + name..46 + name + extra)?).into_iter();
    for (narrow, value) in
        [(u32_at(fixed, 24), Some(&mut size)), (u32_at(fixed, 20), None), (u32_at(fixed, 42), Some(&mut header))]
    {
        if narrow == u32::MAX {
            let found = wide.next()?;
            if let Some(value) = value {
                *value = found;
            }
        }
    }
    let is_plain = u16_at(fixed, 10) == 0 && u16_at(fixed, 8) & 1 == 0;
    let name = String::from_utf8_lossy(&bytes[46..46 + name]).into_owned();
    bytes.get(..length).map(|_| (Entry { name, is_plain, size, header }, length))
}

fn zip64_fields(mut extra: &[u8]) -> Vec<u64> {
    while extra.len() >= 4 {
        let end = 4 + u16_at(extra, 2) as usize;
        let Some(field) = extra.get(4..end) else { break };
        if u16_at(extra, 0) == 1 {
            return field.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
        }
        extra = &extra[end..];
    }
    Vec::new()
}

fn damaged(file: &FileHandle, problem: String) -> CheckpointError {
    CheckpointError::Damaged { name: file.name().into(), problem }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
