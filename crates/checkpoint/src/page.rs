//! A model as one web page: the player, what the model was checked on, and the weights, as 16-bit numbers in letters.
//!
//! The page is the player's (`crates/player`) with two elements behind it; browsers end `body` and `html` by themselves.
//! Its weights are a safetensors file as any other, so the page opens here as that file.

use super::error::CheckpointError;
use heirloom_platform::base64;
use heirloom_platform::file::FileHandle;
use serde::Serialize;

/// By which a player is known; it stands among the first bytes.
pub(super) const MARK: &str = "<meta name=\"heirloom-player\"";
const CARD: &str = "<script type=\"application/json\" id=\"heirloom-card\">";
const WEIGHTS: &str = "<script type=\"text/plain\" id=\"heirloom-weights\">";
const END: &str = "</script>\n";
/// Most bytes of weights in a page. Browsers hold the text of an element as one string of at most some 500 MB.
const MOST_BYTES: usize = 256 << 20;
/// Most bytes of a page that is opened: the weights' letters, and room for the player.
const MOST_PAGE: u64 = 400 << 20;
/// Bytes that are read at a time: a multiple of four letters.
const PIECE: u64 = 1 << 20;

/// What a page says of its model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PageCard {
    /// Name of the ancestor's file.
    pub ancestor: Option<String>,
    /// How the model started, a name of the protocol.
    pub start: String,
    /// Parameters.
    pub parameters: u64,
    /// What it was checked on; `None` where there was nothing to check it with.
    pub checked: Option<Checked>,
    /// When the page was written, ms since 1970.
    pub saved: f64,
}

/// The outcome of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Pictures that were named rightly.
    pub right: usize,
    /// Pictures that it was shown, none of which it had learned from.
    pub pictures: usize,
}

/// Why a page is not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize)]
pub enum PageError {
    /// What was to be the player is another file.
    #[error(
        "`player.html` of this site is not the player that belongs to it; reload the page, and if this stays, the copy of \
         the site is incomplete"
    )]
    NotPlayer,
    /// No browser would open it.
    #[error(
        "the weights take {bytes} bytes as 16-bit numbers, and a page holds at most {MOST_BYTES}; save the model as \
         .safetensors or .onnx"
    )]
    TooLarge {
        /// Bytes of the weights.
        bytes: usize,
    },
}

/// Writes a page. `player` is the page without a model, `weights` a safetensors file that describes itself.
///
/// # Errors
/// When `player` is no player, or the weights are too large for a page.
pub fn write_page(player: &str, card: &PageCard, weights: &[u8]) -> Result<Vec<u8>, PageError> {
    if !player.contains(MARK) || player.contains(WEIGHTS) {
        return Err(PageError::NotPlayer);
    }
    if weights.len() > MOST_BYTES {
        return Err(PageError::TooLarge { bytes: weights.len() });
    }
    // No name may end the element it stands in.
    let card = serde_json::to_string(card).unwrap_or_default().replace('<', "\\u003c");
    let front = [player, CARD, &card, END, WEIGHTS].concat();
    let mut page = Vec::with_capacity(front.len() + base64::encoded_len(weights.len()) + END.len());
    page.extend_from_slice(front.as_bytes());
    base64::encode(weights, &mut page);
    page.extend_from_slice(END.as_bytes());
    Ok(page)
}

/// The weights in a page, as a file of the page's name.
pub(super) async fn weights(page: &FileHandle) -> Result<FileHandle, CheckpointError> {
    let damaged = |problem: &str| CheckpointError::Damaged { name: page.name().into(), problem: problem.into() };
    if page.len() > MOST_PAGE {
        return Err(damaged(&format!("it has {} bytes, and a page with a model at most {MOST_PAGE}", page.len())));
    }
    let mut at = find(page, WEIGHTS.as_bytes()).await?.ok_or_else(|| damaged("no weights lie in it"))?;
    let mut bytes = Vec::new();
    loop {
        let piece = page.read(at..page.len().min(at + PIECE)).await?;
        let letters = piece.iter().position(|&letter| letter == b'<').unwrap_or(piece.len());
        base64::decode(&piece[..letters], &mut bytes).ok_or_else(|| damaged("its weights are no base64"))?;
        if letters < piece.len() {
            return Ok(FileHandle::from_bytes(page.path(), bytes));
        }
        if piece.is_empty() {
            return Err(damaged("it ends inside its weights"));
        }
        at += PIECE;
    }
}

/// Where the first occurrence of some bytes ends.
async fn find(file: &FileHandle, wanted: &[u8]) -> Result<Option<u64>, CheckpointError> {
    let mut at = 0;
    while at < file.len() {
        // The last bytes of a piece are looked at again with the next one.
        let piece = file.read(at..file.len().min(at + PIECE + wanted.len() as u64 - 1)).await?;
        if let Some(found) = piece.windows(wanted.len()).position(|window| window == wanted) {
            return Ok(Some(at + (found + wanted.len()) as u64));
        }
        at += PIECE;
    }
    Ok(None)
}
