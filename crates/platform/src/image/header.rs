//! What the first bytes of a file say: format and size, without decoding anything.

use super::ImageError;

/// Most pixels a picture may have. Cameras reach this; above it a decoded picture takes more than 150 MB.
pub const MAX_PIXELS: u64 = 50_000_000;
/// Longest side, px. Longer strips exceed what canvases and decoders accept.
pub const MAX_SIDE: u32 = 32_767;

/// Formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureFormat {
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
    /// WebP, lossy or lossless.
    WebP,
    /// GIF; the first frame counts.
    Gif,
}

impl PictureFormat {
    /// MIME type.
    pub fn mime(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::WebP => "image/webp",
            Self::Gif => "image/gif",
        }
    }
}

/// A value among those of an error, so its name and not a variant's.
impl serde::Serialize for PictureFormat {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl std::fmt::Display for PictureFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::WebP => "WebP",
            Self::Gif => "GIF",
        })
    }
}

/// Format and stored size (before EXIF orientation turns it).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureHeader {
    /// Format by magic bytes; file extensions lie.
    pub format: PictureFormat,
    /// Columns as stored.
    pub width: u32,
    /// Rows as stored.
    pub height: u32,
}

impl PictureHeader {
    /// Whether the picture may be decoded.
    ///
    /// # Errors
    /// When it has no pixels, or too many.
    pub fn check_size(self) -> Result<(), ImageError> {
        let Self { format, width, height } = self;
        if width == 0 || height == 0 {
            return Err(ImageError::BadHeader { format, what: "a side of 0 pixels" });
        }
        if u64::from(width) * u64::from(height) > MAX_PIXELS || width.max(height) > MAX_SIDE {
            return Err(ImageError::TooLarge { width, height });
        }
        Ok(())
    }
}

/// Which format the first bytes announce.
///
/// # Errors
/// When there are none, or they announce something else; the error says what.
pub fn format(start: &[u8]) -> Result<PictureFormat, ImageError> {
    match start {
        [] => Err(ImageError::Empty),
        [0x89, b'P', b'N', b'G', ..] => Ok(PictureFormat::Png),
        [0xff, 0xd8, 0xff, ..] => Ok(PictureFormat::Jpeg),
        [b'G', b'I', b'F', b'8', ..] => Ok(PictureFormat::Gif),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Ok(PictureFormat::WebP),
        _ => {
            let (found, advice) = other(start);
            Err(ImageError::NotAPicture { found, advice })
        }
    }
}

/// Names files that people take for pictures, so that the refusal can say what to do.
fn other(start: &[u8]) -> (&'static str, &'static str) {
    let convert = "save it as JPEG or PNG first";
    match start {
        [b'B', b'M', ..] => ("a BMP picture", convert),
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => ("a TIFF or raw camera picture", convert),
        [0, 0, 1, 0, ..] => ("an icon", convert),
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => match brand.get(..4) {
            Some(b"heic" | b"heix" | b"mif1" | b"msf1") => ("a HEIC picture", convert),
            Some(b"avif" | b"avis") => ("an AVIF picture", convert),
            _ => ("a video", "take single pictures out of it"),
        },
        [0xff, 0x0a, ..] | [0, 0, 0, 0x0c, b'J', b'X', b'L', ..] => ("a JPEG XL picture", convert),
        [b'%', b'P', b'D', b'F', ..] => ("a PDF", convert),
        [b'P', b'K', 3, 4, ..] => ("a zip", "unpack it first"),
        [b'R', b'a', b'r', b'!', ..] | [b'7', b'z', ..] | [0x1f, 0x8b, ..] => ("a packed archive", "unpack it first"),
        _ if start.iter().take(512).all(|&byte| byte >= 0x20 || matches!(byte, b'\t' | b'\n' | b'\r')) => {
            ("text", "leave it out, or convert an SVG to PNG")
        }
        _ => ("an unknown kind of file", "leave it out"),
    }
}

/// Reads format and size from the first bytes of a file. `None` when the size stands further back than `start`
/// reaches (JPEG files carry colour profiles and previews first).
///
/// # Errors
/// When it is no picture or its header is damaged.
pub fn probe(start: &[u8]) -> Result<Option<PictureHeader>, ImageError> {
    let format = format(start)?;
    let size = match format {
        PictureFormat::Png => png_size(start)?,
        PictureFormat::Jpeg => jpeg_size(start)?,
        PictureFormat::WebP => webp_size(start)?,
        PictureFormat::Gif => start.get(6..10).map(|b| (le16(b), le16(&b[2..]))),
    };
    Ok(size.map(|(width, height)| PictureHeader { format, width, height }))
}

type Size = Option<(u32, u32)>;

fn le16(bytes: &[u8]) -> u32 {
    u32::from(u16::from_le_bytes([bytes[0], bytes[1]]))
}

fn be16(bytes: &[u8]) -> u32 {
    u32::from(u16::from_be_bytes([bytes[0], bytes[1]]))
}

fn be32(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

fn png_size(start: &[u8]) -> Result<Size, ImageError> {
    let Some(head) = start.get(..24) else { return Ok(None) };
    if &head[12..16] != b"IHDR" {
        return Err(ImageError::BadHeader { format: PictureFormat::Png, what: "no IHDR chunk" });
    }
    Ok(Some((be32(&head[16..]), be32(&head[20..]))))
}

fn webp_size(start: &[u8]) -> Result<Size, ImageError> {
    let Some(head) = start.get(..30) else { return Ok(None) };
    let data = &head[20..];
    match &head[12..16] {
        b"VP8 " if data[3..6] == [0x9d, 0x01, 0x2a] => Ok(Some((le16(&data[6..]) & 0x3fff, le16(&data[8..]) & 0x3fff))),
        b"VP8L" if data[0] == 0x2f => {
            let bits = u32::from_le_bytes([data[1], data[2], data[3], data[4]]);
            Ok(Some(((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1)))
        }
        b"VP8X" => {
            let side = |b: &[u8]| u32::from_le_bytes([b[0], b[1], b[2], 0]) + 1;
            Ok(Some((side(&data[4..]), side(&data[7..]))))
        }
        _ => Err(ImageError::BadHeader { format: PictureFormat::WebP, what: "no picture chunk" }),
    }
}

/// One step through a JPEG file.
enum Marker {
    /// The file, or the part at hand, ends.
    Ends,
    /// A marker and where its content starts.
    At(u8, usize),
    /// Bytes where a marker must stand.
    Lost,
}

fn marker(bytes: &[u8], mut at: usize) -> Marker {
    match bytes.get(at) {
        None => return Marker::Ends,
        Some(0xff) => {}
        Some(_) => return Marker::Lost,
    }
    while bytes.get(at) == Some(&0xff) {
        at += 1;
    }
    bytes.get(at).map_or(Marker::Ends, |&code| Marker::At(code, at + 1))
}

fn has_no_content(code: u8) -> bool {
    matches!(code, 0x01 | 0xd0..=0xd8)
}

fn jpeg_size(start: &[u8]) -> Result<Size, ImageError> {
    let bad = |what| Err(ImageError::BadHeader { format: PictureFormat::Jpeg, what });
    let mut at = 2;
    loop {
        let (code, content) = match marker(start, at) {
            Marker::Ends => return Ok(None),
            Marker::Lost => return bad("a marker is missing"),
            Marker::At(code, content) => (code, content),
        };
        if has_no_content(code) {
            at = content;
            continue;
        }
        if matches!(code, 0xd9 | 0xda) {
            return bad("no size before the picture");
        }
        let Some(head) = start.get(content..content + 2) else { return Ok(None) };
        let is_frame = matches!(code, 0xc0..=0xcf) && !matches!(code, 0xc4 | 0xc8 | 0xcc);
        if is_frame {
            return Ok(start.get(content + 3..content + 7).map(|size| (be16(&size[2..]), be16(size))));
        }
        at = content + (be16(head) as usize).max(2);
    }
}

/// Whether the file reaches to the end of its picture. Decoders paint the missing part of a cut-off picture grey and
/// say nothing, and a model would learn the grey.
pub fn is_complete(format: PictureFormat, bytes: &[u8]) -> bool {
    match format {
        PictureFormat::Jpeg => jpeg_reaches_end(bytes),
        PictureFormat::Png => png_reaches_end(bytes),
        // An odd last chunk may miss its padding byte.
        PictureFormat::WebP => {
            let announced =
                bytes.get(4..8).map_or(u64::MAX, |b| u64::from(u32::from_le_bytes([b[0], b[1], b[2], b[3]])));
            announced + 8 <= bytes.len() as u64 + 1
        }
        // Only the first frame matters; the decoder fails when that one is cut off.
        PictureFormat::Gif => true,
    }
}

fn png_reaches_end(bytes: &[u8]) -> bool {
    let mut at = 8;
    while let Some(head) = bytes.get(at..at + 8) {
        if &head[4..] == b"IEND" {
            return true;
        }
        let Some(next) = at.checked_add(12).and_then(|at| at.checked_add(be32(head) as usize)) else { return false };
        at = next;
    }
    false
}

fn jpeg_reaches_end(bytes: &[u8]) -> bool {
    let mut at = 2;
    loop {
        let (code, content) = match marker(bytes, at) {
            Marker::At(code, content) => (code, content),
            Marker::Ends | Marker::Lost => return false,
        };
        if code == 0xd9 {
            return true;
        }
        if has_no_content(code) {
            at = content;
            continue;
        }
        let Some(head) = bytes.get(content..content + 2) else { return false };
        at = content + (be16(head) as usize).max(2);
        if code == 0xda {
            let Some(end) = scan_end(bytes, at) else { return false };
            at = end;
        }
    }
}

/// Where the entropy-coded bytes end: at the next marker that is neither a stuffed byte nor a restart.
fn scan_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += bytes.get(at..)?.iter().position(|&byte| byte == 0xff)?;
        match bytes.get(at + 1)? {
            0x00 | 0xd0..=0xd7 => at += 2,
            0xff => at += 1,
            _ => return Some(at),
        }
    }
}
