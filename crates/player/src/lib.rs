//! A trained model inside one web page.
//!
//! What a saved page runs: it reads the weights that lie in the page ([`Player::open`]), prepares a picture as Heirloom
//! does, and answers with the share of each class and with what the model looked at ([`Player::answer`]). Forward only, and
//! small, because a copy of it is in every page that somebody saves: loops over slices from `heirloom_lanes`, no tensors,
//! no device. [`check_playable`] says before a page is written whether this can run the model.

mod attention;
mod error;
mod layers;
mod model;
mod player;
mod vit;
mod weights;

pub use error::PlayerError;
pub use model::check_playable;
pub use player::{Answer, Player};
