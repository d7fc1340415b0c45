//! Classifiers that a job has fitted to the ancestor as it is, and the fit under way: one for all races on the same
//! pictures, and kept with the job.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use burn::tensor::{Device, Tensor, TensorData};
use heirloom_plan::forecast::Work;
use heirloom_train::{DeviceTensor, Features, HostTensors, LinearFit, LinearHead, Rows, TrainError};

use crate::jobs::TensorSource;
use crate::saved::{SavedFeatures, SavedFits, SavedHead};

/// Features of a fit under way that are kept with a project, bytes; more of them are computed again after a reload.
const MOST_KEPT: usize = 64 << 20;

/// What of a fit is done.
pub enum Fitting {
    /// Pictures are being looked at; so many batches of them were.
    Looking { next: usize, kinds: Vec<Features> },
    /// The classifier is being fitted.
    Fitting(Box<LinearFit>),
}

impl Fitting {
    fn kinds(&self) -> &[Features] {
        match self {
            Self::Looking { kinds, .. } => kinds,
            Self::Fitting(fit) => fit.kinds(),
        }
    }
}

#[derive(Default)]
struct Inner {
    /// By what they are fitted to.
    heads: BTreeMap<String, Rc<LinearHead>>,
    under_way: Option<(String, Fitting)>,
    /// What pictures looked like at several depths, by what that depends on: classifiers are fitted one after the other.
    seen: Option<(String, Vec<Features>)>,
    spent: Work,
}

/// Fitted classifiers by the key of what they are fitted to; clones are the same ones.
#[derive(Clone, Default)]
pub struct Fits(Rc<RefCell<Inner>>);

impl Fits {
    /// The classifier of a key, once fitted.
    pub fn head(&self, key: &str) -> Option<Rc<LinearHead>> {
        self.0.borrow().heads.get(key).cloned()
    }

    /// Keeps a fitted classifier.
    pub fn insert(&self, key: &str, head: LinearHead) {
        self.0.borrow_mut().heads.insert(key.to_owned(), Rc::new(head));
    }

    /// Takes out the fit of this key that is under way.
    pub fn take(&self, key: &str) -> Option<Fitting> {
        let under_way = &mut self.0.borrow_mut().under_way;
        under_way.take_if(|(own, _)| own == key).map(|(_, fitting)| fitting)
    }

    /// Keeps what was seen at all depths, in place of what was kept before.
    pub fn keep_seen(&self, key: &str, features: Vec<Features>) {
        self.0.borrow_mut().seen = Some((key.to_owned(), features));
    }

    /// Some readings of what was seen.
    pub fn seen(&self, key: &str, readings: Range<usize>) -> Option<Vec<Features>> {
        let inner = self.0.borrow();
        let (_, features) = inner.seen.as_ref().filter(|(own, _)| own == key)?;
        features.get(readings).map(<[Features]>::to_vec)
    }

    /// Puts it back after a piece of work; one of another key is let go.
    pub fn put_back(&self, key: &str, fitting: Fitting) {
        self.0.borrow_mut().under_way = Some((key.to_owned(), fitting));
    }

    /// Notes work that was done.
    pub fn spend(&self, work: Work) {
        self.0.borrow_mut().spent += work;
    }

    /// The work since it was last asked for.
    pub fn take_spent(&self) -> Work {
        std::mem::take(&mut self.0.borrow_mut().spent)
    }

    /// Everything that is kept of it.
    pub fn save(&self, device: &Device) -> (SavedFits, Vec<DeviceTensor>) {
        let inner = self.0.borrow();
        let (mut saved, mut tensors) = (SavedFits::default(), Vec::new());
        let mut add = |name: String, values: &[f32], shape: [usize; 2]| {
            let data = TensorData::new(values.to_vec(), [values.len()]);
            let shape = shape.to_vec();
            tensors.push(DeviceTensor { name, shape, tensor: Tensor::from_data(data, device) });
        };
        for (at, (key, head)) in inner.heads.iter().enumerate() {
            let LinearHead { kind, weight, bias, penalty, held_out } = &**head;
            let classes = bias.len();
            add(format!("head.{at}.weight"), weight, [classes, weight.len() / classes.max(1)]);
            add(format!("head.{at}.bias"), bias, [1, classes]);
            saved.heads.push(SavedHead { key: key.clone(), kind: *kind, penalty: *penalty, held_out: *held_out });
        }
        let Some((key, fitting)) = &inner.under_way else { return (saved, tensors) };
        let kinds = fitting.kinds();
        let numbers = kinds.iter().flat_map(Features::parts).map(|part| part.values.len()).sum::<usize>();
        let (Some(first), true) = (kinds.first(), numbers <= MOST_KEPT / 4) else { return (saved, tensors) };
        // Those of several depths are of several widths, and seen again after a reload.
        if kinds.iter().any(|kind| kind.width() != first.width()) {
            return (saved, tensors);
        }
        for (at, kind) in kinds.iter().enumerate() {
            for (part, rows) in kind.parts().iter().enumerate().filter(|(_, rows)| !rows.labels.is_empty()) {
                add(format!("fit.{at}.{part}"), &rows.values, [rows.labels.len(), kind.width()]);
            }
        }
        saved.under_way = Some(SavedFeatures {
            key: key.clone(),
            next: if let Fitting::Looking { next, .. } = fitting { Some(*next) } else { None },
            width: first.width(),
            classes: first.classes(),
            labels: first.parts().iter().map(|part| part.labels.clone()).collect(),
            standards: kinds.iter().map(|kind| kind.standard().cloned()).collect(),
        });
        (saved, tensors)
    }

    /// What was kept. What does not fit together is left out, and fitted again.
    ///
    /// # Errors
    /// When the tensors cannot be read.
    pub async fn restore(saved: SavedFits, tensors: &mut dyn TensorSource) -> Result<Self, TrainError> {
        let mut inner = Inner::default();
        for (at, SavedHead { key, kind, penalty, held_out }) in saved.heads.into_iter().enumerate() {
            let mut found = tensors.read(&format!("head.{at}.")).await?;
            if let (Some(weight), Some(bias)) = (found.remove("weight"), found.remove("bias")) {
                let head = LinearHead { kind, weight: weight.values, bias: bias.values, penalty, held_out };
                inner.heads.insert(key, Rc::new(head));
            }
        }
        if let Some(features) = saved.under_way {
            let mut found = tensors.read("fit.").await?;
            inner.under_way = restored(features, &mut found);
        }
        Ok(Self(Rc::new(RefCell::new(inner))))
    }
}

fn restored(saved: SavedFeatures, tensors: &mut HostTensors) -> Option<(String, Fitting)> {
    let SavedFeatures { key, next, width, classes, labels, standards } = saved;
    let mut kinds = Vec::new();
    for (at, standard) in standards.into_iter().enumerate() {
        let mut part = |part: usize| {
            let values = tensors.remove(&format!("{at}.{part}")).map(|tensor| tensor.values).unwrap_or_default();
            Rows { values, labels: labels[part].clone() }
        };
        let parts = (0..labels.len()).map(&mut part).collect();
        kinds.push(Features::from_parts(width, classes, parts, standard)?);
    }
    let fitting = match next {
        Some(next) if kinds.iter().all(|kind| kind.standard().is_none()) => Fitting::Looking { next, kinds },
        None if !kinds.is_empty() => Fitting::Fitting(Box::new(LinearFit::new(kinds))),
        _ => return None,
    };
    Some((key, fitting))
}
