//! The numbered steps.

mod ancestor;
mod confusion;
mod descendant;
mod heads;
mod home;
mod lessons;
mod pictures;
mod training;
mod trial;

pub use ancestor::AncestorStep;
pub use descendant::DescendantStep;
pub use heads::HeadsStep;
pub use home::HomeStep;
pub use lessons::Lessons;
pub use pictures::PicturesStep;
pub use training::TrainingStep;
pub use trial::{TrialStep, has_model};
