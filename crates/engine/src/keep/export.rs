//! A project as one zip that opens on another machine. Nothing is compressed, for weights and photographs do not shrink,
//! and so the zip is only headers between files that are already stored: the page strings them together, and not even a
//! project larger than memory has to be copied.

use super::store::{KeepError, Newest, Projects};
use super::work::{Kept, Part};
use crate::runner::{Job, Runner};
use heirloom_plan::protocol::{Event, ProjectEvent, ZipPiece};
use heirloom_platform::clock::yield_now;
use heirloom_platform::file::FileHandle;
use heirloom_platform::storage::Storage;

/// Name of the generation inside the zip.
pub(super) const WORK: &str = "work.save";
/// Name of the file that holds the project's name.
pub(super) const NAME: &str = "name.txt";
/// A plain zip counts its bytes with 32 bits.
const MAX_ZIP: u64 = u32::MAX as u64;
/// Bytes read at a time.
const SLICE: u64 = 2 << 20;

/// A file of the zip.
struct Entry {
    name: String,
    path: String,
    len: u64,
    crc: u32,
}

impl Runner {
    pub(super) async fn export_project(&mut self) -> Result<(), KeepError> {
        if self.keeper.projects.is_some() && !self.keeper.is_fleeting {
            match self.leave().await {
                Ok(()) => return self.write_zip().await,
                // No room on the disk must not keep anybody from taking the work away.
                Err(error) => log::warn!("the project is exported from memory: {error}"),
            }
        }
        self.export_from_memory().await
    }

    /// Saves into a store in memory and takes the zip from there.
    async fn export_from_memory(&mut self) -> Result<(), KeepError> {
        let all: Vec<Kept> = self.all_kept();
        let before: Vec<Option<Part>> = all.iter().map(|kept| kept.borrow_mut().take()).collect();
        let own = super::Keeper {
            projects: Some(Projects { storage: Storage::memory() }),
            id: "export".into(),
            name: self.keeper.name.clone(),
            page: self.keeper.page.clone(),
            newest: (0, 1),
            is_quiet: true,
            ..Default::default()
        };
        own.note(super::Change::Now);
        let keeper = std::mem::replace(&mut self.keeper, own);
        let written = match self.leave().await {
            Ok(()) => self.write_zip().await,
            Err(error) => Err(error),
        };
        self.keeper = keeper;
        all.into_iter().zip(before).for_each(|(kept, before)| *kept.borrow_mut() = before);
        written
    }

    fn all_kept(&self) -> Vec<Kept> {
        let trained = self.trained.iter().flatten().map(|trained| trained.kept.clone());
        let pools = self.pools.all().map(|made| made.kept.clone());
        let of_job = match &self.job {
            Some(Job::Race(job)) => job.all_kept(),
            Some(Job::Pool(job)) => job.all_kept(),
            _ => Vec::new(),
        };
        trained.chain(pools).chain(of_job).collect()
    }

    async fn write_zip(&mut self) -> Result<(), KeepError> {
        let Some(projects) = self.keeper.projects.clone() else { return Ok(()) };
        let (id, name) = (self.keeper.id.clone(), self.keeper.name.clone());
        if self.keeper.newest.0 == 0 {
            return Err(KeepError::Unfit(
                "there is nothing to export yet; open an ancestor or add pictures first".into(),
            ));
        }
        let Newest { generation, .. } = projects.newest(&id).await?;
        let mut files = vec![
            (NAME.to_owned(), format!("projects/{id}/name")),
            (WORK.to_owned(), Projects::slot_path(&id, generation.slot)),
        ];
        files.extend(generation.work.parts().map(|p| (format!("parts/{}", p.name), Projects::part_path(&id, &p.name))));
        let missing = projects.missing(&generation.work).await;
        for file in generation.work.files().filter(|file| !missing.contains(file)) {
            let entry = (format!("blobs/{}", file.sha256), Projects::blob_path(&file.sha256));
            if !files.contains(&entry) {
                files.push(entry);
            }
        }
        let mut entries = Vec::new();
        for (name, path) in files {
            let file = projects.storage.file(&path, &name).await?;
            let crc = crc32(&file).await?;
            entries.push(Entry { name, path, len: file.len(), crc });
        }
        if !missing.is_empty() {
            self.inform(format!("{} files that had no room in the store are not in the zip", missing.len()));
        }
        let pieces = pieces(&entries)?;
        let file_name = format!("{}.zip", file_name(&name));
        if cfg!(target_arch = "wasm32") && projects.storage.is_lasting() {
            self.say(Event::Project(ProjectEvent::Exported { name: file_name, pieces }));
        } else {
            self.say_file(file_name, "application/zip", together(&projects.storage, pieces).await?);
        }
        Ok(())
    }
}

/// A name that every system takes for a file's.
fn file_name(name: &str) -> String {
    let sign = |sign: char| if sign.is_alphanumeric() || matches!(sign, '-' | '_' | ' ') { sign } else { '-' };
    let name: String = name.chars().map(sign).collect();
    if name.trim().is_empty() { "heirloom".into() } else { name.trim().into() }
}

async fn together(storage: &Storage, pieces: Vec<ZipPiece>) -> Result<Vec<u8>, KeepError> {
    let mut zip = Vec::new();
    for piece in pieces {
        match piece {
            ZipPiece::Bytes(bytes) => zip.extend(bytes),
            ZipPiece::Stored(path) => {
                let bytes = storage.file(&path, &path).await?.read_all().await;
                zip.extend(bytes.map_err(|error| KeepError::Unfit(error.to_string()))?);
            }
        }
    }
    Ok(zip)
}

/// Local headers, files and the directory at the end.
fn pieces(entries: &[Entry]) -> Result<Vec<ZipPiece>, KeepError> {
    let (mut pieces, mut directory, mut at) = (Vec::new(), Vec::new(), 0_u64);
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
        pieces.push(ZipPiece::Bytes(local));
        pieces.push(ZipPiece::Stored(entry.path.clone()));
    }
    let count = entries.len();
    if at + directory.len() as u64 > MAX_ZIP || count > usize::from(u16::MAX) {
        return Err(KeepError::Unfit(format!(
            "this project has {count} files and {at} bytes, a zip takes {} files and {MAX_ZIP} bytes; export the models \
             one by one instead",
            u16::MAX
        )));
    }
    let (start, size, count) = (at as u32, directory.len() as u32, count as u16);
    directory.extend(b"PK\x05\x06\x00\x00\x00\x00");
    directory.extend(count.to_le_bytes());
    directory.extend(count.to_le_bytes());
    directory.extend(size.to_le_bytes());
    directory.extend(start.to_le_bytes());
    directory.extend([0; 2]);
    pieces.push(ZipPiece::Bytes(directory));
    Ok(pieces)
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
async fn crc32(file: &FileHandle) -> Result<u32, KeepError> {
    let table: Vec<u32> = (0..256_u32)
        .map(|byte| (0..8).fold(byte, |crc, _| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 }))
        .collect();
    let mut crc = !0_u32;
    for start in (0..file.len()).step_by(SLICE as usize) {
        let bytes = file.read(start..(start + SLICE).min(file.len())).await;
        let bytes = bytes.map_err(|error| KeepError::Unfit(error.to_string()))?;
        crc = bytes.iter().fold(crc, |crc, byte| table[((crc ^ u32::from(*byte)) & 255) as usize] ^ (crc >> 8));
        yield_now().await;
    }
    Ok(!crc)
}
