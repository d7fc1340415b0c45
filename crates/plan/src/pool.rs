//! Learngene Pool, as far as it needs no device (docs/methods.md, section 2).

use serde::{Deserialize, Serialize};

/// What a model may cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Budget {
    /// At most so many parameters.
    Parameters(u64),
    /// At most so many floating-point operations per picture.
    Flops(u64),
    /// At most so many milliseconds per picture on this machine.
    Milliseconds(f64),
}

/// Through which coordinates small models listen to the ancestor's tokens (docs/methods.md, section 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// One orthonormal basis for all models and places, fixed: the principal axes of the ancestor's tokens, the most
    /// telling first. A narrow model has the first of a wide one's coordinates.
    Pca,
    /// The same with axes drawn at random.
    Random,
    /// Linear maps of each place and model that train with it, as published.
    Learned,
}

impl Basis {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pca, Self::Random, Self::Learned];

    /// What a pool has whose settings come from a version that knew no other.
    pub fn of_earlier_versions() -> Self {
        Self::Learned
    }

    /// Whether it is one fixed basis.
    pub fn is_shared(self) -> bool {
        self != Self::Learned
    }

    /// Its short name, as addresses have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pca => "pca",
            Self::Random => "random",
            Self::Learned => "learned",
        }
    }

    /// The basis of a short name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|basis| basis.name() == name)
    }
}

/// How stitch layers start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StitchInit {
    /// From the maps through which both models listen, the front's transposed. Earlier versions called it `learned`.
    #[default]
    #[serde(alias = "learned")]
    Maps,
    /// As [`StitchInit::Maps`] with the pseudo-inverse; of a shared basis the two are one.
    PseudoInverse,
    /// By least squares on some pictures.
    LeastSquares,
    /// At random.
    Random,
}

impl StitchInit {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Maps, Self::PseudoInverse, Self::LeastSquares, Self::Random];

    /// Its short name, as addresses have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Maps => "maps",
            Self::PseudoInverse => "pinv",
            Self::LeastSquares => "least",
            Self::Random => "random",
        }
    }

    /// The start of a short name, `learned` of earlier addresses included.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = if name == "learned" { Self::Maps.name() } else { name };
        Self::ALL.into_iter().find(|start| start.name() == name)
    }
}
