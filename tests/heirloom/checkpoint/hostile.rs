//! Files cut anywhere, files changed anywhere, files larger than memory.

use super::files::*;
use heirloom_checkpoint::CheckpointError;
use heirloom_platform::file::FileHandle;
use std::io::{Seek, SeekFrom, Write};

/// Opens a file and reads every tensor; what is wrong comes back as an error, never as a panic.
fn read_all(name: &str, bytes: Vec<u8>) -> Result<(), CheckpointError> {
    let checkpoint = open_bytes(name, bytes)?;
    checkpoint.check_complete()?;
    checkpoint.config.tensors().iter().try_for_each(|(key, _)| read(&checkpoint, key).map(|_| ()))
}

#[test]
fn a_file_cut_anywhere_is_an_error_and_never_a_panic() {
    for name in ["vit.safetensors", "vit_training.pth", "vit_legacy.pth", "hf_vit/model.safetensors"] {
        let bytes = fixture_bytes(name);
        read_all(name, bytes.clone()).unwrap();
        for length in (0..bytes.len()).step_by(97) {
            let error = read_all(name, bytes[..length].to_vec()).expect_err("it was cut").to_string();
            assert!(error.contains('`') && error.len() < 600, "{name} cut at {length}: {error}");
        }
    }
}

#[test]
fn a_changed_byte_never_panics() {
    // The description of each format, where a change can do the most harm.
    for (name, range) in [("vit.safetensors", 0..3600), ("vit_legacy.pth", 0..4800), ("vit_training.pth", 0..6000)] {
        let bytes = fixture_bytes(name);
        let mut refused = 0;
        for at in range.step_by(3) {
            for change in [0x01, 0x80, 0xff] {
                let mut changed = bytes.clone();
                changed[at] ^= change;
                refused += usize::from(read_all(name, changed).is_err());
            }
        }
        assert!(refused > 500, "{name}: only {refused} changes were noticed");
    }
    // The zip directory stands at the end.
    let bytes = fixture_bytes("vit_training.pth");
    for at in (bytes.len() - 4000..bytes.len()).step_by(3) {
        let mut changed = bytes.clone();
        changed[at] ^= 0xff;
        _ = read_all("vit_training.pth", changed);
    }
}

#[test]
fn six_gigabytes_of_nothing_are_refused_without_reading_them() {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(6 << 30).unwrap();
    let said = sentence(open(&[FileHandle::from_path("zeros.safetensors", file.path()).unwrap()]));
    assert!(said.starts_with("`zeros.safetensors` is no safetensors file"), "{said}");
}

#[test]
fn six_gigabytes_beside_a_model_are_never_touched() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let small = fixture_bytes("vit.safetensors");
    let length = u64::from_le_bytes(small[..8].try_into().unwrap()) as usize;
    let header = std::str::from_utf8(&small[8..8 + length]).unwrap().trim_end();
    let data = &small[8 + length..];
    let (start, end) = (data.len(), data.len() as u64 + (6 << 30));
    let huge = format!(r#","decoder.huge":{{"dtype":"F32","shape":[1610612736],"data_offsets":[{start},{end}]}}}}"#);
    let header = raw(&(header.strip_suffix('}').unwrap().to_string() + &huge), &[]);
    let mut writer = file.as_file();
    writer.set_len(header.len() as u64 + end).unwrap();
    writer.seek(SeekFrom::Start(0)).unwrap();
    writer.write_all(&header).unwrap();
    writer.write_all(data).unwrap();
    let checkpoint =
        open(&[FileHandle::from_path("large.safetensors", file.path()).unwrap(), fixture("timm.json")]).unwrap();
    assert_eq!(checkpoint.unexpected, [("decoder.huge".to_string(), None)]);
    assert_eq!(tensor(&checkpoint, "pos_embed"), crate_tensors("vit.safetensors")["pos_embed"]);
}
