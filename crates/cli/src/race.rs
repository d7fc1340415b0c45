//! `race`: start values of a descendant of clusters against each other; or an experiment of several races.

use std::path::PathBuf;

use clap::Args;
use heirloom_checkpoint::Checkpoint;
use heirloom_data::model_files;
use heirloom_nn::vit::VitConfig;
use heirloom_plan::cluster::{ExpansionPlan, taken_parameters, whole_layers_parameters};
use heirloom_plan::protocol::statistics::statistics;
use heirloom_plan::protocol::{
    ClusterReport, ClusterSettings, Command, CopyScale, DepthChoice, DescendantPlan, DescendantSettings,
    DescendantSummary, Design, ExperimentReport, ExperimentSettings, Init, LearningRate, MeasureSettings, RaceReport,
    TrainSettings, sensitivity,
};
use heirloom_plan::settings::{EPS_SIZE, Settings};
use serde_json::{Map, Value, json};

use crate::Failure;
use crate::options::{Inputs, TrainingOptions, choice};
use crate::session::Session;

/// Races start values of a descendant of clusters, or runs an experiment of several races
#[derive(Debug, Args)]
pub struct RaceOptions {
    #[command(flatten)]
    inputs: Inputs,
    #[command(flatten)]
    training: TrainingOptions,
    /// Starts: inherited, scratch, first, last, ends, random, selection, line, whole, frozen
    #[arg(long, value_delimiter = ',', value_parser = start_value, default_value = "inherited,scratch")]
    arms: Vec<Init>,
    /// Heads per layer
    #[arg(long, default_value_t = 6)]
    heads: usize,
    /// Layers
    #[arg(long, default_value_t = 6)]
    layers: usize,
    /// Optimiser steps of every run
    #[arg(long, default_value_t = 100)]
    steps: usize,
    /// Peak learning rate of all tensors alike; 0 gives each inherited one its own, by its size
    #[arg(long, default_value_t = Settings::default().lr)]
    lr: f64,
    /// Peak learning rate of an inherited tensor, as a share of the root mean square of its start values
    #[arg(long, default_value_t = Settings::default().relative_lr)]
    relative_lr: f64,
    /// Peak learning rate of what starts from random numbers, where inherited tensors have rates of their own
    #[arg(long, default_value_t = Settings::default().fresh_lr)]
    fresh_lr: f64,
    /// Steps of linear warm-up
    #[arg(long, default_value_t = 10)]
    warmup: usize,
    /// Steps between measured points; 0 = once per epoch
    #[arg(long, default_value_t = 0)]
    validate_every: usize,
    /// Highest drop-path rate
    #[arg(long, default_value_t = 0.0)]
    drop_path: f64,
    /// Pictures that go through the model at a time; 0 = the whole batch
    #[arg(long, default_value_t = 0)]
    micro_batch: usize,
    /// One start after the other
    #[arg(long)]
    one_by_one: bool,
    /// How much each copy of a head writes: share (1/m), members (n/m), literal (all of it)
    #[arg(long, value_parser = copy_scale, default_value = "share")]
    scale: CopyScale,
    /// Heads are copied as they are, not fitted to the pictures
    #[arg(long)]
    no_compensation: bool,
    /// Layers that share a feed-forward network start from copies of it
    #[arg(long)]
    no_maps: bool,
    /// Largest gap inside a cluster of heads, px at 224 px
    #[arg(long, default_value_t = 10.0)]
    eps: f64,
    /// Pictures the heads are measured on
    #[arg(long, default_value_t = 8)]
    measure: usize,
    /// What steps are counted to, 0..1; else nine tenths of the best
    #[arg(long)]
    accuracy: Option<f64>,
    /// Keeps the work in this folder; broken off and started again, it goes on where it was
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// An experiment over sizes, heads × layers: 6x6,3x4
    #[arg(long, value_delimiter = ',', value_parser = size, conflicts_with_all = ["rates", "batches", "shares"])]
    family: Vec<(usize, usize)>,
    /// An experiment over peak learning rates
    #[arg(long, value_delimiter = ',', conflicts_with = "shares")]
    rates: Vec<f64>,
    /// An experiment over batch sizes
    #[arg(long, value_delimiter = ',', conflicts_with = "shares")]
    batches: Vec<usize>,
    /// An experiment over shares of the training pictures
    #[arg(long, value_delimiter = ',')]
    shares: Vec<f64>,
}

fn copy_scale(name: &str) -> Result<CopyScale, String> {
    choice(name, &CopyScale::ALL.map(|scale| (scale.name(), scale)))
}

fn start_value(name: &str) -> Result<Init, String> {
    choice(name, &Init::ALL.map(|start| (start.name(), start)))
}

/// `6x4` as heads × layers.
fn size(text: &str) -> Result<(usize, usize), String> {
    let numbers = text.trim().split_once('x').map(|(heads, layers)| (heads.parse(), layers.parse()));
    match numbers {
        Some((Ok(heads), Ok(layers))) => Ok((heads, layers)),
        _ => Err(format!("`{text}` is no size; `6x4` is 6 heads, 4 layers")),
    }
}

impl RaceOptions {
    fn descendant(&self) -> DescendantPlan {
        let (heads, layers, image_size) = (self.heads, self.layers, self.training.size);
        let (depth, copy_scale, compensate) = (DepthChoice::First, self.scale, !self.no_compensation);
        let ffn_maps = !self.no_maps;
        DescendantSettings { heads, layers, image_size, depth, copy_scale, compensate, ffn_maps }.into()
    }

    fn clusters(&self, image_size: usize) -> ClusterSettings {
        let eps = (self.eps * image_size as f64 / EPS_SIZE) as f32;
        ClusterSettings { eps, eps_ffn: eps, ..ClusterSettings::for_image_size(image_size) }
    }

    fn settings(&self) -> TrainSettings {
        TrainSettings {
            steps: self.steps,
            lr: self.learning_rate(),
            warmup_steps: self.warmup,
            drop_path: self.drop_path,
            validate_every: self.validate_every,
            is_interleaved: !self.one_by_one,
            micro_batch: self.micro_batch,
            ..self.training.settings(self.descendant(), self.arms.clone())
        }
    }

    fn learning_rate(&self) -> LearningRate {
        let Self { lr, relative_lr, fresh_lr, .. } = *self;
        Settings { lr, relative_lr, fresh_lr, ..Settings::default() }.learning_rate()
    }

    /// What the races differ in.
    fn design(&self) -> Design {
        if !self.family.is_empty() {
            return Design::Family(self.family.clone());
        }
        if !self.shares.is_empty() {
            return Design::Shares(self.shares.clone());
        }
        if self.rates.is_empty() && self.batches.is_empty() {
            return Design::Race;
        }
        let rates = if self.rates.is_empty() { vec![self.lr] } else { self.rates.clone() };
        let batches = if self.batches.is_empty() { vec![self.training.batch] } else { self.batches.clone() };
        Design::Sweep { rates, batches }
    }
}

/// What came of it.
struct Outcome {
    ancestor: Option<VitConfig>,
    descendant: Option<DescendantSummary>,
    clusters: Option<ClusterReport>,
    races: Vec<RaceReport>,
    experiment: Option<ExperimentReport>,
}

/// Races and prints what came of it.
///
/// # Errors
/// A sentence, when something cannot be read or does not fit.
pub async fn run(options: &RaceOptions) -> Result<(), Failure> {
    let outcome = race(options).await?;
    if options.inputs.json {
        println!("{}", as_json(&outcome, options.accuracy));
    } else {
        outcome.races.iter().for_each(|race| table(race, options.accuracy));
        outcome.experiment.iter().for_each(points);
    }
    Ok(())
}

async fn race(options: &RaceOptions) -> Result<Outcome, Failure> {
    let ancestor = Checkpoint::open(&model_files(&options.inputs.model)?).await?.config.vit().cloned();
    let mut session = Session::start(options.inputs.engine, options.keep.as_deref()).await?;
    // A race that was broken off has gone on to its end by now.
    let is_raced = session.said().race.is_some();
    if !is_raced {
        let settings = MeasureSettings { pictures: options.measure, renormalise: false };
        let experiment = ExperimentSettings { race: options.settings(), design: options.design() };
        session.open(&options.inputs.model, &options.inputs.pictures).await?;
        session.send(Command::MeasureHeads(settings)).await?;
        let side = ancestor.as_ref().map_or(224, |ancestor| ancestor.image_size);
        session.send(Command::SetClusters(options.clusters(side))).await?;
        session.send(Command::PlanDescendant(options.descendant())).await?;
        session.send(Command::Experiment(experiment)).await?;
    }
    let mut said = session.said();
    let (experiment, last) = (said.experiment.take(), said.race.take());
    let races = match &experiment {
        Some(experiment) => experiment.races.clone(),
        None => vec![last.ok_or("the race gave no report")?],
    };
    Ok(Outcome { ancestor, descendant: said.descendant.take(), clusters: said.clusters.take(), races, experiment })
}
/// Parameters that a start needs of the ancestor, without classifiers; `None` where nothing is known of them.
fn stored(outcome: &Outcome, race: &RaceReport, start: Init) -> Option<u64> {
    let ancestor = outcome.ancestor.as_ref()?;
    let run = race.runs.iter().find(|run| run.arm == start)?;
    Some(match start {
        Init::Scratch => 0,
        Init::Inherited => outcome.clusters.as_ref()?.stored_parameters,
        Init::First | Init::Last | Init::Ends | Init::Random | Init::Whole | Init::Frozen | Init::Tuned => {
            whole_layers_parameters(ancestor, run.size.0.min(ancestor.depth))
        }
        // Two layers are all that a line needs.
        Init::Line => whole_layers_parameters(ancestor, 2),
        Init::Selection => run.parameters - ((ancestor.pooled_dim() + 1) * race.classes.len()) as u64,
    })
}

/// What of that the descendants of this race take: of a learngene, which holds what all its descendants need, the part
/// that these start from.
fn taken(outcome: &Outcome, race: &RaceReport, start: Init) -> Option<u64> {
    let (DescendantPlan::Cluster(settings), Init::Inherited) = (&race.settings.descendant, start) else {
        return stored(outcome, race, start);
    };
    let clusters = outcome.clusters.as_ref()?.clusters();
    let plan = ExpansionPlan::from_clusters(&clusters, &settings.into()).ok()?;
    Some(taken_parameters(outcome.ancestor.as_ref()?, &plan))
}

fn as_json(outcome: &Outcome, accuracy: Option<f64>) -> Value {
    let count = |race: &RaceReport, of: fn(&Outcome, &RaceReport, Init) -> Option<u64>| -> Map<String, Value> {
        let arms = race.settings.arms.iter();
        arms.map(|&start| (start.name().into(), json!(of(outcome, race, start)))).collect()
    };
    let race = |race: &RaceReport| {
        json!({
            "race": race,
            "statistics": statistics(race, accuracy),
            "stored": count(race, stored),
            "taken": count(race, taken),
        })
    };
    match &outcome.experiment {
        None => {
            let mut all = race(&outcome.races[0]);
            all["descendant"] = json!(outcome.descendant);
            all
        }
        Some(experiment) => json!({
            "descendant": outcome.descendant,
            "design": experiment.settings.design,
            "races": outcome.races.iter().map(race).collect::<Vec<_>>(),
            "points": experiment.points(),
            "sensitivity": sensitivity(&experiment.points()),
        }),
    }
}

fn table(race: &RaceReport, accuracy: Option<f64>) {
    for run in &race.runs {
        println!("{}, seed {}, {:.2} steps/s", run.arm.name(), run.seed, run.steps_per_second);
        println!("  {:>6} {:>7} {:>11} {:>16} {:>9}", "step", "epoch", "train loss", "validation loss", "accuracy");
        for point in &run.points {
            let (loss, validation) = (point.train_loss, point.validation_loss);
            let accuracy = point.validation_accuracy;
            println!("  {:>6} {:>7.2} {loss:>11.4} {validation:>16.4} {accuracy:>9.4}", point.step, point.epoch);
        }
    }
    let Some(all) = statistics(race, accuracy) else { return };
    println!("steps to an accuracy of {:.4} (best mean {:.4}); last accuracy over the seeds", all.accuracy, all.best);
    for arm in &all.arms {
        let (last, reached) = (arm.last, arm.reached);
        let steps = reached.and_then(|reached| reached.steps);
        let steps = steps.map_or_else(|| "-".into(), |steps| format!("{:.1}", steps.mean));
        let (seeds, of) = reached.map_or((0, 0), |reached| (reached.seeds, reached.of));
        println!(
            "  {:>10}  {steps:>7} ({seeds} of {of})  {:.4} ± {:.4} ({:.4} to {:.4})  area {:.4}  {} parameters",
            arm.arm.name(),
            last.mean,
            last.deviation,
            last.low,
            last.high,
            arm.area.mean,
            arm.parameters
        );
    }
    all.differences.iter().for_each(|one| println!("  {one:?}"));
}

/// A rate, and what of it is of the tensor's size.
fn rate(lr: LearningRate) -> String {
    match lr {
        LearningRate::One(lr) => format!("{lr:.1e}"),
        LearningRate::Relative { relative, .. } => format!("{relative:.1e}x"),
    }
}

fn points(experiment: &ExperimentReport) {
    println!("race  start       heads layers  parameters      rate batch share  accuracy");
    for point in experiment.points() {
        let accuracy = point.accuracy.map_or_else(|| "-".into(), |a| format!("{:.4} ± {:.4}", a.mean, a.deviation));
        println!(
            "{:>4}  {:<10} {:>6} {:>6} {:>11} {:>9} {:>5} {:>5.2}  {accuracy}",
            point.race + 1,
            point.arm.name(),
            point.heads.unwrap_or(0),
            point.layers,
            point.parameters,
            rate(point.lr),
            point.batch,
            point.share
        );
    }
}
