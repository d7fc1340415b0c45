//! What is run: profiles, picture sets, and the units of work they make.
//!
//! A unit is one command with one seed, so that little is lost when the work is broken off.

use heirloom_plan::protocol::Engine;
use heirloom_plan::protocol::statistics::SEEDS_NEEDED;
use std::path::Path;

/// How a descendant inherits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// Whole layers, chosen by similarity (Learngene).
    Layers,
    /// Clusters of heads (Cluster-Learngene).
    Cluster,
    /// A pool of small models against SN-Net (Learngene Pool).
    Pool,
}

impl Method {
    /// Its name in units and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Layers => "learngene",
            Self::Cluster => "cluster",
            Self::Pool => "pool",
        }
    }

    /// Its name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Layers => "Learngene",
            Self::Cluster => "Cluster-Learngene",
            Self::Pool => "Learngene Pool",
        }
    }

    /// The command that runs it.
    pub fn program(self) -> &'static str {
        match self {
            Self::Layers => "layers",
            Self::Cluster => "race",
            Self::Pool => "pool",
        }
    }
}

/// Pictures, and the ancestor that is tried on them.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    /// Short name, the same in units and files.
    pub name: String,
    /// What the ancestor is.
    pub ancestor: &'static str,
    /// Where it lies, from the checkout.
    pub model: String,
    /// Where the pictures lie, from the checkout.
    pub pictures: String,
    /// What they are.
    pub about: &'static str,
    /// Methods that are tried.
    pub methods: &'static [Method],
    /// Side of the pictures, px.
    pub size: usize,
    /// Tokens of a picture; `None` for a CNN.
    pub tokens: Option<usize>,
    /// Heads per layer of a descendant of clusters.
    pub heads: usize,
    /// Layers of the descendants.
    pub layers: usize,
    /// Layers that Learngene inherits; random ones lie on top.
    pub inherited: usize,
    /// Layers of the pseudo descendant (blocks of a stage of a CNN).
    pub pseudo: usize,
    /// Peak learning rate.
    pub lr: f64,
    /// Widths of the auxiliary models of a pool.
    pub widths: [usize; 2],
}

/// How much is run.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// `cpu` or `full`.
    pub name: &'static str,
    /// Seeds, from 1 on.
    pub seeds: u64,
    /// Optimiser steps of every run.
    pub steps: usize,
    /// Steps between measured points.
    pub every: usize,
    /// Pictures per step.
    pub batch: usize,
    /// Steps in which a pool's head is fitted, each auxiliary model distilled, and the net fine-tuned.
    pub pool_steps: [usize; 3],
    /// Blocks of the auxiliary models.
    pub blocks: usize,
    /// Where it is tried.
    pub worlds: Vec<World>,
    /// Where it is computed.
    pub engine: Engine,
}

/// Arms of the race that all others are read against.
pub const ARMS: [&str; 6] = ["inherited", "scratch", "first", "last", "random", "whole"];
/// Arms that Cluster-Learngene is compared with besides.
pub const MORE_ARMS: [&str; 2] = ["selection", "line"];
/// Arms of the races with fewer pictures or other learning rates.
pub const FEW_ARMS: [&str; 4] = ["inherited", "scratch", "first", "whole"];
/// Shares of the training pictures, per cent.
pub const SHARES: [usize; 3] = [10, 25, 100];
/// Factors of the learning rate.
pub const RATES: [f64; 3] = [0.3, 1.0, 3.0];

/// Ancestor of the CPU profile.
const CLASSROOM: &str = "static/ancestors/classroom.safetensors";
const ALL: &[Method] = &[Method::Layers, Method::Cluster, Method::Pool];

/// How a pool's small models listen to the ancestor, and how its stitch layers begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PoolKind {
    /// One basis for all.
    #[default]
    Shared,
    /// Learned maps, from which the stitch layers begin, as published.
    Published,
    /// Learned maps; the stitch layers begin by least squares, as SN-Net's do.
    Fitted,
}

impl PoolKind {
    const ALL: [Self; 3] = [Self::Shared, Self::Published, Self::Fitted];

    /// What its units are called by.
    fn name(self) -> &'static str {
        match self {
            Self::Shared => "shared-basis",
            Self::Published => "published",
            Self::Fitted => "least-squares",
        }
    }

    /// Its options. The baseline stands beside the first.
    fn options(self) -> &'static [&'static str] {
        match self {
            Self::Shared => &["--sn-net"],
            Self::Published => &["--basis", "learned"],
            Self::Fitted => &["--basis", "learned", "--start", "least-squares"],
        }
    }
}

/// What one unit varies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setting {
    /// The method.
    pub method: Method,
    /// Index of its world.
    pub world: usize,
    /// Share of the training pictures, per cent.
    pub share: usize,
    /// Factor of the learning rate.
    pub rate: f64,
    /// How a pool is made.
    pub pool: PoolKind,
    /// The seed.
    pub seed: u64,
}

/// One piece of work.
#[derive(Clone, Debug, PartialEq)]
pub struct Unit {
    /// What it varies.
    pub setting: Setting,
    /// A path-like name to select it by.
    pub id: String,
    /// The command.
    pub program: &'static str,
    /// Its arguments; files first.
    pub arguments: Vec<String>,
    /// How much it is, in any unit.
    pub work: f64,
}

impl Unit {
    /// The command as one would type it in the checkout.
    pub fn command(&self) -> String {
        let features =
            if self.arguments.iter().any(|argument| argument == "webgpu") { " --features webgpu" } else { "" };
        format!("cargo run --locked -p heirloom-cli{features} -- {} {}", self.program, self.arguments.join(" "))
    }

    /// The files it reads.
    pub fn inputs(&self) -> &[String] {
        &self.arguments[..2]
    }
}

fn classroom(name: &str, about: &'static str) -> World {
    World {
        name: name.to_owned(),
        ancestor: "classroom ViT, 7 layers, 6 heads, width 192, learned on CIFAR-10 (shipped)",
        model: CLASSROOM.to_owned(),
        pictures: format!("static/samples/{name}.zip"),
        about,
        methods: ALL,
        size: 32,
        tokens: Some(17),
        heads: 6,
        layers: 4,
        inherited: 3,
        pseudo: 3,
        lr: 5e-4,
        widths: [64, 128],
    }
}

fn shipped() -> [World; 2] {
    [
        classroom("doodles", "Quick, Draw! drawings, 5 classes (shipped)"),
        classroom("clothes", "Fashion-MNIST, 5 classes (shipped)"),
    ]
}

/// Two sets that everybody has, 17 tokens, 4 layers: 27 minutes of one core with AVX-512 for each seed.
pub fn cpu() -> Profile {
    Profile {
        name: "cpu",
        seeds: SEEDS_NEEDED as u64,
        steps: 180,
        every: 10,
        batch: 16,
        pool_steps: [150, 200, 200],
        blocks: 6,
        worlds: shipped().into(),
        engine: Engine::Cpu,
    }
}

/// More of everything: 65 tokens, 6 layers, and what lies in a folder of models and pictures.
pub fn full(root: &Path, data: &str) -> Profile {
    let larger = |world: World| World { size: 64, tokens: Some(65), layers: 6, inherited: 4, ..world };
    let mut worlds: Vec<World> = shipped().map(larger).into();
    let pictures = [("flowers5", "photographs of flowers, 5 classes"), ("cifar10", "CIFAR-10, 10 classes, a sample")];
    for (name, about) in pictures {
        worlds.push(World {
            name: format!("vit-s14-{name}"),
            ancestor: "ViT-S/14, 12 layers, 6 heads, width 384",
            model: format!("{data}/models/vit_s14_224_hf"),
            pictures: format!("{data}/pictures/{name}"),
            about,
            size: 112,
            // Its LayerScale is folded in: larger rates overwrite the small weights before they are used.
            lr: 1e-4,
            widths: [96, 192],
            ..larger(classroom(name, about))
        });
        let cnns = [
            ("resnet56", "ResNet-56 of CIFAR-10, 3 stages", "resnet56_cifar10.safetensors", 3, 2),
            ("vgg16", "VGG16-BN of CIFAR-10, 5 stages", "vgg16_cifar10_fp16.safetensors", 5, 3),
        ];
        worlds.extend(cnns.map(|(short, ancestor, file, layers, inherited)| World {
            name: format!("{short}-{name}"),
            ancestor,
            model: format!("{data}/models/{file}"),
            pictures: format!("{data}/pictures/{name}"),
            methods: &[Method::Layers],
            tokens: None,
            layers,
            inherited,
            pseudo: 1,
            ..classroom(name, about)
        }));
    }
    worlds.retain(|world| [&world.model, &world.pictures].iter().all(|path| root.join(path).exists()));
    Profile { name: "full", steps: 400, every: 20, batch: 32, pool_steps: [300, 500, 500], worlds, ..cpu() }
}

impl Profile {
    /// All units, one seed after the other and the most telling first, so that an early end leaves whole tables.
    pub fn units(&self) -> Vec<Unit> {
        (1..=self.seeds).flat_map(|seed| self.settings(seed)).map(|setting| self.unit(setting)).collect()
    }

    fn settings(&self, seed: u64) -> Vec<Setting> {
        let tried = |method: Method| {
            let worlds = self.worlds.iter().enumerate();
            worlds.filter(move |(_, world)| world.methods.contains(&method)).map(|(at, _)| at)
        };
        let mut all = Vec::new();
        let mut add = |method: Method, share: usize, rate: f64, pool: PoolKind| {
            all.extend(tried(method).map(|world| Setting { method, world, share, rate, pool, seed }));
        };
        for (share, rate) in [(100, 1.0), (25, 1.0), (10, 1.0), (100, RATES[0]), (100, RATES[2])] {
            add(Method::Layers, share, rate, PoolKind::default());
            add(Method::Cluster, share, rate, PoolKind::default());
            if (share, rate) == (100, 1.0) {
                PoolKind::ALL.into_iter().for_each(|pool| add(Method::Pool, share, rate, pool));
            }
        }
        all
    }

    fn unit(&self, setting: Setting) -> Unit {
        let Setting { method, world, share, rate, pool, seed } = setting;
        let world = &self.worlds[world];
        let id = match method {
            Method::Pool => format!("pool/{}/{}/seed-{seed}", world.name, pool.name()),
            _ => format!("{}/{}/share-{share}/rate-{rate}/seed-{seed}", method.name(), world.name),
        };
        let mut arguments = vec![world.model.clone(), world.pictures.clone()];
        let options = if method == Method::Pool { self.pool(world) } else { self.race(world, setting) };
        arguments.extend(options.into_iter().flat_map(|(name, value)| [format!("--{name}"), value]));
        if method == Method::Pool {
            arguments.extend(pool.options().iter().map(|option| (*option).to_owned()));
        }
        if self.engine == Engine::WebGpu {
            arguments.extend(["--engine", "webgpu"].map(String::from));
        }
        arguments.extend(["--seeds", "1", "--first-seed"].map(String::from));
        arguments.extend([seed.to_string(), "--json".to_owned()]);
        let nets = if pool == PoolKind::Shared { 2 } else { 1 };
        let runs = if method == Method::Pool { nets * self.pool_steps.iter().sum::<usize>() } else { self.steps };
        let arms = if method == Method::Pool { 1 } else { arms(&setting).len() };
        let tokens = world.tokens.unwrap_or(world.size) * world.layers;
        Unit { setting, id, program: method.program(), arguments, work: (runs * arms * tokens) as f64 }
    }

    fn race(&self, world: &World, setting: Setting) -> Vec<(&'static str, String)> {
        let lr = world.lr * setting.rate;
        let mut options = vec![
            ("arms", arms(&setting).join(",")),
            ("size", world.size.to_string()),
            ("layers", world.layers.to_string()),
            ("steps", self.steps.to_string()),
            ("batch", self.batch.to_string()),
            ("lr", format!("{:e}", (lr * 1e8).round() / 1e8)),
            ("share", (setting.share as f64 / 100.0).to_string()),
        ];
        if setting.method == Method::Layers {
            let own = [("k", world.inherited), ("pseudo-layers", world.pseudo), ("every", self.every)];
            options.extend(own.map(|(name, value)| (name, value.to_string())));
        } else {
            let own = [("heads", world.heads), ("warmup", self.steps / 10), ("validate-every", self.every)];
            options.extend(own.map(|(name, value)| (name, value.to_string())));
        }
        options
    }

    fn pool(&self, world: &World) -> Vec<(&'static str, String)> {
        let [head, distil, tune] = self.pool_steps.map(|steps| steps.to_string());
        vec![
            ("blocks", self.blocks.to_string()),
            ("widths", world.widths.map(|width| width.to_string()).join(",")),
            ("size", world.size.to_string()),
            ("batch", (2 * self.batch).to_string()),
            ("head-steps", head),
            ("distil-steps", distil),
            ("pool-steps", tune),
        ]
    }
}

/// Arms of a race.
pub fn arms(setting: &Setting) -> Vec<&'static str> {
    match (setting.method, setting.share == 100 && setting.rate == 1.0) {
        (_, false) => FEW_ARMS.to_vec(),
        (Method::Cluster, true) => ARMS.into_iter().chain(MORE_ARMS).collect(),
        (_, true) => ARMS.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Method, cpu, full};
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn every_unit_is_another_command_on_files_that_everybody_has() {
        let units = cpu().units();
        let commands: BTreeSet<String> = units.iter().map(super::Unit::command).collect();
        let ids: BTreeSet<&str> = units.iter().map(|unit| &*unit.id).collect();
        assert_eq!((commands.len(), ids.len()), (units.len(), units.len()));
        // Two sets and five seeds: two methods under five settings, and three kinds of pools.
        assert_eq!(units.len(), 2 * 5 * (2 * 5 + 3));
        assert!(units.iter().all(|unit| unit.inputs().iter().all(|path| path.starts_with("static/"))));
        assert!(units.iter().all(|unit| unit.arguments.ends_with(&["--json".to_owned()])));
    }

    #[test]
    fn all_of_a_seed_comes_before_the_next() {
        let seeds: Vec<u64> = cpu().units().iter().map(|unit| unit.setting.seed).collect();
        assert!(seeds.is_sorted());
    }

    #[test]
    fn rates_are_written_without_dust() {
        let units = cpu().units();
        let rate = |id: &str| {
            let unit = units.iter().find(|unit| unit.id == id).unwrap();
            let at = unit.arguments.iter().position(|argument| argument == "--lr").unwrap();
            unit.arguments[at + 1].clone()
        };
        assert_eq!(rate("cluster/doodles/share-100/rate-0.3/seed-1"), "1.5e-4");
        assert_eq!(rate("cluster/doodles/share-100/rate-3/seed-1"), "1.5e-3");
        assert_eq!(rate("learngene/clothes/share-10/rate-1/seed-2"), "5e-4");
    }

    #[test]
    fn the_full_profile_leaves_out_what_is_not_there() {
        assert!(full(Path::new("no/such/checkout"), "data").units().is_empty());
        assert!(cpu().worlds.iter().all(|world| world.methods.contains(&Method::Pool)));
    }
}
