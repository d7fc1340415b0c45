//! The ancestor as it is, with a new linear classifier (docs/methods.md, section 5.5): what small models are measured by, and
//! the quickest way from pictures to a model. Each picture goes through it once.

use std::cell::RefCell;

use burn::module::Param;
use burn::nn::Linear;
use burn::tensor::{Tensor, TensorData};
use futures::lock::Mutex;
use heirloom_data::Split;
use heirloom_learngene::layers::{LayersPlan, WholeLayers, layer_names};
use heirloom_learngene::{Descendant, InitError, Initializer};
use heirloom_nn::device::read;
use heirloom_nn::model::{Model, ModelConfig};
use heirloom_nn::vit::{Hooks, Vit};
use heirloom_train::LinearHead;

use crate::error::EngineError;
use crate::plain_pictures::PlainPictures;
use crate::workspace::Workspace;

/// The frozen ancestor, whose classifier is fitted when it is first asked for.
pub struct FrozenStart {
    whole: WholeLayers,
    work: Mutex<Work>,
    head: RefCell<Option<LinearHead>>,
}

/// Features of the pictures seen so far.
struct Work {
    pictures: PlainPictures,
    next: usize,
    model: Option<Model>,
    features: Vec<f32>,
    labels: Vec<usize>,
}

impl FrozenStart {
    /// The open ancestor, for the classes and training pictures of a split.
    ///
    /// # Errors
    /// When there are no pictures, or they are no whole number of patches.
    pub fn new(workspace: &Workspace, split: &Split, classes: usize, image_size: usize) -> Result<Self, EngineError> {
        let ancestor = &workspace.ancestor()?.model;
        let plan = LayersPlan::whole(layer_names(&ancestor.config()).len());
        let whole = WholeLayers::new(ancestor.clone(), plan, classes, image_size)?;
        let pictures = PlainPictures::new(workspace, split, split.train.clone(), image_size)?;
        let work = Work { pictures, next: 0, model: None, features: Vec::new(), labels: Vec::new() };
        Ok(Self { whole, work: Mutex::new(work), head: RefCell::new(None) })
    }
}

impl Initializer for FrozenStart {
    fn config(&self) -> ModelConfig {
        self.whole.config()
    }

    async fn prepare(&self) -> Result<Option<(usize, usize)>, InitError> {
        if self.head.borrow().is_some() {
            return Ok(None);
        }
        let mut work = self.work.lock().await;
        let Work { pictures, next, model, features, labels } = &mut *work;
        let total = pictures.batches();
        let seen = match model {
            Some(model) => model,
            None => model.insert(self.whole.start(0).await?.fold()),
        };
        if *next < total {
            let batch = pictures.batch(*next).await.map_err(|error| InitError::Pictures(error.to_string()))?;
            if let Some((images, some)) = batch {
                features.extend(read(features_of(seen, images)).await?);
                labels.extend(some);
            }
            *next += 1;
            return Ok(Some((*next, total)));
        }
        let head = LinearHead::fit(features, labels, self.config().outputs());
        // Nothing of it is needed any more, and a tab has little room.
        (*features, *labels, *model) = (Vec::new(), Vec::new(), None);
        self.head.replace(Some(head));
        Ok(None)
    }

    async fn start(&self, seed: u64) -> Result<Descendant, InitError> {
        while self.prepare().await?.is_some() {}
        let mut model = self.whole.start(seed).await?.fold();
        if let Some(head) = &*self.head.borrow() {
            put_head(&mut model, head);
        }
        Ok(model.into())
    }

    async fn blank(&self, seed: u64) -> Result<Descendant, InitError> {
        Ok(self.whole.start(seed).await?.fold().into())
    }
}

/// What the classifiers of a model see, side by side: `[batch, width]`, or twice as wide for a distilled one.
fn features_of(model: &Model, images: Tensor<4>) -> Tensor<2> {
    match model {
        Model::Vit(vit) => {
            let features = vit.features(images, &mut Hooks::default());
            let pooled = vit.pooled(features.clone());
            match &vit.head_dist {
                Some(_) => Tensor::cat(vec![pooled, distilled(vit, features)], 1),
                None => pooled,
            }
        }
        Model::Cnn(cnn) => {
            let mut cnn = cnn.clone();
            cnn.fc = None;
            cnn.logits(images, &mut Default::default())
        }
        Model::Stitched(stitched) => stitched.logits(images, &mut Hooks::default()),
    }
}

/// The distillation token: `[batch, width]`.
fn distilled(vit: &Vit, features: Tensor<3>) -> Tensor<2> {
    let [batch, _, width] = features.dims();
    features.narrow(1, usize::from(vit.config.cls_token), 1).reshape([batch, width])
}

/// Gives a model the fitted classifier. Of a distilled one, which answers with the mean of two, each gets twice its part.
fn put_head(model: &mut Model, head: &LinearHead) {
    let classes = head.bias.len();
    let all = head.weight.len() / classes.max(1);
    let device = model.device();
    let part = |first: usize, width: usize, factor: f32| {
        // burn keeps `[width, classes]`.
        let turned = (0..width * classes).map(|at| factor * head.weight[at % classes * all + first + at / classes]);
        let bias = TensorData::new(head.bias.clone(), [classes]);
        Linear {
            weight: Param::from_data(TensorData::new(turned.collect::<Vec<f32>>(), [width, classes]), &device),
            bias: Some(Param::from_data(bias, &device)),
        }
    };
    match model {
        Model::Vit(vit) if vit.head_dist.is_some() => {
            vit.head = Some(part(0, all / 2, 2.0));
            vit.head_dist = Some(part(all / 2, all / 2, 2.0));
        }
        Model::Vit(vit) => vit.head = Some(part(0, all, 1.0)),
        Model::Cnn(cnn) => cnn.fc = Some(part(0, all, 1.0)),
        Model::Stitched(_) => {}
    }
}
