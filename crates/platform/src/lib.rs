//! What differs between a browser and a native program: files, storage, pictures, clocks.
//! The only place below the page that names web-sys.

pub mod base64;
pub mod clock;
pub mod constructors;
pub mod file;
pub mod helper;
pub mod image;
#[cfg(target_arch = "wasm32")]
pub mod side_module;
pub mod storage;
