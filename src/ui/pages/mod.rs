//! The numbered steps.

mod ancestor;
mod confusion;
mod descendant;
mod heads;
mod home;
mod pictures;
mod preparation;
mod training;
mod trial;

pub use ancestor::AncestorStep;
pub use descendant::DescendantStep;
pub use heads::HeadsStep;
pub use home::HomeStep;
pub use pictures::PicturesStep;
pub use training::TrainingStep;
pub use trial::TrialStep;
