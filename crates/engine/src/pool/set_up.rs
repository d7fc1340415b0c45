//! From the person's settings to a plan that can be carried out.

use crate::race::RaceBatches;
use crate::runner::Runner;
use heirloom_data::{Augment, Loader, LoaderSettings, Normalise};
use heirloom_learngene::pool::{self, Positions, auxiliary_config, frozen};
use heirloom_learngene::pool::{AuxiliaryPlan, PoolPlan, Teaches};
use heirloom_learngene::stitch::{Configuration, ways};
use heirloom_nn::model::ModelConfig;
use heirloom_nn::vit::{Vit, VitConfig};
use heirloom_plan::protocol::{Method, PoolSettings, SmallModel, StitchStart};
use heirloom_train::{AdamWSettings, RunSettings, Schedule};

/// Rate of the ancestor's head: a linear classifier on standing features, so it may be high.
const HEAD_LR: f64 = 2e-3;
/// Weight of the labels in distillation (Learngene Pool, section 4.1).
const LABEL_WEIGHT: f64 = 0.1;
/// Pictures that the least-squares start looks at (SN-Net: about 100).
const FIT_PICTURES: usize = 100;

/// What a pool is made of, known before its first step.
#[derive(Clone)]
pub(super) struct Frame {
    pub settings: PoolSettings,
    /// The small models, smallest first.
    pub models: Vec<VitConfig>,
    /// All ways through, and what each is as a model of its own.
    pub ways: Vec<(Configuration, ModelConfig)>,
    pub classes: Vec<String>,
    pub normalise: Normalise,
    /// Pictures to train and to judge on.
    pub pictures: [usize; 2],
    pub ancestor_parameters: u64,
    pub ancestor_flops: u64,
}

impl Frame {
    pub(super) fn is_stitch(&self) -> bool {
        self.settings.method == Method::Stitch
    }

    /// How stitch layers start.
    pub(super) fn start(&self) -> pool::StitchStart {
        match self.settings.stitch_start {
            StitchStart::Learned => pool::StitchStart::Learned,
            StitchStart::PseudoInverse => pool::StitchStart::PseudoInverse,
            StitchStart::LeastSquares => pool::StitchStart::LeastSquares,
            StitchStart::Random => pool::StitchStart::Random,
        }
    }

    /// The plan of the work.
    pub(super) fn plan(&self) -> PoolPlan {
        let PoolSettings { batch, head_steps, distil_steps, pool_steps, lr, pool_lr, seed, .. } = self.settings;
        let auxiliary = |(at, config): (usize, &VitConfig)| AuxiliaryPlan {
            config: config.clone(),
            positions: match (self.is_stitch(), at) {
                (true, _) => Positions::None,
                (false, 0) => Positions::FrontMidEnd,
                (false, _) => Positions::End,
            },
        };
        PoolPlan {
            seed,
            auxiliaries: self.models.iter().enumerate().map(auxiliary).collect(),
            head: run(HEAD_LR, head_steps, seed),
            head_steps,
            distil: run(lr, distil_steps, seed),
            distil_steps,
            label_weight: LABEL_WEIGHT,
            tune: run(pool_lr, pool_steps, seed),
            tune_steps: pool_steps,
            teacher: if self.settings.is_anchor_teacher { Teaches::LargestAnchor } else { Teaches::Ancestor },
            stitch_start: self.start(),
            compared: vec![self.start()],
            fit_batches: FIT_PICTURES.div_ceil(batch),
        }
    }
}

fn run(lr: f64, steps: usize, seed: u64) -> RunSettings {
    RunSettings {
        schedule: Schedule { peak: lr, floor: 0.0, warmup_steps: steps / 20, steps },
        adamw: AdamWSettings::default(),
        label_smoothing: 0.0,
        drop_path: 0.0,
        freeze_steps: 0,
        seed,
    }
}

/// Settings of which nothing is 0 and whose start value there is.
fn checked(mut settings: PoolSettings) -> Result<PoolSettings, String> {
    if !matches!(settings.method, Method::Pool | Method::Stitch) {
        return Err(format!("the method `{}` makes no pool; choose `pool` or `stitch`", settings.method.name()));
    }
    if settings.models.len() < 2 {
        return Err(format!(
            "a pool needs at least 2 small models, but `{}` was chosen; add one",
            settings.models.len()
        ));
    }
    let steps = [settings.batch, settings.head_steps, settings.distil_steps, settings.pool_steps];
    if steps.contains(&0) {
        return Err("a pool needs at least one picture a step and one step of everything".into());
    }
    let has_maps = settings.method == Method::Pool;
    let needs_maps = matches!(settings.stitch_start, StitchStart::Learned | StitchStart::PseudoInverse);
    if needs_maps && !has_maps {
        // Independent anchors have no learned maps; this is how SN-Net starts.
        settings.stitch_start = StitchStart::LeastSquares;
    }
    Ok(settings)
}

impl Runner {
    /// Checks settings against ancestor and pictures.
    ///
    /// # Errors
    /// A sentence that says what does not fit.
    pub(super) fn frame(&self, settings: PoolSettings) -> Result<Frame, String> {
        let ancestor = self.ancestor.as_ref().ok_or("no ancestor is open yet; open a checkpoint first")?;
        let vit = ancestor.vit()?;
        let split = self.pictures.split.as_ref();
        let split =
            split.ok_or("there are too few pictures; at least two classes with two pictures each are needed")?;
        let mut settings = checked(settings)?;
        let (classes, size) = (split.classes.len(), settings.image_size);
        let mut models = Vec::with_capacity(settings.models.len());
        for &SmallModel { blocks, width } in &settings.models {
            let config = auxiliary_config(&vit.config, [blocks, width], classes, size);
            models.push(config.map_err(|error| error.to_string())?);
        }
        models.sort_by_key(VitConfig::flops);
        settings.models =
            models.iter().map(|config| SmallModel { blocks: config.depth, width: config.embed_dim }).collect();
        let ways = ways(&models).map_err(|error| error.to_string())?;
        Ok(Frame {
            settings,
            models,
            ways,
            classes: split.classes.clone(),
            normalise: ancestor.normalise,
            pictures: [split.train.len(), split.validation.len()],
            ancestor_parameters: vit.config.parameters(),
            ancestor_flops: VitConfig { image_size: size, ..vit.config.clone() }.flops(),
        })
    }

    /// The frozen ancestor and the pictures.
    ///
    /// # Errors
    /// A sentence that says what is missing.
    pub(super) async fn pool_inputs(&self, frame: &Frame) -> Result<(Vit, RaceBatches), String> {
        let ancestor = self.ancestor.as_ref().ok_or("no ancestor is open yet; open a checkpoint first")?;
        let split = self.pictures.split.as_ref().ok_or("there are no pictures to train on")?;
        let PoolSettings { image_size, batch, seed, augment, .. } = frame.settings;
        let loader = LoaderSettings {
            image_size,
            batch,
            seed,
            normalise: frame.normalise,
            augment: augment.then(Augment::default),
            ..LoaderSettings::default()
        };
        let loader = Loader::new(&self.pictures.set, split, loader).map_err(|error| error.to_string())?;
        let ancestor = frozen(ancestor.vit()?, image_size).await.map_err(|error| error.to_string())?;
        Ok((ancestor, RaceBatches::new(loader)))
    }
}
