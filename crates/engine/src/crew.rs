//! Other threads of the CPU engine: what is asked of them, and what they answer.
//!
//! A helper holds the weights it was sent last and nothing else. One that dies or lags is replaced and its part computed
//! by whoever asked, with the same bits; after three losses the engine computes alone.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use burn::tensor::{Tensor, TensorData};
use futures::FutureExt;
use futures::future::{Either, LocalBoxFuture, select};
use heirloom_learngene::Descendant;
use heirloom_nn::device::cpu;
use heirloom_platform::clock::{now_ms, sleep};
use heirloom_platform::helper::{Helper, Message};
use heirloom_train::{Answer, Crew, Errand, Pass, Work, do_errand, with_weights};
use serde::{Deserialize, Serialize};

/// Helpers that may be lost before the engine goes on without any.
const MOST_LOST: usize = 2;
/// An answer is waited for this many times as long as the slowest one so far took, and never less than [`PATIENCE`].
const SLOWNESS: f64 = 8.0;
/// Shortest time after which a helper is given up, ms: its first pass compiles.
const PATIENCE: f64 = 20_000.0;

/// Threads that may compute; one unless it is set otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Cores(pub usize);

impl Default for Cores {
    fn default() -> Self {
        Self(1)
    }
}

/// The helpers of this engine.
#[derive(Clone, Debug, Default)]
pub struct Helpers {
    inner: Rc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    hands: RefCell<Vec<Hand>>,
    lost: Cell<usize>,
    /// Longest time that an answer took, ms.
    slowest: Cell<f64>,
}

#[derive(Debug)]
struct Hand {
    helper: Helper,
    /// Which weights it has.
    holds: Option<u64>,
}

impl Helpers {
    /// So many helpers from now on; they start in the background.
    pub fn set(&self, count: usize) {
        let mut hands = self.inner.hands.borrow_mut();
        hands.truncate(count);
        let missing = count - hands.len();
        hands.extend((0..missing).filter_map(|_| Helper::start(answer)).map(Hand::new));
    }

    /// How many there are, ready or not.
    pub fn count(&self) -> usize {
        self.inner.hands.borrow().len()
    }
}

impl Hand {
    fn new(helper: Helper) -> Self {
        Self { helper, holds: None }
    }
}

impl Inner {
    /// Puts another in the place of one that died or lagged.
    fn lose(&self, hand: usize) {
        self.lost.set(self.lost.get() + 1);
        let mut hands = self.hands.borrow_mut();
        if self.lost.get() > MOST_LOST {
            log::warn!("helpers died or lagged {} times; the engine computes without", self.lost.get());
            return hands.clear();
        }
        let Some(lost) = hands.get_mut(hand) else { return };
        if let Some(helper) = Helper::start(answer) {
            *lost = Hand::new(helper);
        }
    }
}

impl Crew for Helpers {
    fn hands(&self) -> usize {
        // Those behind one that is not ready are not asked either: hands are counted from the first.
        self.inner.hands.borrow().iter().take_while(|hand| hand.helper.is_ready()).count()
    }

    fn ask(&self, hand: usize, errand: Errand) -> LocalBoxFuture<'static, Option<Answer>> {
        let Errand { version, blueprint, weights, pixels, shape, work } = errand;
        let inner = self.inner.clone();
        let asked = {
            let mut hands = inner.hands.borrow_mut();
            let Some(Hand { helper, holds }) = hands.get_mut(hand) else { return async { None }.boxed_local() };
            let is_held = *holds == Some(version);
            *holds = Some(version);
            let weights: &[f32] = if is_held { &[] } else { &weights };
            let (work, targets, drop_path) = match work {
                Work::Features { cuts } => (Wanted::Features { cuts }, Vec::new(), Vec::new()),
                Work::Logits { parts } => (Wanted::Logits { parts }, Vec::new(), Vec::new()),
                Work::Pass(Pass { targets, drop_path, parts, whole, is_held }) => {
                    (Wanted::Pass { parts, whole, is_held }, targets, drop_path)
                }
            };
            let lengths = [weights.len(), pixels.len(), targets.len(), drop_path.len()];
            let head = Head { blueprint: blueprint.to_string(), is_held, lengths, shape, work };
            let Ok(head) = serde_json::to_string(&head) else { return async { None }.boxed_local() };
            helper.ask(&head, &[weights, &pixels, &targets, &drop_path])
        };
        async move {
            let start = now_ms();
            let patience = PATIENCE.max(SLOWNESS * inner.slowest.get());
            let answered = match select(Box::pin(asked), Box::pin(sleep(patience))).await {
                Either::Left((answered, _)) => answered,
                Either::Right(_) => None,
            };
            inner.slowest.set(inner.slowest.get().max(now_ms() - start));
            let answer = answered.and_then(|(head, values)| {
                let Answered { has_gradient, loss } = serde_json::from_str(&head).ok()?;
                Some(Answer { values, has_gradient, loss: loss.unwrap_or(f32::NAN) })
            });
            if answer.is_none() {
                inner.lose(hand);
            }
            answer
        }
        .boxed_local()
    }
}

/// What goes before the numbers: weights, pixels, targets, factors of drop-path.
#[derive(Serialize, Deserialize)]
struct Head {
    blueprint: String,
    /// Whether the weights are those of the errand before.
    is_held: bool,
    lengths: [usize; 4],
    shape: [usize; 4],
    work: Wanted,
}

#[derive(Serialize, Deserialize)]
enum Wanted {
    Pass { parts: Vec<usize>, whole: usize, is_held: bool },
    Logits { parts: Vec<usize> },
    Features { cuts: Vec<usize> },
}

#[derive(Serialize, Deserialize)]
struct Answered {
    has_gradient: Vec<bool>,
    /// `None` when it is no number, which JSON has not.
    loss: Option<f32>,
}

thread_local! {
    /// The architecture and the model of the errand before.
    static HELD: RefCell<Option<(String, Descendant)>> = const { RefCell::new(None) };
}

/// Does an errand on a helper's thread. What cannot be done is answered with an empty line, which counts as lost.
pub fn answer((head, numbers): Message) -> Message {
    // The CPU engine never waits for anything.
    match errand(&head, &numbers).now_or_never().flatten() {
        Some(Answer { values, has_gradient, loss }) => {
            let head = Answered { has_gradient, loss: loss.is_finite().then_some(loss) };
            (serde_json::to_string(&head).unwrap_or_default(), values)
        }
        None => Message::default(),
    }
}

async fn errand(head: &str, mut numbers: &[f32]) -> Option<Answer> {
    let Head { blueprint, is_held, lengths, shape, work } = serde_json::from_str(head).ok()?;
    let device = cpu();
    let mut take = |length: usize| {
        let (first, rest) = numbers.split_at_checked(length)?;
        numbers = rest;
        Some(first)
    };
    let [weights, pixels, targets, drop_path] = lengths.map(&mut take);
    let (weights, pixels) = (weights?, pixels?);
    let held = HELD.take();
    let model = match held {
        Some((known, model)) if known == blueprint => model,
        _ => Descendant::of_blueprint(&blueprint, &device).await.ok()?,
    };
    let model = if is_held { model } else { with_weights(model, weights).ok()? };
    HELD.set(Some((blueprint, model.clone())));
    if pixels.len() != shape.iter().product::<usize>() {
        return None;
    }
    let images = Tensor::from_data(TensorData::new(pixels.to_vec(), shape), &device);
    let work = match work {
        Wanted::Logits { parts } => Work::Logits { parts },
        Wanted::Features { cuts } => Work::Features { cuts },
        Wanted::Pass { parts, whole, is_held } => {
            let (targets, drop_path) = (targets?.to_vec(), drop_path?.to_vec());
            Work::Pass(Pass { targets, drop_path, parts, whole, is_held })
        }
    };
    do_errand(model, images, &work).await.ok()
}
