//! Reading and writing weights.
//!
//! [`Checkpoint::open`] takes whatever was dropped, recognises it by content and reads headers only;
//! [`Checkpoint::tensor`] then fetches one tensor at a time under its canonical key (timm's for Vision Transformers, torchvision's for convolutional networks). Files may be larger than memory and
//! come from strangers, which shaped everything here: slices instead of whole files, every length checked, and a
//! sentence instead of a panic. [`write_safetensors`] is the way out.

mod description;
mod error;
mod foreign;
mod gather;
mod infer;
mod infer_cnn;
mod naming;
mod nearest;
mod open;
mod pickle;
mod resample;
mod safetensors_file;
mod sniff;
mod sorted;
mod stored;
mod torch_file;
mod write;
mod zip_directory;

pub use description::{Description, METADATA_KEY, Preprocessing};
pub use error::{CheckpointError, WOULD_FIT};
pub use open::Checkpoint;
pub use resample::resample_pos_embed;
pub use write::{write_config, write_safetensors};
