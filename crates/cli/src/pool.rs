//! `pool`: a learngene pool from a real ancestor: auxiliary models distilled, stitched, fine-tuned, and every configuration
//! judged; and SN-Net beside it.
//!
//! It drives [`PoolTrainer`] itself and not a session: a session judges configurations before fine-tuning with the start value
//! that was chosen, and the comparison of all start values is what this command is for. The ancestor's features are
//! kept for all seeds.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Instant;

use burn::tensor::Device;
use clap::Args;
use heirloom_checkpoint::Checkpoint;
use heirloom_data::{Augment, Loader, LoaderSettings, Normalise, PictureSet, SplitPlan, model_files, walk};
use heirloom_engine::{RaceBatches, normalise};
use heirloom_learngene::pool::{
    AuxiliaryPlan, Basis, Coordinates, MemoryFeatures, PoolAdvance, PoolMeasurements, PoolPlan, PoolTrainer, Positions,
    StitchInit, Teaches, auxiliary_config, frozen, with_stitch_rate,
};
use heirloom_learngene::stitch::{Configuration, StitchNet};
use heirloom_nn::vit::Vit;
use heirloom_train::{AdamWSettings, RunSettings, Schedule, spearman};
use serde_json::json;

use crate::Failure;
use crate::options::{Inputs, choice};
use crate::reports::{self, End, Front, Net, Seed};
use crate::session::device;

/// Start values that are compared, with their names in the output.
const STARTS: [(StitchInit, &str); 4] = [
    (StitchInit::Maps, "maps"),
    (StitchInit::PseudoInverse, "pinv"),
    (StitchInit::LeastSquares, "least_squares"),
    (StitchInit::Random, "random"),
];
/// Where auxiliary models listen, with the names of the options.
const PLACES: [(&str, Places); 3] =
    [("every", Places::Every), ("three", Places::Three), ("published", Places::Published)];
/// Pictures that the shared basis and the least-squares start see (SN-Net: about 100).
const FIT_PICTURES: usize = 100;

/// Makes a pool of small models from an ancestor and judges every configuration
#[derive(Debug, Args)]
pub struct PoolOptions {
    #[command(flatten)]
    inputs: Inputs,
    /// Blocks of the auxiliary models
    #[arg(long, default_value_t = 6)]
    blocks: usize,
    /// Their widths, the smallest first
    #[arg(long, value_delimiter = ',', default_value = "96,192")]
    widths: Vec<usize>,
    /// Side of the pictures, px
    #[arg(long, default_value_t = 56)]
    size: usize,
    /// Pictures per step
    #[arg(long, default_value_t = 32)]
    batch: usize,
    /// Steps that fit the ancestor's head
    #[arg(long, default_value_t = 200)]
    head_steps: usize,
    /// Steps that distil each auxiliary model
    #[arg(long, default_value_t = 300)]
    distil_steps: usize,
    /// Steps that fine-tune the stitched net
    #[arg(long, default_value_t = 300)]
    pool_steps: usize,
    /// Seeds
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 1)]
    first_seed: u64,
    /// Peak learning rate of distillation
    #[arg(long, default_value_t = 1e-3)]
    lr: f64,
    /// Peak learning rate of the stitched net's blocks
    #[arg(long, default_value_t = 1e-4)]
    pool_lr: f64,
    /// Peak learning rate of its stitch layers
    #[arg(long, default_value_t = 1e-3)]
    stitch_lr: f64,
    /// Coordinates of the auxiliary models: pca or random (one basis for all, fixed), learned (as published)
    #[arg(long, value_parser = basis, default_value = "pca")]
    basis: Basis,
    /// Leave the ancestor's tokens as they are, neither centred nor scaled
    #[arg(long)]
    no_standardising: bool,
    /// Give every place of the ancestor a basis of its own
    #[arg(long)]
    no_tying: bool,
    /// Give every width coordinates of its own
    #[arg(long)]
    no_nesting: bool,
    /// Where they are compared with the ancestor: every block, three of them, or as published (the smallest at three,
    /// others at the end) [usual: published for learned coordinates, else every]
    #[arg(long, value_parser = places)]
    places: Option<Places>,
    /// Weight of the ancestor's tokens in distillation
    #[arg(long, default_value_t = 1.0)]
    feature_weight: f64,
    /// Start of the stitch layers that are fine-tuned: maps, pinv, least-squares, random
    #[arg(long, value_parser = start, default_value = "maps")]
    start: StitchInit,
    /// Flips and crops
    #[arg(long)]
    augment: bool,
    /// Also SN-Net with independently trained anchors, for as many steps, under the same teacher
    #[arg(long)]
    sn_net: bool,
    /// Train those anchors from labels alone
    #[arg(long, requires = "sn_net")]
    label_only: bool,
}

/// Where auxiliary models listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Places {
    Every,
    Three,
    Published,
}

impl Places {
    /// Positions of a model, the smallest first.
    fn of_model(self, at: usize) -> Positions {
        match (self, at) {
            (Self::Every, _) => Positions::Every,
            (Self::Three, _) | (Self::Published, 0) => Positions::FrontMidEnd,
            (Self::Published, _) => Positions::End,
        }
    }
}

fn basis(name: &str) -> Result<Basis, String> {
    choice(name, &Basis::ALL.map(|basis| (basis.name(), basis)))
}

fn places(name: &str) -> Result<Places, String> {
    choice(name, &PLACES)
}

fn start(name: &str) -> Result<StitchInit, String> {
    choice(&name.replace('-', "_"), &STARTS.map(|(start, name)| (name, start)))
}

/// The starts that differ: the pseudo-inverse of a shared basis is its transpose.
fn starts(basis: Basis) -> Vec<StitchInit> {
    let differs = |start: &StitchInit| !basis.is_shared() || *start != StitchInit::PseudoInverse;
    STARTS.map(|(start, _)| start).into_iter().filter(differs).collect()
}

/// Makes the pools and prints what came of them.
///
/// # Errors
/// A sentence, when something cannot be read or does not fit.
pub async fn run(options: &PoolOptions) -> Result<(), Failure> {
    let acquired = device(options.inputs.engine).await?;
    let mut stage = Stage::set(options, &acquired.device).await?;
    let mut pool = stage.net(false).await?;
    let baseline = if options.sn_net { Some(Box::new(stage.net(true).await?)) } else { None };
    if options.inputs.json {
        pool.sn_net = baseline;
        println!("{}", json!(pool));
        return Ok(());
    }
    table("pool", &pool);
    baseline.iter().for_each(|baseline| table("SN-Net", baseline));
    Ok(())
}

/// What all runs share.
struct Stage<'a> {
    options: &'a PoolOptions,
    ancestor: Vit,
    normalise: Normalise,
    set: PictureSet,
    classes: usize,
    /// The ancestor's features; they depend on no seed.
    features: MemoryFeatures,
}

impl<'a> Stage<'a> {
    async fn set(options: &'a PoolOptions, device: &Device) -> Result<Self, Failure> {
        let checkpoint = Checkpoint::open(&model_files(&options.inputs.model)?).await?;
        checkpoint.check_complete()?;
        let none = || format!("`{}` is no Vision Transformer; a pool needs one as its ancestor", checkpoint.name);
        let config = checkpoint.config.vit().ok_or_else(none)?;
        let ancestor = Vit::load(config, &mut &checkpoint, device).await?;
        let mut set = PictureSet::new();
        set.add(&walk(&options.inputs.pictures)?, None, |_| ControlFlow::Continue(())).await?;
        let classes = set.split(SplitPlan::default())?.classes.len();
        let ancestor = frozen(&ancestor, options.size).await?;
        let (normalise, features) = (normalise(&checkpoint), MemoryFeatures::default());
        Ok(Self { options, ancestor, normalise, set, classes, features })
    }

    fn batches(&self, seed: u64) -> Result<RaceBatches, Failure> {
        let PoolOptions { size, batch, augment, .. } = *self.options;
        let split = self.set.split(SplitPlan::default())?;
        let augment = augment.then(Augment::default);
        let settings =
            LoaderSettings { image_size: size, batch, seed, normalise: self.normalise, augment, ..Default::default() };
        Ok(RaceBatches::new(Loader::new(&self.set, &split, settings)?))
    }

    fn plan(&self, seed: u64, is_sn_net: bool) -> Result<PoolPlan, Failure> {
        let PoolOptions { blocks, size, head_steps, distil_steps, pool_steps, lr, pool_lr, start, .. } = *self.options;
        let PoolOptions { basis, stitch_lr, feature_weight, label_only, .. } = *self.options;
        let usual = if basis.is_shared() { Places::Every } else { Places::Published };
        let places = self.options.places.unwrap_or(usual);
        let coordinates = Coordinates {
            basis,
            is_standardised: !self.options.no_standardising,
            is_tied: !self.options.no_tying,
            is_nested: !self.options.no_nesting,
        };
        if !basis.is_shared() && coordinates != Coordinates::of(basis) {
            return Err("learned coordinates have nothing to leave out: choose `--basis pca` or `random`".into());
        }
        let mut auxiliaries = Vec::new();
        for (at, &width) in self.options.widths.iter().enumerate() {
            let config = auxiliary_config(&self.ancestor.config, [blocks, width], self.classes, size)?;
            let positions = if is_sn_net { Positions::None } else { places.of_model(at) };
            auxiliaries.push(AuxiliaryPlan { config, positions });
        }
        let run = |lr: f64, steps: usize| RunSettings {
            schedule: Schedule { peak: lr, floor: 0.0, warmup_steps: steps / 20, steps },
            adamw: AdamWSettings::default(),
            label_smoothing: 0.0,
            drop_path: 0.0,
            freeze_steps: 0,
            lr_scales: Vec::new(),
            fresh_lr: None,
            seed,
        };
        Ok(PoolPlan {
            seed,
            auxiliaries,
            head: run(2e-3, head_steps),
            head_steps,
            distil: run(lr, distil_steps),
            distil_steps,
            label_weight: if is_sn_net && label_only { 1.0 } else { 0.1 },
            feature_weight,
            coordinates,
            tune: with_stitch_rate(run(pool_lr, pool_steps), stitch_lr),
            tune_steps: pool_steps,
            teacher: Teaches::Ancestor,
            stitch_start: if is_sn_net { StitchInit::LeastSquares } else { start },
            compared: if is_sn_net { vec![StitchInit::LeastSquares] } else { starts(basis) },
            fit_batches: FIT_PICTURES.div_ceil(self.options.batch),
        })
    }

    /// One pool from start to end.
    async fn run(&mut self, seed: u64, is_sn_net: bool) -> Result<(StitchNet, PoolMeasurements), Failure> {
        let (plan, batches) = (self.plan(seed, is_sn_net)?, self.batches(seed)?);
        let mut pool = PoolTrainer::new(plan, self.ancestor.clone(), batches, &mut self.features)?;
        let (name, begun) = (if is_sn_net { "SN-Net" } else { "pool" }, Instant::now());
        let mut said = 0;
        while !pool.is_finished() {
            let advance = pool.advance().await?;
            let (done, total) = pool.progress();
            let what = match advance {
                PoolAdvance::Head { loss } => format!("head, loss {loss:.4}"),
                PoolAdvance::Distilled { auxiliary, loss } => format!("distilling {auxiliary}, loss {loss:.4}"),
                PoolAdvance::Tuned { configuration, loss } => format!("configuration {configuration}, loss {loss:.4}"),
                _ => continue,
            };
            if done >= said {
                eprintln!(
                    "{name}, seed {seed}: {done} of {total} steps, {:.0} s, {what}",
                    begun.elapsed().as_secs_f32()
                );
                said = done + 25;
            }
        }
        let seconds = begun.elapsed().as_secs_f32();
        let ancestor = pool.report().ancestor_accuracy.unwrap_or_default();
        eprintln!("{name}, seed {seed}: done in {seconds:.0} s, ancestor {ancestor:.3}, {:?}", pool.report().accuracy);
        Ok((pool.net().ok_or("the pool has no net")?, pool.report().clone()))
    }

    /// Pools, or stitched nets, of all seeds.
    async fn net(&mut self, is_sn_net: bool) -> Result<Net, Failure> {
        let (mut reports, mut last) = (Vec::new(), None);
        for seed in (self.options.first_seed..).take(self.options.seeds as usize) {
            let (net, report) = self.run(seed, is_sn_net).await?;
            reports.push(report);
            last = Some(net);
        }
        Ok(summary(&last.ok_or("there is no seed")?, &reports, self.options.first_seed))
    }
}

/// Mean over seeds, place by place.
fn mean(rows: &[&Vec<f32>]) -> Vec<f64> {
    let count = rows.len() as f64;
    let places = rows.first().map_or(0, |row| row.len());
    (0..places).map(|at| rows.iter().map(|row| f64::from(row[at])).sum::<f64>() / count).collect()
}

/// Accuracies of all configurations before fine-tuning, by start value.
fn at_start(reports: &[PoolMeasurements]) -> Vec<(&'static str, Vec<f64>)> {
    let of_start = |(start, name): &(StitchInit, &'static str)| {
        let all = reports.iter().flat_map(|report| &report.at_start);
        let rows: Vec<_> = all.filter(|(judged, _)| judged == start).map(|(_, accuracy)| accuracy).collect();
        (!rows.is_empty()).then(|| (*name, mean(&rows)))
    };
    STARTS.iter().filter_map(of_start).collect()
}

fn configurations(net: &StitchNet, reports: &[PoolMeasurements], accuracy: &[f64]) -> Vec<reports::Configuration> {
    let starts = at_start(reports);
    let width = |model: usize| net.anchors[model].config.embed_dim;
    let front = |model: usize, blocks: usize| Front { model, width: width(model), blocks };
    let shown = net.configurations().iter().zip(net.configs()).enumerate().map(|(at, (configuration, config))| {
        let (front, end, stitch) = match *configuration {
            Configuration::Anchor { anchor } => (front(anchor, net.anchors[anchor].config.depth), None, None),
            Configuration::Stitched { front: model, end, pair } => {
                let end = End { model: end, width: width(end), first_block: pair.end };
                (front(model, pair.front + 1), Some(end), Some(pair.stitch))
            }
        };
        let accuracy_at_start: BTreeMap<_, _> =
            starts.iter().map(|(name, accuracy)| ((*name).to_owned(), accuracy[at])).collect();
        let (parameters, flops, accuracy) = (config.parameters(), config.flops(), accuracy[at]);
        reports::Configuration { front, end, stitch, parameters, flops, accuracy_at_start, accuracy }
    });
    shown.collect()
}

/// Everything about one kind of net, over its seeds.
fn summary(net: &StitchNet, reports: &[PoolMeasurements], first_seed: u64) -> Net {
    let accuracy = mean(&reports.iter().map(|report| &report.accuracy).collect::<Vec<_>>());
    let flops: Vec<f64> = net.configs().iter().map(|config| config.flops() as f64).collect();
    let seed = |(seed, report): (u64, &PoolMeasurements)| {
        let accuracy: Vec<f64> = report.accuracy.iter().map(|&value| f64::from(value)).collect();
        let (spearman, ancestor_accuracy) = (spearman(&flops, &accuracy), report.ancestor_accuracy);
        Seed { seed, spearman, accuracy, ancestor_accuracy }
    };
    Net {
        configurations: configurations(net, reports, &accuracy),
        spearman: spearman(&flops, &accuracy),
        seeds: (first_seed..).zip(reports).map(seed).collect(),
        stored_parameters: net.parameters(),
        sn_net: None,
    }
}

fn table(title: &str, net: &Net) {
    let spearman = net.spearman.map_or_else(|| "-".to_owned(), |spearman| format!("{spearman:.3}"));
    println!("{title}: {} stored parameters, Spearman {spearman}", net.stored_parameters);
    println!("{:>28} {:>11} {:>12} {:>9}  at start", "blocks", "parameters", "flops", "accuracy");
    for one in &net.configurations {
        let starts: Vec<_> = one.accuracy_at_start.iter().map(|(name, value)| format!("{name} {value:.3}")).collect();
        let starts = starts.join(", ");
        println!("{:>28} {:>11} {:>12} {:>9.4}  {starts}", one.path(), one.parameters, one.flops, one.accuracy);
    }
}
