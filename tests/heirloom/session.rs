//! The engine as the page drives it: commands in, events out, on a tiny ancestor and painted pictures.
#[cfg(not(target_arch = "wasm32"))]
mod brought;
mod cnn;
#[cfg(not(target_arch = "wasm32"))]
mod crew;
#[cfg(not(target_arch = "wasm32"))]
mod odd_pictures;
pub mod pool;
mod survival;
pub mod tied;
pub mod trial;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use burn::tensor::Device;
use heirloom_checkpoint::{Description, write_safetensors};
use heirloom_nn::vit::{HostTensor, Pool, RandomWeights, VitConfig};
use heirloom_plan::protocol::*;
use heirloom_platform::file::FileHandle;
use heirloom_platform::image::{RgbImage8, encode_jpeg};

use crate::support::assert_close;

mod condense;
mod yardstick;

/// 17 tokens, width 32: software WebGPU can carry it.
pub fn config() -> VitConfig {
    VitConfig {
        image_size: 32,
        patch_size: 8,
        channels: 3,
        embed_dim: 32,
        depth: 2,
        num_heads: 4,
        head_dim: 8,
        mlp_dim: 64,
        qkv_bias: true,
        qk_norm: false,
        layer_scale: false,
        cls_token: true,
        distilled: false,
        register_tokens: 0,
        pos_embed_prefix: true,
        pool: Pool::Cls,
        options: Default::default(),
        norm_eps: 1e-6,
        classes: None,
    }
}

pub fn ancestor() -> FileHandle {
    let random = RandomWeights { seed: 1 };
    let tensors = config().tensors().into_iter().map(|(key, shape)| {
        // Larger than a fresh start, so that heads differ.
        let values = random.values(&key, shape.iter().product()).into_iter();
        let values = if key.contains("qkv.weight") { values.map(|v| 20.0 * v).collect() } else { values.collect() };
        (key, HostTensor { shape, values })
    });
    let description = Description { config: config().into(), labels: None, preprocessing: None };
    FileHandle::from_bytes("ancestor.safetensors", write_safetensors(tensors, &description))
}

/// Pictures of two classes that a colour tells apart.
pub fn pictures(per_class: usize) -> Vec<FileHandle> {
    let picture = |class: usize, i: usize| {
        let colour = if class == 0 { [220, 40, 40] } else { [40, 60, 220] };
        let data =
            (0..40 * 36).flat_map(|p| colour.map(|c: u8| c.saturating_add(((p * 7 + i * 13) % 31) as u8))).collect();
        let bytes = encode_jpeg(&RgbImage8 { width: 40, height: 36, data }, 90).unwrap();
        FileHandle::from_bytes(format!("pictures/{}/{i}.jpg", ["red", "blue"][class]), bytes)
    };
    (0..2).flat_map(|class| (0..per_class).map(move |i| (class, i))).map(|(class, i)| picture(class, i)).collect()
}

pub fn refs(files: &[FileHandle]) -> Vec<FileRef> {
    let file = |(index, file): (usize, &FileHandle)| FileRef { index, path: file.path().into(), size: file.len() };
    files.iter().enumerate().map(file).collect()
}

mod experiments;

pub type Heard = Rc<RefCell<Vec<(Event, Option<Vec<u8>>)>>>;

/// An engine on this platform's device, and everything it says.
pub struct TestEngine {
    pub inner: heirloom_engine::Engine,
    pub heard: Heard,
}

impl TestEngine {
    pub async fn start() -> Self {
        let heard = Heard::default();
        let ears = heard.clone();
        let outlet = Box::new(move |said: Said, bytes| ears.borrow_mut().push((said.event, bytes)));
        let mut engine = Self { inner: heirloom_engine::Engine::new(outlet, Rc::new(Cell::new(false))), heard };
        let kind = if cfg!(target_arch = "wasm32") { Engine::WebGpu } else { Engine::Cpu };
        engine.send(Command::Start { engine: Some(kind) }, Vec::new()).await;
        engine
    }

    /// Sends a command and works until nothing is left to do; returns what was said.
    pub async fn send(&mut self, command: Command, files: Vec<FileHandle>) -> Vec<(Event, Option<Vec<u8>>)> {
        self.heard.borrow_mut().clear();
        self.inner.handle(command, files).await;
        while self.inner.work().await {}
        self.heard.borrow().clone()
    }

    pub async fn open(&mut self, file: FileHandle) -> Vec<(Event, Option<Vec<u8>>)> {
        let files = vec![file];
        self.send(Command::OpenAncestor { files: refs(&files) }, files).await
    }

    async fn with_everything_measured() -> Self {
        let mut engine = Self::start().await;
        engine.open(ancestor()).await;
        let files = pictures(5);
        engine.send(Command::AddPictures { files: refs(&files), class: None }, files).await;
        engine.send(Command::MeasureHeads(MeasureSettings { pictures: 2, renormalise: false }), Vec::new()).await;
        engine
    }
}

pub fn find<T>(heard: &[(Event, Option<Vec<u8>>)], pick: impl Fn(&Event) -> Option<T>) -> Option<T> {
    heard.iter().rev().find_map(|(event, _)| pick(event))
}

pub fn error(heard: &[(Event, Option<Vec<u8>>)]) -> Option<String> {
    find(heard, |event| match event {
        Event::Notice(Notice { level: NoticeLevel::Error, text, .. }) => Some(text.clone()),
        _ => None,
    })
}

pub fn descendant() -> DescendantSettings {
    DescendantSettings {
        heads: 3,
        layers: 2,
        image_size: 32,
        depth: DepthChoice::First,
        copy_scale: CopyScale::Share,
        compensate: false,
        ffn_maps: true,
    }
}

pub fn training() -> TrainSettings {
    TrainSettings {
        cut: 0,
        descendant: descendant().into(),
        arms: vec![Init::Inherited, Init::Scratch],
        seeds: 1,
        first_seed: 1,
        steps: if cfg!(target_arch = "wasm32") { 2 } else { 30 },
        batch: 4,
        lr: 3e-3.into(),
        warmup_steps: 2,
        weight_decay: 0.05,
        label_smoothing: 0.1,
        drop_path: 0.0,
        clip_norm: 1.0,
        augment: true,
        validate_every: 0,
        share: 1.0,
        is_interleaved: true,
        micro_batch: 0,
    }
}

on_every_engine! {
    async fn engine_goes_from_a_checkpoint_to_an_exported_descendant_that_opens_again(_device: Device) {
        let mut engine = TestEngine::with_everything_measured().await;
        let heard = engine.send(Command::PlanDescendant(descendant().into()), Vec::new()).await;
        let plan = find(&heard, |event| if let Event::Descendant(plan) = event { Some(plan.clone()) } else { None }).unwrap();
        let DescendantParts::Heads { sources, .. } = plan.parts else { panic!("no heads: {:?}", plan.parts) };
        assert_eq!(sources.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3]);

        let heard = engine.send(Command::Train(training()), Vec::new()).await;
        assert_eq!(error(&heard), None);
        let race = find(&heard, |event| if let Event::Race(race) = event { Some(race.clone()) } else { None }).unwrap();
        assert_eq!(race.state, RaceState::Finished);
        assert_eq!(race.runs.len(), 2);
        for run in &race.runs {
            assert_eq!(run.step, training().steps);
            assert!(run.points.iter().all(|point| point.validation_loss.is_finite()));
            #[cfg(not(target_arch = "wasm32"))]
            assert!(run.points.last().unwrap().validation_accuracy > 0.9, "red and blue must be told apart: {run:?}");
        }

        let heard = engine.send(Command::Confusion { run: Some(0) }, Vec::new()).await;
        let confusion = find(&heard, |event| if let Event::Confusion(all) = event { Some(all.clone()) } else { None }).unwrap();
        assert_eq!(confusion.counts.iter().flatten().sum::<usize>(), 2);

        let heard = engine.send(Command::ExportSafetensors { run: Some(0) }, Vec::new()).await;
        let (name, bytes) = heard.iter().find_map(|(event, bytes)| match event {
            Event::File { name, .. } => Some((name.clone(), bytes.clone().unwrap())),
            _ => None,
        }).unwrap();
        let picture = pictures(1).remove(0);
        let files = vec![picture];
        let heard = engine.send(Command::Predict { run: Some(0), files: refs(&files) }, files).await;
        let before = find(&heard, |event| if let Event::Prediction(p) = event { Some(p.clone()) } else { None }).unwrap();
        let total: f32 = before.classes.iter().map(|(_, share)| share).sum();
        assert!((total - 1.0).abs() < 1e-4, "shares sum to {total}");

        let heard = engine.open(FileHandle::from_bytes(name, bytes)).await;
        let again = find(&heard, |event| if let Event::Ancestor(again) = event { Some(again.clone()) } else { None }).unwrap();
        let vit = again.config.vit().unwrap();
        assert_eq!((vit.num_heads, vit.depth, vit.head_dim, vit.classes), (3, 2, 8, Some(2)));
        assert!(again.missing.is_empty() && again.unexpected.is_empty());
    }

    async fn moving_the_slider_clusters_again_and_plans_again(_device: Device) {
        let mut engine = TestEngine::with_everything_measured().await;
        engine.send(Command::PlanDescendant(descendant().into()), Vec::new()).await;
        let clusters = |eps| ClusterSettings { eps, eps_ffn: eps, ..ClusterSettings::for_image_size(32) };
        for (eps, kept) in [(0.0, 8), (100.0, 2)] {
            let heard = engine.send(Command::SetClusters(clusters(eps)), Vec::new()).await;
            let report = find(&heard, |event| if let Event::Clusters(report) = event { Some(report.clone()) } else { None });
            assert_eq!(report.unwrap().kept_heads, kept);
            assert!(find(&heard, |event| matches!(event, Event::Descendant(_)).then_some(())).is_some());
        }
    }

    async fn attention_of_a_head_is_a_share_of_every_patch(_device: Device) {
        let mut engine = TestEngine::with_everything_measured().await;
        let map = attention(&mut engine, None).await.unwrap();
        assert_eq!((map.received.len(), map.from_cls.len(), map.from_patch.len(), map.patch), (16, 16, 16, 2 * 4 + 2));
        let sum: f32 = map.received.iter().sum();
        assert!(sum > 0.5 && sum <= 1.0, "attention to patches sums to {sum}");
    }

    async fn attention_of_all_patches_makes_up_the_mean_and_the_heads_distance(_device: Device) {
        let mut engine = TestEngine::with_everything_measured().await;
        let heard = engine.send(Command::MeasureHeads(MeasureSettings { pictures: 1, renormalise: false }), Vec::new()).await;
        let heads = find(&heard, |event| if let Event::Heads(heads) = event { Some(heads.clone()) } else { None }).unwrap();
        let mut maps = Vec::new();
        for patch in 0..16 {
            maps.push(attention(&mut engine, Some(patch)).await.unwrap());
        }
        assert!(maps.iter().enumerate().all(|(patch, map)| map.patch == patch));
        let mean = |value: &dyn Fn(&AttentionMap) -> f32| maps.iter().map(value).sum::<f32>() / 16.0;
        let received: Vec<f32> = (0..16).map(|to| mean(&|map| map.from_patch[to])).collect();
        assert_close(&received, &maps[0].received, 1e-5);
        assert_close(&[mean(&|map| map.patch_distance)], &[heads.distance[1][2]], 1e-4);
        assert!(attention(&mut engine, Some(16)).await.is_err_and(|said| said.contains("no such head, picture or patch")));
    }
}

/// Attention of a head of the second layer, or what is said instead.
async fn attention(engine: &mut TestEngine, patch: Option<usize>) -> Result<AttentionMap, String> {
    let heard = engine.send(Command::ShowAttention { layer: 1, head: 2, picture: 0, patch }, Vec::new()).await;
    let map = find(&heard, |event| if let Event::Attention(map) = event { Some(map.clone()) } else { None });
    map.ok_or_else(|| error(&heard).unwrap_or_default())
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn every_refusal_is_a_sentence_and_keeps_what_was_there() {
    pollster::block_on(async {
        let mut engine = TestEngine::start().await;
        let no_ancestor = "No ancestor is open yet; open a checkpoint first.";
        let attention = Command::ShowAttention { layer: 0, head: 0, picture: 0, patch: None };
        for (command, sentence) in [
            (Command::MeasureHeads(MeasureSettings::default()), no_ancestor),
            (Command::PlanDescendant(descendant().into()), no_ancestor),
            (Command::Train(training()), no_ancestor),
            (Command::Confusion { run: Some(0) }, "There is no trained descendant yet; train one first."),
            (Command::ExportSafetensors { run: None }, "No descendant is planned yet; plan one first."),
            (Command::ExportCurves, "There are no curves yet; train first."),
            (attention, "No heads are measured yet; measure them first."),
        ] {
            let heard = engine.send(command.clone(), Vec::new()).await;
            assert_eq!(error(&heard).as_deref(), Some(sentence), "{command:?}");
        }
        engine.open(ancestor()).await;
        let heard = engine.open(FileHandle::from_bytes("note.safetensors", &b"<!doctype html>"[..])).await;
        let said = error(&heard).unwrap();
        assert!(said.starts_with("`note.safetensors` is a web page (HTML) saved in place of the file"), "{said}");
        let files = pictures(3);
        engine.send(Command::AddPictures { files: refs(&files), class: None }, files).await;
        let heard = engine.send(Command::MeasureHeads(MeasureSettings::default()), Vec::new()).await;
        assert!(find(&heard, |event| matches!(event, Event::Heads(_)).then_some(())).is_some(), "the ancestor is gone");
    });
}
