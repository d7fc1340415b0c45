//! Why pictures cannot be used, in sentences for the person.

use heirloom_platform::file::FileError;
use heirloom_platform::image::ImageError;

/// Most bytes of one picture file: they are read as a whole to decode it. A 50-megapixel JPEG has about 25 MB.
pub const MAX_FILE_BYTES: u64 = 64 << 20;
/// Most bytes of one batch: a quarter of what a tab's WebAssembly can ever hold.
pub const MOST_BATCH_BYTES: u64 = 1 << 30;

/// Why one file is no picture of the set.
#[derive(Debug, thiserror::Error, serde::Serialize)]
pub enum PictureError {
    /// It is not a picture, or a damaged or too large one.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The platform could not read it.
    #[error(transparent)]
    File(#[from] FileError),
    /// It stands in no folder and no class was given.
    #[error(
        "it comes without a folder, and the folder's name is the class; put it in a folder, or choose a class for it"
    )]
    NoClass,
    /// It lies beside the folders that are classes, or in a side whose folders are none of them.
    #[error("no folder around it names one of the classes, so it has no class; put it in a class's folder")]
    Loose,
    /// A zip does not say in which code page its names are.
    #[error(
        "its name is in a code page of the computer that zipped it, which the zip does not name; unpack the zip on that \
         computer and drop the folder, or zip it with another program (7-Zip writes names for all)"
    )]
    CodePage,
    /// More bytes than a picture needs.
    #[error("it has {bytes} bytes, at most {MAX_FILE_BYTES} are read; make it smaller")]
    TooLong {
        /// Its size.
        bytes: u64,
    },
    /// What was said when the pictures were first looked at.
    #[error("{0}")]
    Earlier(String),
    /// A zip, or an entry of one, cannot be read.
    #[error("{0}")]
    Zip(String),
}

/// Why a set of pictures, or one of them, cannot be used.
#[derive(Debug, thiserror::Error, serde::Serialize)]
pub enum DataError {
    /// Nothing was handed over.
    #[error(
        "found no files, expected pictures; the folder may be empty, so choose one that holds a folder of pictures per class"
    )]
    NoFiles,
    /// Files, but no picture among them.
    #[error(
        "found no picture among {files} files, expected PNG, JPEG, WebP or GIF pictures in one folder per class; the first reason: {reason}"
    )]
    NoPictures {
        /// How many files were looked at.
        files: usize,
        /// Path and reason of the first.
        reason: String,
    },
    /// Nothing to tell apart, and nothing to judge on.
    #[error("found one picture (`{path}`), expected at least two classes with two pictures each; add more")]
    OnePicture {
        /// The only picture.
        path: String,
    },
    /// Nothing to tell apart.
    #[error(
        "found one class (`{class}`, {pictures} pictures), expected at least two; add a folder of other pictures, each folder is a class"
    )]
    OneClass {
        /// The only class.
        class: String,
        /// Its pictures.
        pictures: usize,
    },
    /// The platform could not read a file.
    #[error(transparent)]
    File(FileError),
    /// One picture cannot be used.
    #[error("`{path}`: {reason}")]
    Picture {
        /// Its path.
        path: String,
        /// Why.
        #[source]
        reason: PictureError,
    },
    /// Every picture turned out to be damaged while it was decoded.
    #[error(
        "none of the {pictures} pictures could be decoded; the first was `{path}`: {reason}; choose other pictures"
    )]
    NothingDecodes {
        /// How many were tried.
        pictures: usize,
        /// The first.
        path: String,
        /// Why the first failed.
        reason: String,
    },
    /// Every picture of a class turned out to be damaged: what is left would look like success.
    #[error(
        "`{class}` has no picture that can be read; the first was `{path}`: {reason}. Add whole pictures of it, or leave \
         the class out"
    )]
    ClassUnreadable {
        /// The class.
        class: String,
        /// Its first picture.
        path: String,
        /// Why that failed.
        reason: String,
    },
    /// A loader without a batch size or picture size.
    #[error(
        "found a batch of {batch} pictures of {image_size} px, expected at least one picture of at least one pixel"
    )]
    EmptyBatch {
        /// Pictures per batch.
        batch: usize,
        /// Side, px.
        image_size: usize,
    },
    /// A batch that a tab has no room for.
    #[error(
        "a batch of {batch} pictures of {image_size} px takes {} MB, at most {} MB are possible; choose a smaller batch or smaller pictures",
        bytes / 1_000_000,
        MOST_BATCH_BYTES / 1_000_000
    )]
    LargeBatch {
        /// Pictures per batch.
        batch: usize,
        /// Side, px.
        image_size: usize,
        /// Bytes as `f32`.
        bytes: u64,
    },
    /// A folder on disk cannot be listed.
    #[error("the folder `{path}` could not be listed ({reason}); check that it exists and may be read")]
    Folder {
        /// The folder.
        path: String,
        /// What the system said.
        reason: String,
    },
}

impl DataError {
    /// The reason why the picture at `path` cannot be read.
    pub fn picture(path: &str, reason: impl Into<PictureError>) -> Self {
        match reason.into() {
            // Names the file itself.
            PictureError::File(error) => Self::File(error),
            reason => Self::Picture { path: path.to_owned(), reason },
        }
    }
}
