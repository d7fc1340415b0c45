//! Other threads that answer: nested workers in the browser, threads natively. Nothing is shared with them: a message is
//! a line of text and numbers, which are copied.

#[cfg(target_arch = "wasm32")]
mod browser;
#[cfg(not(target_arch = "wasm32"))]
mod native;

#[cfg(target_arch = "wasm32")]
pub use browser::{Helper, serve};
#[cfg(not(target_arch = "wasm32"))]
pub use native::Helper;

/// A line of text and numbers, there or back.
pub type Message = (String, Vec<f32>);

/// What a helper does with a message; natively it is called on the helper's thread, so that what it keeps is its own.
pub type Answering = fn(Message) -> Message;

/// The name of a worker that is a helper, by which the program knows what it is.
pub const NAME: &str = "helper";
