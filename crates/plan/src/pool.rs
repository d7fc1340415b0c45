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

/// How stitch layers start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StitchInit {
    /// From the maps that distillation learned, transposed.
    #[default]
    Learned,
    /// From the pseudo-inverse of those maps.
    PseudoInverse,
    /// By least squares on some pictures.
    LeastSquares,
    /// At random.
    Random,
}

impl StitchInit {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Learned, Self::PseudoInverse, Self::LeastSquares, Self::Random];

    /// Its short name, as addresses have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Learned => "learned",
            Self::PseudoInverse => "pinv",
            Self::LeastSquares => "least",
            Self::Random => "random",
        }
    }

    /// The start of a short name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|start| start.name() == name)
    }
}
