//! What `race`, `layers` and `pool` print with `--json`, declared once: the commands write it and `evidence` reads it.
//!
//! Losses may be missing where numbers were no longer finite; what an older version printed besides is passed over.

use std::collections::BTreeMap;

use heirloom_plan::protocol::{CurvePoint, Init, RunReport};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A measured point of a run. `race` prints the protocol's names of loss and accuracy.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Point {
    /// Steps taken.
    pub step: usize,
    /// Share of the validation pictures named rightly, 0..1.
    #[serde(alias = "validation_accuracy")]
    pub accuracy: f32,
    /// Loss on the validation pictures.
    #[serde(alias = "validation_loss")]
    pub loss: Option<f32>,
    /// Mean training loss since the last point.
    pub train_loss: Option<f32>,
}

impl From<&CurvePoint> for Point {
    fn from(point: &CurvePoint) -> Self {
        let CurvePoint { step, train_loss, validation_loss, validation_accuracy: accuracy, .. } = *point;
        Self { step, accuracy, loss: Some(validation_loss), train_loss: Some(train_loss) }
    }
}

impl Point {
    /// The accuracy.
    pub fn right(&self) -> f64 {
        f64::from(self.accuracy)
    }
}

/// One start with one seed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// The start.
    pub arm: Init,
    /// The seed.
    pub seed: u64,
    /// Its curve.
    pub points: Vec<Point>,
    /// Why it ended early.
    pub failure: Option<String>,
    /// Its pace.
    pub steps_per_second: Option<f64>,
}

impl From<&RunReport> for Run {
    fn from(run: &RunReport) -> Self {
        Self {
            arm: run.arm,
            seed: run.seed,
            points: run.points.iter().map(Point::from).collect(),
            failure: run.failure.clone(),
            steps_per_second: Some(run.steps_per_second),
        }
    }
}

impl Run {
    /// Its curve as the protocol has it, as far as it is known.
    pub fn curve(&self) -> Vec<CurvePoint> {
        let or_nan = |loss: Option<f32>| loss.unwrap_or(f32::NAN);
        let point = |point: &Point| CurvePoint {
            step: point.step,
            epoch: f32::NAN,
            train_loss: or_nan(point.train_loss),
            validation_loss: or_nan(point.loss),
            validation_accuracy: point.accuracy,
        };
        self.points.iter().map(point).collect()
    }
}

/// What `evidence` reads of a race by clusters.
#[derive(Clone, Debug, Deserialize)]
pub struct ClusterRace {
    /// The protocol's report of the race.
    pub race: Runs,
    /// Parameters that each start keeps of the ancestor.
    #[serde(default)]
    pub stored: BTreeMap<Init, Option<u64>>,
    /// What of that these descendants take.
    #[serde(default)]
    pub taken: BTreeMap<Init, Option<u64>>,
}

/// The runs of a race.
#[derive(Clone, Debug, Deserialize)]
pub struct Runs {
    /// One per start and seed.
    pub runs: Vec<Run>,
}

impl From<ClusterRace> for LayersReport {
    fn from(printed: ClusterRace) -> Self {
        let known = |counts: BTreeMap<Init, Option<u64>>| {
            counts.into_iter().filter_map(|(arm, count)| Some((arm, count?))).collect()
        };
        let (stored, taken) = (known(printed.stored), known(printed.taken));
        let race = LayersRace { runs: printed.race.runs, stored, taken, ..LayersRace::default() };
        Self { condensed: Value::Null, chosen: Vec::new(), pictures: None, races: vec![race] }
    }
}

/// What `layers` prints.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LayersReport {
    /// The protocol's report of condensing.
    #[serde(default)]
    pub condensed: Value,
    /// Layers of the ancestor that were chosen, counted from 0.
    pub chosen: Vec<usize>,
    /// Pictures of the races; nothing where none was run.
    pub pictures: Option<Pictures>,
    /// One per number of pictures and learning rate.
    pub races: Vec<LayersRace>,
}

/// Counts of pictures.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Pictures {
    /// To train on.
    pub train: usize,
    /// To judge on.
    pub validation: usize,
}

/// One race of `layers`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LayersRace {
    /// Training pictures of each class at most; nothing for all.
    pub per_class: Option<usize>,
    /// Factor of the learning rate.
    pub rate: f64,
    /// Peak learning rate.
    pub lr: f64,
    /// Starts that do not fit the descendant, with the reason.
    pub left_out: Vec<(Init, String)>,
    /// One per start and seed.
    pub runs: Vec<Run>,
    /// Parameters that each start keeps of the ancestor.
    pub stored: BTreeMap<Init, u64>,
    /// What of that these descendants take, where it is less.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub taken: BTreeMap<Init, u64>,
}

/// What `pool` prints: a stitched net, over its seeds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Net {
    /// Its configurations, from the smallest anchor to the largest.
    pub configurations: Vec<Configuration>,
    /// Rank correlation of accuracy with operations.
    pub spearman: Option<f64>,
    /// Each seed alone.
    #[serde(default)]
    pub seeds: Vec<Seed>,
    /// Parameters of all models and stitch layers together.
    pub stored_parameters: u64,
    /// SN-Net beside a pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sn_net: Option<Box<Net>>,
}

/// One model of a net; accuracies are means over the seeds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Configuration {
    /// Blocks at the front, or a whole anchor.
    pub front: Front,
    /// Blocks at the end; nothing for an anchor.
    pub end: Option<End>,
    /// The stitch layer between.
    pub stitch: Option<usize>,
    /// Parameters.
    pub parameters: u64,
    /// Operations of one picture.
    pub flops: u64,
    /// Accuracy before fine-tuning, by start value of the stitch layers.
    pub accuracy_at_start: BTreeMap<String, f64>,
    /// Accuracy, 0..1.
    pub accuracy: f64,
}

impl Configuration {
    /// Its blocks in words.
    pub fn path(&self) -> String {
        let Front { blocks, width, .. } = self.front;
        match self.end {
            Some(End { first_block, width: other, .. }) => {
                format!("{blocks} × {width}, then from {} × {other}", first_block + 1)
            }
            None => format!("{blocks} × {width}"),
        }
    }
}

/// The first blocks of a model.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Front {
    /// Which model.
    pub model: usize,
    /// Its width.
    pub width: usize,
    /// How many.
    pub blocks: usize,
}

/// The last blocks of a model.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct End {
    /// Which model.
    pub model: usize,
    /// Its width.
    pub width: usize,
    /// The first of them, counted from 0.
    pub first_block: usize,
}

/// A net of one seed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Seed {
    /// The seed.
    pub seed: u64,
    /// Rank correlation of accuracy with operations.
    pub spearman: Option<f64>,
    /// Accuracy of each configuration.
    pub accuracy: Vec<f64>,
    /// Accuracy of the ancestor with its new head.
    pub ancestor_accuracy: Option<f32>,
}
