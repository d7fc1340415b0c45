//! What a file is, by its first bytes. Names lie: a `.pth` may be called `.safetensors`, a web page `model.bin`.

use super::json_text;
use super::page;
use super::safetensors_file::MAX_HEADER;

/// Bytes that are enough to tell.
pub(super) const SNIFF_BYTES: u64 = 512;

/// The magic number that opens checkpoints of PyTorch 0.1.10 to 1.5, as pickle protocol 2 writes it.
const TORCH_LEGACY_MAGIC: &[u8] = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

/// Kinds of files that go different ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// safetensors.
    Safetensors,
    /// A zip archive: PyTorch's checkpoints since 1.6, or anything zipped.
    Zip,
    /// PyTorch's older stream of pickles.
    TorchLegacy,
    /// A Python pickle by itself.
    Pickle,
    /// A web page of ours with a model inside.
    Page,
    /// JSON text.
    Json,
    /// Anything that is refused, in words.
    Other(String),
}

/// Recognises a file by its first bytes; the name only decides where the bytes leave doubt.
pub(super) fn sniff(name: &str, head: &[u8]) -> Kind {
    let lower = name.to_ascii_lowercase();
    if head.is_empty() {
        return Kind::Other("empty, perhaps a download that was cut off".into());
    }
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return Kind::Zip;
    }
    if head.windows(TORCH_LEGACY_MAGIC.len()).take(16).any(|window| window == TORCH_LEGACY_MAGIC) {
        return Kind::TorchLegacy;
    }
    if is_first_torch_format(head) {
        let found = "in PyTorch's first format (before 0.1.10), so load it with PyTorch and save it again";
        return Kind::Other(found.into());
    }
    if let Some(found) = by_magic(head) {
        return Kind::Other(found.into());
    }
    let length = head.first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes));
    if head.get(8) == Some(&b'{') && (length.is_some_and(|length| length <= MAX_HEADER) || !is_text(head)) {
        return Kind::Safetensors;
    }
    // A protobuf message that opens with `ir_version` and `producer_name`.
    if lower.ends_with(".onnx") || (head[0] == 8 && head.get(1).is_some_and(|&v| v < 32) && head.get(2) == Some(&18)) {
        return Kind::Other("an ONNX graph, which holds operations and not a model that can be taken apart".into());
    }
    if json_text::is_wide(head) {
        return Kind::Json;
    }
    if is_text(head) {
        return text(head);
    }
    if head[0] == 0x80 {
        return Kind::Pickle;
    }
    if lower.ends_with(".safetensors") {
        let length = length.unwrap_or(0);
        return Kind::Other(format!(
            "no safetensors file: its header would have {length} bytes and does not open with a brace"
        ));
    }
    Kind::Other("of a kind that is not known here".into())
}

/// Keras' format.
const HDF5: &str = "an HDF5 file with weights of Keras or TensorFlow (Teachable Machine exports such), which cannot be \
                    an ancestor; the pictures it learned from can be used in step 2";
/// TensorFlow Lite's format.
const TFLITE: &str = "a TensorFlow Lite model (Teachable Machine exports such), which cannot be an ancestor; the \
                      pictures it learned from can be used in step 2";

/// Whether a file is a tar archive whose first entry is one of those PyTorch wrote.
fn is_first_torch_format(head: &[u8]) -> bool {
    let name = head.split(|&byte| byte == 0).next().unwrap_or_default();
    let entries: [&[u8]; 4] = [b"sys_info", b"pickle", b"tensors", b"storages"];
    head.get(257..262) == Some(b"ustar") && entries.contains(&name)
}

fn by_magic(head: &[u8]) -> Option<&'static str> {
    let known: &[(usize, &[u8], &str)] = &[
        (0, b"GGUF", "a GGUF file of a quantised language model"),
        (0, b"\x89HDF", HDF5),
        (4, b"TFL3", TFLITE),
        (0, b"\x89PNG", "a picture (PNG)"),
        (0, b"\xff\xd8\xff", "a picture (JPEG)"),
        (0, b"GIF8", "a picture (GIF)"),
        (8, b"WEBP", "a picture (WebP)"),
        (0, b"%PDF", "a PDF document"),
        (0, b"\x1f\x8b", "a gzip archive, which has to be unpacked first"),
        (0, b"\x93NUMPY", "a NumPy array"),
        (257, b"ustar", "a tar archive, which has to be unpacked first"),
    ];
    known.iter().find(|(at, magic, _)| head.get(*at..at + magic.len()) == Some(*magic)).map(|(_, _, found)| *found)
}

fn is_text(head: &[u8]) -> bool {
    // The last character may be cut in two.
    let whole = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or(""),
        Err(_) => return false,
    };
    !whole.is_empty() && !whole.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

fn text(head: &[u8]) -> Kind {
    let text = String::from_utf8_lossy(head);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let lower = text.to_ascii_lowercase();
    if lower.starts_with("version https://git-lfs") {
        let found = "a git-lfs pointer and not the file itself, so download the file with the site's download button \
                     or `git lfs pull`";
        return Kind::Other(found.into());
    }
    if lower.starts_with('<') && lower.contains(page::MARK) {
        return Kind::Page;
    }
    if lower.starts_with('<') {
        let what =
            if lower.contains("<html") || lower.starts_with("<!doctype html") { "a web page (HTML)" } else { "XML" };
        return Kind::Other(format!("{what} saved in place of the file, so use the site's download button"));
    }
    if lower.starts_with('{') || lower.starts_with('[') {
        return Kind::Json;
    }
    Kind::Other("plain text".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_outweighs_the_name() {
        assert_eq!(sniff("model.safetensors", b"PK\x03\x04rest"), Kind::Zip);
        assert_eq!(sniff("model.pth", b"\x40\0\0\0\0\0\0\0{\"a\":"), Kind::Safetensors);
        assert_eq!(
            sniff("model.pth", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03."),
            Kind::TorchLegacy
        );
    }

    #[test]
    fn a_character_cut_in_two_is_still_text() {
        assert_eq!(sniff("notes", &"weights ü".as_bytes()[..9]), Kind::Other("plain text".into()));
    }
}
