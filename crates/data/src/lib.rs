//! Pictures: finding, decoding, resizing, splitting, loading.
//!
//! The constraint that shaped it: thousands of photographs must not fill the engine's memory, which never shrinks. So
//! a [`PictureSet`] keeps handles, a [`Loader`] keeps a bounded cache of small pictures, and everything in between is
//! read when it is needed.
//!
//! ```text
//! files ─ PictureSet::add ─ PictureSet::split ─ Loader::new ─ train_batch(step), validation_batch(i)
//!          (reading, archive,  (split)             (cache, resize, transform)
//!           source: header, hash)
//! ```

mod adding;
mod archive;
mod cache;
mod error;
mod loader;
mod place;
mod reading;
mod reread;
mod resize;
mod set;
mod share;
mod single;
mod source;
mod split;
mod split_note;
mod transform;
#[cfg(not(target_arch = "wasm32"))]
mod walk;

pub use archive::Archive;
pub use error::{DataError, MAX_FILE_BYTES, PictureError};
pub use heirloom_lanes::{Resizer, Window, evaluation_side, shorter_side};
pub use loader::{Batch, Loader, LoaderSettings};
pub use place::{Place, Side, is_junk};
pub use reading::{Level, ReadOtherwise, Reading, read};
pub use resize::{ShrinkTo, resize, resize_window};
pub use set::{Added, KnownPicture, Picture, PictureSet, Refused, ScanProgress};
pub use single::{evaluation_and_thumbnail, evaluation_picture, open, picture_url, thumbnail};
pub use source::Source;
pub use split::{Labelled, Split, SplitPlan};
pub use split_note::SplitNote;
pub use transform::{Augment, Crop, Normalise, NotChannels, evaluation_crop};
#[cfg(not(target_arch = "wasm32"))]
pub use walk::{model_files, walk};
