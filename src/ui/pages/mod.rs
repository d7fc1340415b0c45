//! The numbered steps.

mod ancestor;
mod compare;
mod confusion;
mod descendant;
mod experiment;
mod heads;
mod home;
mod layers;
mod lessons;
mod method;
mod pictures;
mod pool;
mod preparation;
mod projects;
mod small_models;
mod stack;
mod training;
mod trial;
mod verdict;

pub use ancestor::AncestorStep;
pub use compare::CompareStep;
pub use descendant::DescendantStep;
pub use heads::HeadsStep;
pub use home::HomeStep;
pub use layers::LayersStep;
pub use lessons::Lessons;
pub use method::MethodChoice;
pub use pictures::PicturesStep;
pub use pool::PoolStep;
pub use projects::ProjectsBar;
pub use small_models::SmallModelsStep;
pub use stack::StackStep;
pub use training::TrainingStep;
pub use trial::{TrialStep, has_model};
