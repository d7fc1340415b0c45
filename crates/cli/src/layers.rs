//! `layers`: an ancestor condensed to whole layers, and what was chosen raced against other starts, in a session.
//!
//! A session divides pictures by itself; where only some classes, or so many pictures of each, are wanted, it is handed
//! just those in folders `train` and `val`, which it follows.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use heirloom_checkpoint::Checkpoint;
use heirloom_data::{Labelled, PictureSet, Split, SplitPlan, model_files, walk};
use heirloom_learngene::layers::{
    LayersError, LayersPlan, Score, best, descendant_config, layer_names, layer_parameters,
};
use heirloom_nn::cnn::CnnConfig;
use heirloom_nn::model::ModelConfig;
use heirloom_nn::vit::VitConfig;
use heirloom_plan::protocol::{
    Command, CondenseReport, CondenseSettings, Init, LayersSettings, Likeness, RaceReport, TrainSettings,
};
use heirloom_platform::file::FileHandle;
use serde_json::json;

use crate::Failure;
use crate::options::{Inputs, TrainingOptions, choice};
use crate::reports::{LayersRace, LayersReport, Pictures, Run};
use crate::session::Session;

/// Starts that make sense for whole layers.
const ARMS: [Init; 8] =
    [Init::Inherited, Init::Scratch, Init::First, Init::Last, Init::Ends, Init::Random, Init::Whole, Init::Frozen];

/// Condenses an ancestor to whole layers and races what was chosen against other starts
#[derive(Debug, Args)]
pub struct LayersOptions {
    #[command(flatten)]
    inputs: Inputs,
    #[command(flatten)]
    training: TrainingOptions,
    /// Layers (stages of a CNN) that are inherited
    #[arg(long, default_value_t = 3)]
    k: usize,
    /// Layers of the descendant; random ones lie on top
    #[arg(long, default_value_t = 4)]
    layers: usize,
    /// Optimiser steps of every run; 0 = only condense
    #[arg(long, default_value_t = 30)]
    steps: usize,
    /// Peak learning rate
    #[arg(long, default_value_t = 1e-4)]
    lr: f64,
    /// Factors of the learning rate, a race each
    #[arg(long, value_delimiter = ',', default_value = "1")]
    rates: Vec<f64>,
    /// Epochs for which inherited layers are held still
    #[arg(long, value_name = "EPOCHS", default_value_t = 0.0)]
    freeze: f64,
    /// Training pictures of each class at most, a race each
    #[arg(long, value_delimiter = ',', conflicts_with = "share")]
    per_class: Vec<usize>,
    /// Races on these classes only
    #[arg(long, value_delimiter = ',')]
    classes: Vec<String>,
    /// Starts; one whose stages do not fit each other is left out, and the reason is said
    #[arg(long, value_delimiter = ',', value_parser = arm, default_value = "inherited,scratch,first,last,random,whole")]
    arms: Vec<Init>,
    /// Steps between measured points
    #[arg(long, default_value_t = 10)]
    every: usize,
    /// Writes every trained model to this folder
    #[arg(long, value_name = "DIR")]
    export: Option<PathBuf>,
    /// Classes the pseudo descendant learns; else all
    #[arg(long, value_delimiter = ',')]
    condense_classes: Vec<String>,
    /// Steps it is trained for
    #[arg(long, default_value_t = 60)]
    condense_steps: usize,
    /// Its layers, or blocks in each stage of a CNN
    #[arg(long, default_value_t = 3)]
    pseudo_layers: usize,
    /// Pictures layers are compared on
    #[arg(long, default_value_t = 32)]
    probe: usize,
    /// How layers are compared: cka, learned or influence
    #[arg(long, value_parser = likeness, default_value = "cka")]
    likeness: Likeness,
    /// How a layer scores over the pseudo descendant's: mean or max
    #[arg(long, value_parser = score, default_value = "mean")]
    score: Score,
}

fn likeness(name: &str) -> Result<Likeness, String> {
    choice(name, &Likeness::ALL.map(|likeness| (likeness.name(), likeness)))
}

fn score(name: &str) -> Result<Score, String> {
    choice(name, &[("mean", Score::Mean), ("max", Score::Max)])
}

fn arm(name: &str) -> Result<Init, String> {
    choice(name, &ARMS.map(|arm| (arm.name(), arm)))
}

impl LayersOptions {
    fn condense(&self) -> CondenseSettings {
        CondenseSettings {
            layers: self.pseudo_layers,
            steps: self.condense_steps,
            image_size: self.training.size,
            classes: self.condense_classes.clone(),
            probe: self.probe,
            likeness: self.likeness,
            ..CondenseSettings::default()
        }
    }

    fn race(&self, chosen: &[usize], arms: Vec<Init>, rate: f64) -> TrainSettings {
        let (chosen, image_size) = (chosen.to_vec(), self.training.size);
        let descendant = LayersSettings { chosen, layers: self.layers, image_size, freeze_epochs: self.freeze };
        TrainSettings {
            steps: self.steps,
            lr: (rate * self.lr).into(),
            warmup_steps: self.steps / 10,
            validate_every: self.every,
            ..self.training.settings(descendant.into(), arms)
        }
    }
}

/// Condenses, races and prints what came of it.
///
/// # Errors
/// A sentence, when something cannot be read or does not fit.
pub async fn run(options: &LayersOptions) -> Result<(), Failure> {
    let mut session = Session::start(options.inputs.engine, None).await?;
    session.open(&options.inputs.model, &options.inputs.pictures).await?;
    session.send(Command::Condense(options.condense())).await?;
    let condensed = session.said().condensed.take().ok_or("condensing gave no report")?;
    let scores = if options.score == Score::Mean { &condensed.mean } else { &condensed.max };
    let scores: Vec<f64> = scores.scores.iter().copied().map(f64::from).collect();
    let chosen = best(&scores, options.k);
    eprintln!("chosen: {:?}", chosen.iter().map(|layer| &condensed.ancestor_layers[*layer]).collect::<Vec<_>>());
    let (pictures, races) = match options.steps {
        0 => (None, Vec::new()),
        _ => Races { options, chosen: &chosen, session }.run().await?,
    };
    if options.inputs.json {
        println!("{}", json!(LayersReport { condensed: json!(condensed), chosen, pictures, races }));
    } else {
        similarity(&condensed, &scores, &chosen);
        races.iter().for_each(table);
    }
    Ok(())
}

/// The races of what was chosen.
struct Races<'a> {
    options: &'a LayersOptions,
    chosen: &'a [usize],
    session: Session,
}

impl Races<'_> {
    async fn run(mut self) -> Result<(Option<Pictures>, Vec<LayersRace>), Failure> {
        let Self { options, .. } = self;
        let ancestor = Checkpoint::open(&model_files(&options.inputs.model)?).await?.config;
        let picked = match options.per_class.is_empty() && options.classes.is_empty() {
            true => None,
            false => Some(Picked::of(options).await?),
        };
        let counts = options.per_class.iter().copied().map(Some);
        let counts = if options.per_class.is_empty() { vec![None] } else { counts.collect() };
        let (mut races, mut pictures) = (Vec::new(), None);
        if let (Some(Picked { split, .. }), false) = (&picked, options.per_class.is_empty()) {
            pictures = Some(Pictures { train: split.train.len(), validation: split.validation.len() });
        }
        for per_class in counts {
            if let Some(picked) = &picked {
                let files = picked.files(per_class).await?;
                self.session.send(Command::ClearPictures).await?;
                self.session.hand(files, |files| Command::AddPictures { files, class: None }).await?;
            }
            pictures = pictures.or_else(|| self.pictures());
            for &rate in &options.rates {
                races.push(self.race(&ancestor, per_class, rate).await?);
            }
        }
        Ok((pictures, races))
    }

    /// Pictures of the session; of those to train on, the share that is used.
    fn pictures(&self) -> Option<Pictures> {
        let said = self.session.said();
        let classes = &said.pictures.as_ref()?.classes;
        let used = |all: usize| ((self.options.training.share * all as f64).round() as usize).max(1).min(all);
        Some(Pictures {
            train: classes.iter().map(|class| used(class.train)).sum(),
            validation: classes.iter().map(|class| class.validation).sum(),
        })
    }

    async fn race(
        &mut self,
        ancestor: &ModelConfig,
        per_class: Option<usize>,
        rate: f64,
    ) -> Result<LayersRace, Failure> {
        let (mut arms, mut left_out, mut stored) = (Vec::new(), Vec::new(), BTreeMap::new());
        for &arm in &self.options.arms {
            match self.misfit(ancestor, arm) {
                Some(reason) => left_out.push((arm, reason.to_string())),
                None => {
                    stored.insert(arm, self.stored(ancestor, arm)?);
                    arms.push(arm);
                }
            }
        }
        let settings = self.options.race(&self.planned(ancestor), arms, rate);
        let mut runs = Vec::new();
        if !settings.arms.is_empty() {
            self.session.send(Command::Train(settings)).await?;
            let report = self.session.said().race.take().ok_or("the race gave no report")?;
            self.export(&report).await?;
            runs = report.runs.iter().map(Run::from).collect();
        }
        Ok(LayersRace { per_class, rate, lr: rate * self.options.lr, left_out, runs, stored, taken: BTreeMap::new() })
    }

    fn plan(&self, ancestor: &ModelConfig, arm: Init, seed: u64) -> LayersPlan {
        let available = layer_names(ancestor).len();
        let (count, layers) = (self.chosen.len(), self.options.layers);
        match arm {
            Init::First => LayersPlan::first(count, layers),
            Init::Last => LayersPlan::last(count, layers, available),
            Init::Ends => LayersPlan::ends(count, layers, available),
            Init::Random => LayersPlan::random(count, layers, available, seed),
            Init::Whole | Init::Frozen | Init::Tuned => LayersPlan::whole(available),
            _ => LayersPlan::new(self.chosen.to_vec(), layers),
        }
    }

    /// Layers that the session plans its descendant with: the chosen ones, or where these do not fit each other as many
    /// others, which give the other starts the same number of layers.
    fn planned(&self, ancestor: &ModelConfig) -> Vec<usize> {
        let candidates = [Init::Inherited, Init::First, Init::Last];
        let fitting = candidates.into_iter().find(|&arm| self.misfit(ancestor, arm).is_none());
        self.plan(ancestor, fitting.unwrap_or(Init::Inherited), self.options.training.first_seed).chosen
    }

    /// Why a start does not fit; random layers are others for every seed, and a session sizes them by seed 0.
    fn misfit(&self, ancestor: &ModelConfig, arm: Init) -> Option<LayersError> {
        let first = self.options.training.first_seed;
        let seeds = (first..).take(self.options.training.seeds).chain((arm == Init::Random).then_some(0));
        let mut plans = seeds.map(|seed| self.plan(ancestor, arm, seed));
        plans.find_map(|plan| descendant_config(ancestor, &plan, 1, self.options.training.size).err())
    }

    /// Parameters that a start keeps of the ancestor: stem, layers and final norm.
    fn stored(&self, ancestor: &ModelConfig, arm: Init) -> Result<u64, Failure> {
        if arm == Init::Scratch {
            return Ok(0);
        }
        let plan = self.plan(ancestor, arm, self.options.training.first_seed);
        let config = descendant_config(ancestor, &plan, 1, ancestor.image_size())?;
        let random: u64 = layer_parameters(&config).iter().skip(plan.chosen.len()).sum();
        Ok(match config {
            ModelConfig::Vit(config) => VitConfig { classes: None, ..config }.parameters(),
            ModelConfig::Cnn(config) => CnnConfig { classes: None, ..config }.parameters(),
            ModelConfig::Stitched(_) => return Err(LayersError::Stitched.into()),
        } - random)
    }

    async fn export(&mut self, race: &RaceReport) -> Result<(), Failure> {
        let Some(folder) = &self.options.export else { return Ok(()) };
        std::fs::create_dir_all(folder)?;
        for (at, run) in race.runs.iter().enumerate().filter(|(_, run)| run.has_model) {
            self.session.send(Command::ExportSafetensors { run: Some(race.first_run + at) }).await?;
            let file = self.session.said().file.take().ok_or("the engine wrote no file")?;
            std::fs::write(folder.join(format!("{}-{}.safetensors", run.arm.name(), run.seed)), file)?;
        }
        Ok(())
    }
}

/// Pictures of some classes, divided as a session divides them.
struct Picked {
    set: PictureSet,
    split: Split,
}

impl Picked {
    async fn of(options: &LayersOptions) -> Result<Self, Failure> {
        let mut set = PictureSet::new();
        set.add(&walk(&options.inputs.pictures)?, None, |_| ControlFlow::Continue(())).await?;
        let mut split = set.split(SplitPlan::default())?;
        if let Some(missing) = options.classes.iter().find(|class| !split.classes.contains(class)) {
            return Err(format!("there is no class `{missing}`; there are {}", split.classes.join(", ")).into());
        }
        if !options.classes.is_empty() {
            let classes = split.classes.clone();
            let is_wanted = |one: &Labelled| options.classes.contains(&classes[one.label]);
            split.train.retain(is_wanted);
            split.validation.retain(is_wanted);
        }
        Ok(Self { set, split })
    }

    /// At most so many training pictures of each class, and all to judge on.
    async fn files(&self, per_class: Option<usize>) -> Result<Vec<FileHandle>, Failure> {
        let Split { classes, train, validation, .. } = &self.split;
        let mut taken = vec![0; classes.len()];
        let is_taken = |one: &&Labelled| {
            taken[one.label] += 1;
            per_class.is_none_or(|most| taken[one.label] <= most)
        };
        let train = train.iter().filter(is_taken).map(|one| ("train", one));
        let all: Vec<_> = train.chain(validation.iter().map(|one| ("val", one))).collect();
        let mut files = Vec::with_capacity(all.len());
        for (at, (side, one)) in all.into_iter().enumerate() {
            let picture = &self.set.pictures()[one.picture];
            // Numbered, so that they stay in this order.
            let name = picture.path.rsplit('/').next().unwrap_or_default();
            let path = format!("{side}/{}/{at:06}-{name}", classes[one.label]);
            files.push(FileHandle::from_bytes(path, picture.source.read_all().await?));
        }
        Ok(files)
    }
}

fn similarity(condensed: &CondenseReport, scores: &[f64], chosen: &[usize]) {
    println!("similarity (ancestor layer × pseudo-descendant layer), score, chosen");
    for (layer, (row, name)) in condensed.similarity.iter().zip(&condensed.ancestor_layers).enumerate() {
        let row: Vec<String> = row.iter().map(|value| format!("{value:.3}")).collect();
        let mark = if chosen.contains(&layer) { "*" } else { "" };
        println!("  {name:<12} {}   {:.3} {mark}", row.join(" "), scores[layer]);
    }
}

fn table(race: &LayersRace) {
    let count = race.per_class.map_or_else(|| "all".to_owned(), |count| count.to_string());
    println!("pictures per class {count}, learning rate {}", race.lr);
    for run in &race.runs {
        let points: Vec<String> = run.points.iter().map(|p| format!("{}: {:.3}", p.step, p.accuracy)).collect();
        println!("  {:<10} seed {}  {}", run.arm.name(), run.seed, points.join("  "));
    }
    race.left_out.iter().for_each(|(arm, reason)| println!("  {}: left out, {reason}", arm.name()));
}
