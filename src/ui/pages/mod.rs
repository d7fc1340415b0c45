//! The numbered steps.

mod ancestor;
mod confusion;
mod descendant;
mod experiment;
mod heads;
mod home;
mod layers;
mod lessons;
mod method;
mod pictures;
mod preparation;
mod stack;
mod training;
mod trial;
mod verdict;

pub use ancestor::AncestorStep;
pub use descendant::DescendantStep;
pub use heads::HeadsStep;
pub use home::HomeStep;
pub use layers::LayersStep;
pub use lessons::Lessons;
pub use method::MethodChoice;
pub use pictures::PicturesStep;
pub use stack::StackStep;
pub use training::TrainingStep;
pub use trial::{TrialStep, has_model};
