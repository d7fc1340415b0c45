//! The numbered steps.

mod ancestor;
mod compare;
mod confusion;
mod descendant;
mod heads;
mod home;
mod method;
mod pictures;
mod pool;
mod small_models;
mod training;
mod trial;

pub use ancestor::AncestorStep;
pub use compare::CompareStep;
pub use descendant::DescendantStep;
pub use heads::HeadsStep;
pub use home::HomeStep;
pub use pictures::PicturesStep;
pub use pool::PoolStep;
pub use small_models::SmallModelsStep;
pub use training::TrainingStep;
pub use trial::TrialStep;
