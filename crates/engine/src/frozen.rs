//! The ancestor as it is, with a new linear classifier (docs/methods.md, section 5.5): what small models are measured by, and
//! the quickest way from pictures to a model. Each picture goes through it once.

use std::rc::Rc;

use burn::module::Module;
use futures::lock::Mutex;
use heirloom_data::{Labelled, Split};
use heirloom_learngene::layers::{LayersPlan, WholeLayers, layer_names};
use heirloom_learngene::yardstick::{as_it_is, kinds, put_head, read_as};
use heirloom_learngene::{Descendant, InitError, Initializer};
use heirloom_nn::model::{Model, ModelConfig};
use heirloom_plan::forecast::Work;
use heirloom_train::{Batch, Crew, Features, Lent, LinearFit, LinearHead, PENALTIES, TrainError};
use sha2::{Digest, Sha256};

use crate::error::EngineError;
use crate::fits::{Fits, Fitting};
use crate::plain_pictures::PlainPictures;
use crate::saved::hex;
use crate::workspace::Workspace;

/// Most bytes of features that are held: of a ViT-S, whose class token and mean of the patches are both tried, 87,000
/// pictures. Of more pictures that many are looked at.
const MOST_BYTES: u64 = 256 << 20;

/// The frozen ancestor, whose classifier is fitted when it is first asked for.
pub struct FrozenStart {
    ancestor: Model,
    whole: WholeLayers,
    /// What the classifier is fitted to, in short.
    key: String,
    fits: Fits,
    pictures: usize,
    looking: Mutex<Looking>,
}

/// What pictures are looked at with.
struct Looking {
    pictures: PlainPictures,
    model: Option<Lent<Descendant>>,
    /// Other threads of the CPU engine.
    crew: Option<Rc<dyn Crew>>,
}

impl Looking {
    /// Batches from `next` on, one for each thread; `None` where no picture of one decodes.
    async fn batches(&mut self, next: usize) -> Result<Vec<Option<Batch>>, EngineError> {
        let threads = 1 + self.crew.as_ref().map_or(0, |crew| crew.hands());
        let mut batches = Vec::new();
        for index in (next..self.pictures.batches()).take(threads) {
            batches.push(self.pictures.on_host(index).await?);
        }
        Ok(batches)
    }
}

impl FrozenStart {
    /// The open ancestor, for the classes and training pictures of a split. Classifiers that are fitted already are
    /// `fits`.
    ///
    /// # Errors
    /// When there are no pictures, or they are no whole number of patches.
    pub fn new(
        workspace: &Workspace,
        split: &Split,
        (classes, image_size): (usize, usize),
        fits: Fits,
    ) -> Result<Self, EngineError> {
        let ancestor = &workspace.ancestor()?.model;
        let plan = LayersPlan::whole(layer_names(&ancestor.config()).len());
        let whole = WholeLayers::new(ancestor.clone(), plan, classes, image_size)?;
        let most = (MOST_BYTES / row_bytes(&whole.config()).max(1)) as usize;
        let train = if split.train.len() > most { split.spread(most) } else { split.train.clone() };
        let key = key(workspace, split, &train, image_size)?;
        let pictures = train.len();
        let crew = workspace.crew();
        let looking = Looking { pictures: PlainPictures::new(workspace, split, train, image_size)?, model: None, crew };
        Ok(Self { ancestor: ancestor.clone().valid(), whole, key, fits, pictures, looking: Mutex::new(looking) })
    }

    /// What its classifier is fitted to: starts of the same key share it.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Pictures that its classifier is fitted to.
    pub fn pictures(&self) -> usize {
        self.pictures
    }

    /// Whether its classifier is fitted already.
    pub fn is_fitted(&self) -> bool {
        self.head().is_some()
    }

    /// Bytes of the features while it is being fitted.
    pub fn feature_bytes(&self) -> u64 {
        if self.is_fitted() { 0 } else { row_bytes(&self.config()) * self.pictures as u64 }
    }

    /// The classifier, if it is fitted: one from the store may be anybody's.
    fn head(&self) -> Option<Rc<LinearHead>> {
        let (config, head) = (self.config(), self.fits.head(&self.key)?);
        let classes = config.outputs();
        let fits = head.bias.len() == classes
            && head.weight.len() as u64 == classes as u64 * config.head_width()
            && head.kind < kinds(&config).len();
        fits.then_some(head)
    }

    /// The fit as far as it is, or at its start.
    fn fitting(&self, batches: usize) -> Result<Fitting, InitError> {
        let (config, room) = (self.config(), self.pictures);
        let (width, classes, kinds) = (config.head_width() as usize, config.outputs(), kinds(&config).len());
        let is_ours = |features: &[Features]| {
            let size = |one: &Features| (one.width(), one.classes()) == (width, classes) && one.pictures() <= room;
            features.len() == kinds && features.iter().all(size)
        };
        match self.fits.take(&self.key) {
            Some(Fitting::Looking { next, kinds }) if next <= batches && is_ours(&kinds) => {
                return Ok(Fitting::Looking { next, kinds });
            }
            Some(Fitting::Fitting(fit)) if is_ours(fit.kinds()) => return Ok(Fitting::Fitting(fit)),
            _ => {}
        }
        let features = (0..kinds).map(|_| Features::new(width, classes, room)).collect::<Result<_, _>>();
        let kinds =
            features.map_err(|_| InitError::Pictures(format!("no memory for the features of {room} pictures")))?;
        Ok(Fitting::Looking { next: 0, kinds })
    }

    /// Adds what some batches look like to the ancestor.
    async fn look(&self, looking: &mut Looking, some: &[Batch], features: &mut [Features]) -> Result<(), InitError> {
        let (device, crew) = (looking.pictures.device().clone(), looking.crew.as_ref());
        let model = match &mut looking.model {
            Some(model) => model,
            None => looking.model.insert(Lent::new(self.model(0).await?.into())),
        };
        let failed = |error: TrainError| InitError::Pictures(error.to_string());
        let seen = model.features(some, &device, crew).await.map_err(failed)?;
        for (Batch { labels, .. }, seen) in some.iter().zip(seen) {
            let each = seen.len() / features.len().max(1);
            for (features, seen) in features.iter_mut().zip(seen.chunks_exact(each.max(1))) {
                features.push(seen, labels);
            }
            let judging = labels.len() as f64 * self.config().flops() as f64;
            self.fits.spend(Work { judging, ..Work::default() });
        }
        Ok(())
    }

    /// The ancestor, whose classifier is yet to be put in and sees features of this kind.
    async fn model(&self, kind: usize) -> Result<Model, InitError> {
        let mut model = as_it_is(&self.ancestor, &self.whole).await?;
        read_as(&mut model, kind);
        Ok(model)
    }
}

impl Initializer for FrozenStart {
    fn config(&self) -> ModelConfig {
        self.whole.config()
    }

    async fn prepare(&self) -> Result<Option<(usize, usize)>, InitError> {
        if self.is_fitted() {
            return Ok(None);
        }
        let mut looking = self.looking.lock().await;
        let batches = looking.pictures.batches();
        let total = batches + (kinds(&self.config()).len() + 1) * PENALTIES.len();
        match self.fitting(batches)? {
            Fitting::Looking { next, kinds: mut features } if next < batches => {
                let batches = looking.batches(next).await.map_err(|error| InitError::Pictures(error.to_string()))?;
                let done = next + batches.len();
                let some: Vec<Batch> = batches.into_iter().flatten().collect();
                self.look(&mut looking, &some, &mut features).await?;
                self.fits.put_back(&self.key, Fitting::Looking { next: done, kinds: features });
                Ok(Some((done, total)))
            }
            Fitting::Looking { kinds, .. } => {
                // The model is not needed any more, and a tab has little room.
                looking.model = None;
                self.fits.put_back(&self.key, Fitting::Fitting(Box::new(LinearFit::new(kinds))));
                Ok(Some((batches, total)))
            }
            Fitting::Fitting(mut fit) => {
                let before = fit.work();
                let head = fit.advance();
                // A multiplication goes with an addition.
                self.fits.spend(Work { fitting: 2.0 * (fit.work() - before), ..Work::default() });
                let done = batches + fit.done();
                match head {
                    Some(head) => self.fits.insert(&self.key, head),
                    None => self.fits.put_back(&self.key, Fitting::Fitting(fit)),
                }
                Ok((!self.is_fitted()).then_some((done, total)))
            }
        }
    }

    async fn start(&self, _: u64) -> Result<Descendant, InitError> {
        while self.prepare().await?.is_some() {}
        let mut model = self.model(0).await?;
        if let Some(head) = self.head() {
            put_head(&mut model, &head);
        }
        Ok(model.into())
    }

    async fn blank(&self, _: u64) -> Result<Descendant, InitError> {
        Ok(self.model(self.head().map_or(0, |head| head.kind)).await?.into())
    }
}

/// Bytes of the features of a picture.
fn row_bytes(config: &ModelConfig) -> u64 {
    4 * config.head_width() * kinds(config).len() as u64
}

/// A checksum of everything that the features of some pictures depend on.
fn key(workspace: &Workspace, split: &Split, pictures: &[Labelled], image_size: usize) -> Result<String, EngineError> {
    let (ancestor, set) = (workspace.ancestor()?, workspace.dataset.set.pictures());
    let mut hash = Sha256::new();
    let mut add = |text: &str, number: u64| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
        hash.update(number.to_le_bytes());
    };
    for file in &ancestor.files {
        add(file.path(), file.len());
    }
    for value in ancestor.normalise.mean.iter().chain(&ancestor.normalise.std) {
        add("", u64::from(value.to_bits()));
    }
    split.classes.iter().for_each(|class| add(class, image_size as u64));
    for &Labelled { picture, label } in pictures {
        let one = &set[picture];
        add(&one.path, one.source.len());
        add("", label as u64);
    }
    Ok(hex(&hash.finalize()))
}
