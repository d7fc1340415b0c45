//! The ancestor as it is, with a new linear classifier (docs/methods.md, section 5.5): what small models are measured by, and
//! the quickest way from pictures to a model. Each picture goes through it once.

use std::ops::Range;
use std::rc::Rc;

use burn::module::Module;
use futures::lock::Mutex;
use heirloom_data::{Labelled, Split};
use heirloom_learngene::layers::{LayersPlan, WholeLayers, layer_names};
use heirloom_learngene::yardstick::{self, as_it_is, kinds, put_head, read_as};
use heirloom_learngene::{Descendant, InitError, Initializer};
use heirloom_nn::model::{Model, ModelConfig};
use heirloom_plan::forecast::Work;
use heirloom_train::{Batch, Crew, Features, Lent, LinearFit, LinearHead, TrainError};
use sha2::{Digest, Sha256};

use crate::error::EngineError;
use crate::fits::{Fits, Fitting};
use crate::plain_pictures::PlainPictures;
use crate::saved::hex;
use crate::workspace::Workspace;

/// Most bytes of features that are held: of a ViT-S, whose class token and mean of the patches are both tried, 87,000
/// pictures. Of more pictures that many are looked at.
const MOST_BYTES: u64 = 256 << 20;

/// The frozen ancestor, or its first blocks, whose classifier is fitted when it is first asked for.
pub struct FrozenStart {
    /// All of it.
    open: Model,
    /// As much as is kept.
    ancestor: Model,
    whole: WholeLayers,
    /// What the classifier is fitted to, in short.
    key: String,
    fits: Fits,
    view: View,
    /// Where another start may have left what this one sees: the whole ancestor beside its first blocks.
    shared: Option<(String, Range<usize>)>,
    pictures: usize,
    looking: Mutex<Looking>,
}

/// What is seen of a picture in one pass.
struct View {
    /// What it depends on, in short.
    key: String,
    /// Depths at which a classifier can be fitted, beside all blocks.
    cuts: Vec<usize>,
    /// All layers, with whose classifier pictures go through.
    all: WholeLayers,
    /// Numbers of each reading, in the order of [`head_features`](heirloom_learngene::yardstick::head_features).
    widths: Vec<usize>,
    /// Which of them are those of this start.
    own: Range<usize>,
}

impl View {
    /// Of the ancestor cut at `cuts` and whole; `own` is the start's depth, 0 = whole.
    fn new(open: &Model, all: WholeLayers, cuts: Vec<usize>, own: usize) -> Self {
        let config = all.config();
        let depths = cuts.iter().map(|&blocks| (blocks, open.config().cut(blocks)));
        let depths = depths.chain([(0, Some(config))]);
        let (mut widths, mut range) = (Vec::new(), 0..0);
        for (blocks, config) in depths.filter_map(|(blocks, config)| Some((blocks, config?))) {
            let kinds = kinds(&config).len();
            if blocks == own {
                range = widths.len()..widths.len() + kinds;
            }
            widths.extend(std::iter::repeat_n(config.head_width() as usize, kinds));
        }
        Self { key: String::new(), cuts, all, widths, own: range }
    }

    /// Bytes for a picture.
    fn row_bytes(&self) -> u64 {
        4 * self.widths.iter().sum::<usize>() as u64
    }

    /// The pictures of a split of which there is room to keep what is seen.
    fn pictures(&self, split: &Split) -> Vec<Labelled> {
        let most = (MOST_BYTES / self.row_bytes().max(1)) as usize;
        if split.train.len() > most { split.spread(most) } else { split.train.clone() }
    }
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
    /// The open ancestor, or its first `cut` blocks where that is not 0, for the classes and training pictures of a split.
    /// Classifiers that are fitted already are `fits`.
    ///
    /// # Errors
    /// When there are no pictures, they are no whole number of patches, or the ancestor cannot be cut there.
    pub fn new(
        workspace: &Workspace,
        split: &Split,
        (classes, image_size): (usize, usize),
        cut: usize,
        fits: Fits,
    ) -> Result<Self, EngineError> {
        let open = workspace.ancestor()?.model.clone().valid();
        let blocks = open.config().blocks();
        let ancestor = match cut {
            0 => open.clone(),
            _ => yardstick::cut(&open, cut).ok_or(EngineError::NoSuchDepth { wanted: cut, blocks })?,
        };
        let layers = |model: &Model| {
            let plan = LayersPlan::whole(layer_names(&model.config()).len());
            WholeLayers::new(model.clone(), plan, classes, image_size)
        };
        let (whole, all) = (layers(&ancestor)?, layers(&open)?);
        let mut cuts = open.config().cuts();
        // Whoever asks for another depth than is proposed gets it too.
        if let Err(at) = cuts.binary_search(&cut)
            && cut > 0
        {
            cuts.insert(at, cut);
        }
        let mut shared = View::new(&open, all.clone(), cuts, cut);
        shared.key = key(workspace, split, &shared.pictures(split), image_size, &shared.cuts)?;
        let mut alone = View::new(&open, all, Vec::new(), cut);
        let (view, shared) = match cut {
            0 => {
                alone.key = key(workspace, split, &alone.pictures(split), image_size, &[])?;
                (alone, Some((shared.key, shared.own)))
            }
            _ => (shared, None),
        };
        let train = view.pictures(split);
        let key = if cut == 0 { view.key.clone() } else { format!("{} at {cut}", view.key) };
        let pictures = train.len();
        let crew = workspace.crew();
        let looking = Looking { pictures: PlainPictures::new(workspace, split, train, image_size)?, model: None, crew };
        Ok(Self { open, ancestor, whole, key, fits, view, shared, pictures, looking: Mutex::new(looking) })
    }

    /// What pictures are looked at for: starts of the same one look at them once.
    pub fn view(&self) -> &str {
        &self.view.key
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
        if self.is_fitted() { 0 } else { self.view.row_bytes() * self.pictures as u64 }
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
        let (classes, room, own) = (self.config().outputs(), self.pictures, &self.view.widths[self.view.own.clone()]);
        let are = |features: &[Features], widths: &[usize]| {
            let size = |(one, &width): (&Features, &usize)| {
                (one.width(), one.classes()) == (width, classes) && one.pictures() <= room
            };
            features.len() == widths.len() && features.iter().zip(widths).all(size)
        };
        if let Some(fitting) = self.fits.take(&self.key) {
            match fitting {
                Fitting::Fitting(fit) if are(fit.kinds(), own) => return Ok(Fitting::Fitting(fit)),
                Fitting::Looking { next, kinds } if next <= batches && are(&kinds, &self.view.widths) => {
                    return Ok(Fitting::Looking { next, kinds });
                }
                _ => {}
            }
        }
        let kept = (self.view.key.clone(), self.view.own.clone());
        for (key, range) in self.shared.iter().chain([&kept]) {
            if let Some(seen) = self.fits.seen(key, range.clone()).filter(|seen| are(seen, own)) {
                return Ok(Fitting::Fitting(Box::new(LinearFit::new(seen))));
            }
        }
        match self.fits.take(&self.view.key) {
            Some(Fitting::Looking { next, kinds }) if next <= batches && are(&kinds, &self.view.widths) => {
                return Ok(Fitting::Looking { next, kinds });
            }
            _ => {}
        }
        let features = self.view.widths.iter().map(|&width| Features::new(width, classes, room));
        let kinds = features
            .collect::<Result<_, _>>()
            .map_err(|_| InitError::Pictures(format!("no memory for the features of {room} pictures")))?;
        Ok(Fitting::Looking { next: 0, kinds })
    }

    /// Adds what some batches look like to the ancestor.
    async fn look(&self, looking: &mut Looking, some: &[Batch], features: &mut [Features]) -> Result<(), InitError> {
        let (device, crew) = (looking.pictures.device().clone(), looking.crew.as_ref());
        let model = match &mut looking.model {
            Some(model) => model,
            None => {
                let mut model = as_it_is(&self.open, &self.view.all).await?;
                read_as(&mut model, 0);
                looking.model.insert(Lent::new(model.into()))
            }
        };
        let failed = |error: TrainError| InitError::Pictures(error.to_string());
        let seen = model.features(some, &self.view.cuts, &device, crew).await.map_err(failed)?;
        for (Batch { labels, .. }, seen) in some.iter().zip(seen) {
            let mut rest = &seen[..];
            for features in features.iter_mut() {
                let Some((own, others)) = rest.split_at_checked(labels.len() * features.width()) else { break };
                features.push(own, labels);
                rest = others;
            }
            let judging = labels.len() as f64 * self.view.all.config().flops() as f64;
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
        let total = batches + LinearFit::fits(kinds(&self.config()).len());
        match self.fitting(batches)? {
            Fitting::Looking { next, kinds: mut features } if next < batches => {
                let batches = looking.batches(next).await.map_err(|error| InitError::Pictures(error.to_string()))?;
                let done = next + batches.len();
                let some: Vec<Batch> = batches.into_iter().flatten().collect();
                self.look(&mut looking, &some, &mut features).await?;
                self.fits.put_back(&self.view.key, Fitting::Looking { next: done, kinds: features });
                Ok(Some((done, total)))
            }
            Fitting::Looking { kinds, .. } => {
                // The model is not needed any more, and a tab has little room.
                looking.model = None;
                let own = match self.view.cuts.is_empty() {
                    true => kinds,
                    false => {
                        let own = kinds[self.view.own.clone()].to_vec();
                        self.fits.keep_seen(&self.view.key, kinds);
                        own
                    }
                };
                self.fits.put_back(&self.key, Fitting::Fitting(Box::new(LinearFit::new(own))));
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

/// A checksum of everything that the features of some pictures depend on.
fn key(
    workspace: &Workspace,
    split: &Split,
    pictures: &[Labelled],
    image_size: usize,
    cuts: &[usize],
) -> Result<String, EngineError> {
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
    cuts.iter().for_each(|&blocks| add("cut", blocks as u64));
    Ok(hex(&hash.finalize()))
}
