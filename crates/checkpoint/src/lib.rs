//! Reading and writing weights.
//!
//! [`Checkpoint::open`] takes whatever was dropped, recognises it by content and reads headers only;
//! [`Checkpoint::tensor`] then fetches one tensor at a time under its canonical key (timm's for Vision Transformers, torchvision's for convolutional networks). Files may be larger than memory and
//! come from strangers, which shaped everything here: slices instead of whole files, every length checked, and a
//! sentence instead of a panic. [`write_safetensors`], [`write_onnx`], [`write_package`] and [`write_page`] are the ways out.

mod beside;
mod description;
mod error;
mod foreign;
mod gather;
mod infer;
mod infer_cnn;
mod infer_mobilenet;
mod json_text;
mod naming;
mod nearest;
mod onnx;
mod open;
mod package;
mod packed;
mod page;
mod pickle;
mod safetensors_file;
mod sealed;
mod shards;
mod sniff;
mod sorted;
mod stored;
mod timm;
mod timm_eva;
mod timm_mobile;
mod timm_names;
mod torch_file;
mod wrappers;
mod write;
pub mod zip_directory;

pub use description::{Description, METADATA_KEY, Preprocessing};
pub use error::{CheckpointError, WOULD_FIT};
pub use infer::check_config;
pub use onnx::{OnnxError, write_onnx};
pub use open::Checkpoint;
pub use package::write_package;
pub use page::{Checked, PageCard, PageError, write_page};
pub use sealed::{Sealed, SealedError, SealedWriter};
pub use timm::timm_form;
pub use write::{write_config, write_half_safetensors, write_safetensors};
