//! Configurations of networks put together from stages of another (docs/methods.md, section 3).

use super::{BlockKind, CnnConfig, Shortcut, StageConfig, sides};

/// Why stages do not make a network. Stages are counted from 1, as people do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize)]
pub enum SeamError {
    /// Nothing between stem and classifier.
    #[error("a network needs at least one stage; choose one")]
    Empty,
    /// The ancestor has no such stage.
    #[error("there is no stage {unit}, the ancestor has {stages}; choose one of those")]
    Unknown {
        /// The stage asked for, from 1.
        unit: usize,
        /// How many there are.
        stages: usize,
    },
    /// Two neighbours do not fit.
    #[error(
        "{after} takes maps of {takes} channels, but {before} before it gives {gives}; choose a stage between them too, \
         or leave one of them out"
    )]
    Width {
        /// What comes first.
        before: String,
        /// Channels it gives.
        gives: usize,
        /// What comes after it.
        after: String,
        /// Channels it takes.
        takes: usize,
    },
    /// A stage is contradictory in itself.
    #[error("{stage} cannot be built: {problem}")]
    Stage {
        /// Which stage.
        stage: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The map shrinks to nothing.
    #[error("pictures of {image_size} px shrink to nothing before {stage}; take larger pictures or fewer stages")]
    Vanished {
        /// Side of the picture, px.
        image_size: usize,
        /// The stage that would see nothing.
        stage: String,
    },
}

/// A stage of a network put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// The ancestor's stage of this index, from 0, with its weights.
    Inherited(usize),
    /// A stage that starts from random numbers. Its `input` is set to what comes before it.
    Random(StageConfig),
}

impl CnnConfig {
    /// Whether the stages follow from each other.
    ///
    /// # Errors
    /// Names the first seam that does not fit.
    pub fn check(&self) -> Result<(), SeamError> {
        let names: Vec<String> = (1..=self.stages.len()).map(|stage| format!("stage {stage}")).collect();
        self.check_seams(&names)
    }

    fn check_seams(&self, names: &[String]) -> Result<(), SeamError> {
        if self.stages.is_empty() {
            return Err(SeamError::Empty);
        }
        let sides = sides(self);
        let (mut before, mut gives) = match self.stem {
            Some(stem) => ("the stem", stem.width),
            None => ("the picture", self.channels),
        };
        for (at, (stage, name)) in self.stages.iter().zip(names).enumerate() {
            if stage.input != gives {
                let (before, after, takes) = (before.to_string(), name.clone(), stage.input);
                return Err(SeamError::Width { before, gives, after, takes });
            }
            let fault = |problem| Err(SeamError::Stage { stage: name.clone(), problem });
            match (self.stem, stage.block) {
                _ if stage.depth == 0 || stage.width == 0 || stage.stride == 0 => return fault("it is empty"),
                (None, BlockKind::Basic | BlockKind::Bottleneck | BlockKind::Inverted) => {
                    return fault("residual blocks need a stem");
                }
                (_, kind) if (kind == BlockKind::Inverted) != self.is_mobile() => {
                    return fault("inverted residuals and blocks of other kinds make no network together");
                }
                (_, BlockKind::Inverted) if stage.inner == 0 || !stage.inner.is_multiple_of(stage.width) => {
                    return fault("inverted residuals widen by a whole number");
                }
                (Some(_), BlockKind::Plain) => return fault("plain blocks have no place behind a ResNet's stem"),
                (_, BlockKind::Basic | BlockKind::Bottleneck)
                    if stage.shortcut == Shortcut::Zeros && stage.input > stage.width =>
                {
                    return fault("a shortcut of zeros cannot lead to fewer channels");
                }
                _ => {}
            }
            if sides[at + 1] == 0 {
                return Err(SeamError::Vanished { image_size: self.image_size, stage: name.clone() });
            }
            (before, gives) = (name, stage.width);
        }
        Ok(())
    }

    /// The configuration of a network from units of one that has this configuration: its stem, `units` in order, and a
    /// new classifier that sees the mean of all places (a VGG's hidden layers stay if it had any, and a MobileNetV2's
    /// last convolution).
    ///
    /// # Errors
    /// When a unit is unknown, or two neighbours do not fit.
    pub fn from_units(&self, units: &[Unit], classes: usize, image_size: usize) -> Result<Self, SeamError> {
        let mut config =
            Self { stages: Vec::new(), classes: Some(classes), image_size, pooled_side: 1, ..self.clone() };
        let mut names = Vec::new();
        for unit in units {
            let (stage, name) = match *unit {
                Unit::Inherited(at) => {
                    let unknown = SeamError::Unknown { unit: at + 1, stages: self.stages.len() };
                    (*self.stages.get(at).ok_or(unknown)?, format!("stage {} of the ancestor", at + 1))
                }
                Unit::Random(stage) => {
                    let given = self.stem.map_or(self.channels, |stem| stem.width);
                    let input = config.stages.last().map_or(given, |before| before.width);
                    (StageConfig { input, ..stage }, format!("random stage {}", names.len() + 1))
                }
            };
            config.stages.push(stage);
            names.push(name);
        }
        config.check_seams(&names)?;
        Ok(config)
    }
}
