//! Keeps what comes from another machine from being absurd before anybody allocates, loops or indexes by it.

use serde_json::Value;

use super::{SavedModel, SavedPool, SavedRace, SavedTied, SavedWork, VERSION};
use heirloom_checkpoint::check_config;
use heirloom_nn::vit::VitConfig;
use heirloom_plan::protocol::{
    DescendantPlan, LearnTied, PathPart, PoolConfiguration, PoolModel, PoolReport, PoolSettings,
};

/// Largest number of a planned descendant or of a pool's models: heads, layers, channels, px.
const MOST_PLANNED: usize = 8_192;
/// Largest number of the settings of races: steps, most likely.
const MOST_IN_QUEUE: f64 = 1e9;
/// Most entries of a list in a configuration.
const MOST_LISTED: usize = 1_024;
/// Most classes of kept features.
const MOST_CLASSES: usize = 1 << 16;
/// Most kinds of kept features: as the ancestor pools its tokens, and the other way.
const MOST_KINDS: usize = 2;
/// Most small models of a pool.
const MOST_MODELS: usize = 64;

impl SavedWork {
    /// Whether what it says makes sense.
    ///
    /// # Errors
    /// Says what is out of bounds.
    pub fn check(&self) -> Result<(), String> {
        if self.version != VERSION {
            return Err(format!("it was written in format {}, this program reads format {VERSION}", self.version));
        }
        self.models.iter().flatten().try_for_each(SavedModel::check)?;
        self.pools.iter().try_for_each(SavedPool::check)?;
        if let Some(pool) = &self.pool_job {
            check_settings(&pool.header.settings)?;
        }
        if let Some(job) = &self.tied_job {
            check_learning(&job.settings)?;
        }
        self.tied.as_ref().map_or(Ok(()), SavedTied::check)?;
        match &self.race {
            Some(race) => race.check(),
            None => self.descendant.as_ref().map_or(Ok(()), check_descendant),
        }
    }
}

impl SavedRace {
    fn check(&self) -> Result<(), String> {
        let queue = serde_json::to_value(&self.queue.settings).unwrap_or_default();
        let current = self.queue.current().filter(|_| is_sane(&queue, MOST_IN_QUEUE));
        let Some(settings) = current else { return Err("its races make no sense".into()) };
        check_descendant(&settings.descendant)?;
        let plan = self.header.plan();
        let fits =
            plan.arms == settings.arms.len() && plan.seeds.len() == settings.seeds && plan.steps == settings.steps;
        if !fits {
            return Err("its race is not the one of its settings".into());
        }
        if let Some(features) = &self.fits.under_way {
            within("classes", features.classes, MOST_CLASSES)?;
            within("kinds of features", features.standards.len(), MOST_KINDS)?;
        }
        within("arms", settings.arms.len(), 64)?;
        within("seeds", settings.seeds, 1_000)?;
        within("batch", settings.batch, 1 << 16)?;
        within("steps", settings.steps, 1 << 30)
    }
}

impl SavedModel {
    fn check(&self) -> Result<(), String> {
        let name = self.part.as_ref().map_or("a trained model", |part| part.name.as_str());
        check_config(name, &self.config).map_err(|error| error.to_string())
    }
}

impl SavedPool {
    fn check(&self) -> Result<(), String> {
        check_report(&self.report)?;
        let unfit = || Err("the models of its pool are not those that it tells of".to_string());
        let fits = |(config, model): (&VitConfig, &PoolModel)| {
            [config.depth, config.embed_dim] == [model.blocks, model.width]
                && config.classes == Some(self.report.classes.len())
        };
        let (there, told) = (self.configs.len(), self.report.models.len());
        let is_enough = if self.is_net { there == told } else { there <= told };
        if !is_enough || !self.configs.iter().zip(&self.report.models).all(fits) {
            return unfit();
        }
        let mut bytes = 0;
        for config in &self.configs {
            check_config("a pool", &config.clone().into()).map_err(|error| error.to_string())?;
            bytes += 4 * config.parameters();
        }
        // Models are made before their weights are read.
        match &self.part {
            None if there > 0 => Err("the weights of its pool were not saved".into()),
            Some(part) if bytes > part.len => unfit(),
            _ => Ok(()),
        }
    }
}

impl SavedTied {
    fn check(&self) -> Result<(), String> {
        let learned = &self.report.settings;
        check_learning(learned)?;
        check_config("its tied layers", &self.config.clone().into()).map_err(|error| error.to_string())?;
        let is_told = self.config.depth == learned.tying.stored()
            && self.config.classes == Some(self.report.classes.len())
            && self.config.image_size == learned.image_size;
        // The learngene is made before its weights are read.
        let has_weights = self.part.as_ref().is_some_and(|part| 4 * self.config.parameters() <= part.len);
        match is_told && has_weights {
            true => Ok(()),
            false => Err("its tied layers are not those that it tells of".into()),
        }
    }
}

fn check_learning(settings: &LearnTied) -> Result<(), String> {
    within("stages", settings.tying.stored(), MOST_MODELS)?;
    within("layers", settings.layers, MOST_PLANNED)?;
    within("image_size", settings.image_size, MOST_PLANNED)?;
    within("batch", settings.batch, 1 << 16)?;
    within("steps", settings.head_steps, 1 << 30)?;
    within("steps", settings.steps, 1 << 30)
}

fn check_settings(settings: &PoolSettings) -> Result<(), String> {
    within("models", settings.models.len(), MOST_MODELS)?;
    within("batch", settings.batch, 1 << 16)?;
    within("image_size", settings.image_size, MOST_PLANNED)?;
    for steps in [settings.head_steps, settings.distil_steps, settings.pool_steps] {
        within("steps", steps, 1 << 30)?;
    }
    settings.models.iter().try_for_each(|model| {
        within("blocks", model.blocks, MOST_PLANNED)?;
        within("width", model.width, MOST_PLANNED)
    })
}

/// What is drawn by a report must be there.
fn check_report(report: &PoolReport) -> Result<(), String> {
    check_settings(&report.settings)?;
    let has_block = |part: &PathPart| {
        let model = report.models.get(part.model);
        model.is_some_and(|model| part.first <= part.last && part.last < model.blocks)
    };
    let is_way = |(id, one): (usize, &PoolConfiguration)| {
        one.id == id && (1..=2).contains(&one.path.len()) && one.path.iter().all(has_block)
    };
    let sizes = report.models.iter().map(|model| [model.blocks, model.width]);
    let is_told = sizes.eq(report.settings.models.iter().map(|model| [model.blocks, model.width]));
    match is_told && report.configurations.iter().enumerate().all(is_way) {
        true => Ok(()),
        false => Err("the ways through its pool are not those of its models".into()),
    }
}

fn check_descendant(plan: &DescendantPlan) -> Result<(), String> {
    match is_sane(&serde_json::to_value(plan).unwrap_or_default(), MOST_PLANNED as f64) {
        true => Ok(()),
        false => Err("the size of its descendant makes no sense".into()),
    }
}

/// Keeps the numbers of a configuration from abroad where arithmetic with them cannot overflow: none is negative or
/// above `most`.
fn is_sane(config: &Value, most: f64) -> bool {
    match config {
        Value::Number(number) => number.as_f64().is_some_and(|number| (0.0..=most).contains(&number)),
        Value::Array(all) => all.len() <= MOST_LISTED && all.iter().all(|value| is_sane(value, most)),
        Value::Object(all) => all.values().all(|value| is_sane(value, most)),
        _ => true,
    }
}

fn within(what: &str, value: usize, most: usize) -> Result<(), String> {
    match (1..=most).contains(&value) {
        true => Ok(()),
        false => Err(format!("`{what}` would be {value}, between 1 and {most} makes sense")),
    }
}
