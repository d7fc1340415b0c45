//! What the units' results say, put together: curves of runs, what is stored, and pools.

use super::findings::{BySeed, values};
use super::plan::{Method, PoolKind, Setting, Unit};
use crate::reports::{ClusterRace, Configuration, LayersRace, LayersReport, Net, Pictures, Point, Run};
use heirloom_plan::protocol::Init;
use heirloom_plan::protocol::statistics::{Range, Spread, steps_to_accuracy};
use serde_json::Value;

impl Run {
    /// Accuracy at the end; 0 for a run that diverged.
    pub fn last(&self) -> f64 {
        if self.failure.is_some() { 0.0 } else { self.points.last().map_or(0.0, Point::right) }
    }
}

impl Net {
    /// Mean accuracy over all configurations.
    pub fn mean_accuracy(&self) -> f64 {
        self.configurations.iter().map(|one| one.accuracy).sum::<f64>() / self.configurations.len().max(1) as f64
    }

    /// SN-Net on the same pictures, where it was made.
    fn baseline(&self) -> Option<&Self> {
        self.sn_net.as_deref()
    }

    /// The configuration of the fewest parameters.
    pub fn smallest(&self) -> Option<&Configuration> {
        self.configurations.iter().min_by_key(|one| one.parameters)
    }

    /// The configuration of the most parameters.
    pub fn largest(&self) -> Option<&Configuration> {
        self.configurations.iter().max_by_key(|one| one.parameters)
    }
}

/// Which net.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetKind {
    /// A pool.
    Pool(PoolKind),
    /// SN-Net.
    SnNet,
}

impl NetKind {
    /// All of them, with their names for people.
    pub const NAMED: [(&str, Self); 4] = [
        ("pool, shared basis", Self::Pool(PoolKind::Shared)),
        ("pool, as published", Self::Pool(PoolKind::Published)),
        ("pool, least squares", Self::Pool(PoolKind::Fitted)),
        ("SN-Net", Self::SnNet),
    ];
}

/// Everything that was run.
#[derive(Default)]
pub struct Results {
    races: Vec<(Setting, LayersReport)>,
    nets: Vec<(Setting, Net)>,
}

/// A race: method, world, share, rate.
pub type Place = (Method, usize, usize, f64);

impl Results {
    /// Of units with their results. One that cannot be read is said to be and left out.
    pub fn of<'a>(results: impl IntoIterator<Item = (&'a Unit, &'a Value)>) -> Self {
        let mut all = Self::default();
        for (unit, printed) in results {
            if let Err(error) = all.add(unit.setting, printed.clone()) {
                eprintln!("{}: its result cannot be read ({error}); delete it and run the unit again", unit.id);
            }
        }
        all
    }

    fn add(&mut self, setting: Setting, printed: Value) -> serde_json::Result<()> {
        match setting.method {
            Method::Layers => self.races.push((setting, serde_json::from_value(printed)?)),
            Method::Cluster => self.races.push((setting, serde_json::from_value::<ClusterRace>(printed)?.into())),
            Method::Pool => self.nets.push((setting, serde_json::from_value(printed)?)),
        }
        Ok(())
    }

    fn reports(&self, place: Place) -> impl Iterator<Item = &LayersReport> {
        let is_there = move |one: &Setting| (one.method, one.world, one.share, one.rate) == place;
        self.races.iter().filter(move |(setting, _)| is_there(setting)).map(|(_, report)| report)
    }

    fn at(&self, place: Place) -> impl Iterator<Item = &LayersRace> {
        self.reports(place).filter_map(|report| report.races.first())
    }

    /// Runs of a start, one per seed.
    pub fn runs(&self, place: Place, arm: &str) -> Vec<&Run> {
        self.at(place).flat_map(|race| &race.runs).filter(|run| run.arm.name() == arm).collect()
    }

    /// Accuracies at the end, one per seed.
    pub fn last(&self, place: Place, arm: &str) -> Vec<f64> {
        values(&self.ends(place, arm))
    }

    /// The same with their seeds.
    pub fn ends(&self, place: Place, arm: &str) -> BySeed {
        self.runs(place, arm).into_iter().map(|run| (run.seed, run.last())).collect()
    }

    /// The curve of a start over the seeds; only steps that all seeds have.
    pub fn curve(&self, place: Place, arm: &str) -> Vec<Spread> {
        let runs: Vec<&Run> = self.runs(place, arm).into_iter().filter(|run| run.failure.is_none()).collect();
        let Some(first) = runs.first() else { return Vec::new() };
        let at = |step: usize| {
            let heights: Option<Vec<f64>> =
                runs.iter().map(|run| run.points.iter().find(|point| point.step == step).map(Point::right)).collect();
            Some(Spread { step, range: Range::from_values(heights?)? })
        };
        first.points.iter().filter_map(|point| at(point.step)).collect()
    }

    /// The accuracy that steps are counted to: nine tenths of the best that scratch has in the mean at any step.
    pub fn fixed_accuracy(&self, place: Place) -> Option<f64> {
        let best = self.curve(place, "scratch").into_iter().map(|point| point.range.mean).reduce(f64::max)?;
        Some(0.9 * best)
    }

    /// Steps to an accuracy, one per seed; `None` for a run that never got there.
    pub fn steps(&self, place: Place, arm: &str, accuracy: f64) -> Vec<Option<f64>> {
        self.runs(place, arm).iter().map(|run| steps_to_accuracy(&run.curve(), accuracy)).collect()
    }

    /// Difference between the best and the worst of several learning rates, one per seed that has them all.
    pub fn over_rates(&self, (method, world, share): (Method, usize, usize), rates: &[f64], arm: &str) -> BySeed {
        let columns: Vec<BySeed> = rates.iter().map(|&rate| self.ends((method, world, share, rate), arm)).collect();
        let at = |column: &BySeed, seed: u64| column.iter().find(|(one, _)| *one == seed).map(|(_, value)| *value);
        let of_seed = |&(seed, _): &(u64, f64)| {
            let all: Option<Vec<f64>> = columns.iter().map(|column| at(column, seed)).collect();
            Range::from_values(all?).map(|range| (seed, range.high - range.low))
        };
        columns.first().into_iter().flatten().filter_map(of_seed).collect()
    }

    /// Parameters that a start keeps of the ancestor.
    pub fn stored(&self, place: Place, arm: &str) -> Option<u64> {
        let arm = Init::from_name(arm)?;
        self.at(place).find_map(|race| race.stored.get(&arm).copied())
    }

    /// What of that the descendants of these races take.
    pub fn taken(&self, place: Place, arm: &str) -> Option<u64> {
        let start = Init::from_name(arm)?;
        self.at(place).find_map(|race| race.taken.get(&start).copied()).or_else(|| self.stored(place, arm))
    }

    /// Why a start is not in a race, a sentence.
    pub fn left_out(&self, place: Place, arm: &str) -> Option<&str> {
        let mut all = self.at(place).flat_map(|race| &race.left_out);
        all.find(|(left_out, _)| left_out.name() == arm).map(|(_, reason)| &**reason)
    }

    /// Ancestor layers that Learngene chose, counted from 1.
    pub fn chosen(&self, place: Place) -> Vec<usize> {
        self.reports(place)
            .next()
            .map(|report| report.chosen.iter().map(|layer| layer + 1).collect())
            .unwrap_or_default()
    }

    /// Pictures to train on and to judge on.
    pub fn pictures(&self, place: Place) -> Option<Pictures> {
        self.reports(place).find_map(|report| report.pictures)
    }

    /// Nets of a world, one per seed.
    pub fn nets(&self, world: usize, kind: NetKind) -> Vec<&Net> {
        self.nets_by_seed(world, kind).into_iter().map(|(_, net)| net).collect()
    }

    /// The same with their seeds.
    pub fn nets_by_seed(&self, world: usize, kind: NetKind) -> Vec<(u64, &Net)> {
        let pool = if let NetKind::Pool(pool) = kind { pool } else { PoolKind::Shared };
        let is_wanted = |one: &Setting| (one.world, one.pool) == (world, pool);
        let of_kind = |net| if kind == NetKind::SnNet { Net::baseline(net) } else { Some(net) };
        let nets = self.nets.iter().filter(|(setting, _)| is_wanted(setting));
        let nets = nets.filter_map(|(setting, net)| Some((setting.seed, of_kind(net)?)));
        nets.filter(|(_, net)| !net.configurations.is_empty()).collect()
    }
}

#[cfg(test)]
pub mod tests {
    use super::{Method, NetKind, Results};
    use crate::evidence::plan::{PoolKind, Unit, arms, cpu};
    use serde_json::Value;

    /// Results as the commands would print them for units: every start rises at a pace of its own.
    pub fn made_up(units: &[Unit]) -> Vec<(Unit, Value)> {
        units.iter().map(|unit| (unit.clone(), serde_json::from_str(&printed(unit)).unwrap())).collect()
    }

    fn printed(unit: &Unit) -> String {
        let seed = unit.setting.seed as f64;
        if unit.setting.method == Method::Pool {
            let one = |stored: u64, lift: f64| {
                let configuration = |at: u64| {
                    let (flops, accuracy) = (1000 * (at + 1), 0.3 + lift + 0.1 * at as f64 + 0.01 * seed);
                    format!(
                        r#"{{"front":{{"model":0,"width":64,"blocks":6}},"end":null,"stitch":null,"parameters":{flops},
                        "flops":{flops},"accuracy_at_start":{{"maps":0.2}},"accuracy":{accuracy}}}"#
                    )
                };
                let all = [configuration(0), configuration(1), configuration(2)].join(",");
                format!(r#""configurations":[{all}],"spearman":1.0,"stored_parameters":{stored}"#)
            };
            return match unit.setting.pool {
                PoolKind::Shared => format!("{{{},\"sn_net\":{{{}}}}}", one(5000, 0.1), one(5000, 0.0)),
                PoolKind::Published => format!("{{{}}}", one(5000, 0.3)),
                PoolKind::Fitted => format!("{{{}}}", one(5000, 0.2)),
            };
        }
        let run = |(at, arm): (usize, &&str)| {
            let pace = 0.3 - 0.04 * at as f64;
            let point = |step: usize| {
                let accuracy = (0.2 + pace * step as f64 * unit.setting.share as f64 / 100.0 + 0.01 * seed).min(0.95);
                let name = if unit.setting.method == Method::Layers { "accuracy" } else { "validation_accuracy" };
                format!(r#"{{"step":{},"{name}":{accuracy}}}"#, 10 * step)
            };
            let points = [point(0), point(1), point(2)].join(",");
            format!(r#"{{"arm":"{arm}","seed":{seed},"points":[{points}],"failure":null}}"#)
        };
        let runs: Vec<String> = arms(&unit.setting).iter().enumerate().map(run).collect();
        let runs = format!(r#""runs":[{}]"#, runs.join(","));
        let stored = r#""stored":{"inherited":100,"scratch":0,"first":200,"whole":400}"#;
        match unit.setting.method {
            Method::Layers => format!(
                r#"{{"chosen":[0,2],"pictures":{{"train":320,"validation":80}},"races":[{{{runs},{stored},"left_out":[["last","widths do not fit"]]}}]}}"#
            ),
            _ => format!(r#"{{"race":{{{runs}}},{stored},"taken":{{"inherited":80}}}}"#),
        }
    }

    #[test]
    fn both_commands_are_read_alike() {
        let units = cpu().units();
        let made = made_up(&units);
        let results = Results::of(made.iter().map(|(unit, json)| (unit, json)));
        for method in [Method::Layers, Method::Cluster] {
            let place = (method, 1, 100, 1.0);
            assert_eq!(results.runs(place, "inherited").len(), 5);
            let last = results.last(place, "scratch");
            assert!(
                last.iter().zip([0.73, 0.74, 0.75, 0.76, 0.77]).all(|(one, other)| (one - other).abs() < 1e-6),
                "{last:?}"
            );
            assert_eq!((results.stored(place, "first"), results.taken(place, "first")), (Some(200), Some(200)));
            let taken = if method == Method::Cluster { 80 } else { 100 };
            assert_eq!(
                (results.stored(place, "inherited"), results.taken(place, "inherited")),
                (Some(100), Some(taken))
            );
            let curve = results.curve(place, "scratch");
            assert_eq!(
                curve.iter().map(|point| (point.step, point.range.count)).collect::<Vec<_>>(),
                [(0, 5), (10, 5), (20, 5)]
            );
            assert!((results.fixed_accuracy(place).unwrap() - 0.9 * 0.75).abs() < 1e-6);
            let steps = results.steps(place, "inherited", 0.5);
            // 0.5 lies between 0.2 and 0.5, a hundredth higher with every seed, ten steps apart.
            let expected = [1, 2, 3, 4, 5].map(|seed| 10.0 - f64::from(seed) / 3.0);
            let is_right = |(one, other): (&Option<f64>, f64)| one.is_some_and(|one| (one - other).abs() < 1e-4);
            assert!(steps.len() == 5 && steps.iter().zip(expected).all(is_right), "{steps:?}");
        }
        assert_eq!(results.chosen((Method::Layers, 0, 100, 1.0)), [1, 3]);
        let pictures = results.pictures((Method::Layers, 0, 100, 1.0)).unwrap();
        assert_eq!((pictures.train, pictures.validation), (320, 80));
        assert_eq!(results.left_out((Method::Layers, 0, 100, 1.0), "last"), Some("widths do not fit"));
    }

    #[test]
    fn rates_are_compared_by_their_best_and_their_worst_end() {
        let units = cpu().units();
        let ends = [("rate-0.3/seed-1", 0.5), ("rate-1/seed-1", 0.7), ("rate-3/seed-1", 0.6), ("rate-1/seed-2", 0.9)];
        let made = ends.map(|(setting, accuracy)| {
            let id = format!("cluster/doodles/share-100/{setting}");
            let points =
                format!(r#"[{{"step":0,"validation_accuracy":0.1}},{{"step":9,"validation_accuracy":{accuracy}}}]"#);
            let run = format!(r#"{{"arm":"scratch","seed":1,"points":{points},"failure":null}}"#);
            let unit = units.iter().find(|unit| unit.id == id).unwrap();
            (unit, serde_json::from_str(&format!(r#"{{"race":{{"runs":[{run}]}},"stored":{{}}}}"#)).unwrap())
        });
        let setting = made[0].0.setting;
        let results = Results::of(made.iter().map(|(unit, json): &(&Unit, Value)| (*unit, json)));
        let place = (Method::Cluster, setting.world, 100);
        // The second seed lacks two of the rates.
        let spread = results.over_rates(place, &[0.3, 1.0, 3.0], "scratch");
        assert!(spread.len() == 1 && spread[0].0 == 1 && (spread[0].1 - 0.2).abs() < 1e-6, "{spread:?}");
        assert!(results.over_rates(place, &[0.3, 1.0, 3.0], "inherited").is_empty());
    }

    #[test]
    fn a_pool_is_read_with_its_baseline() {
        let units = cpu().units();
        let made = made_up(&units);
        let results = Results::of(made.iter().map(|(unit, json)| (unit, json)));
        let [ours, published, fitted, theirs] = NetKind::NAMED.map(|(_, kind)| results.nets(0, kind));
        assert!([&ours, &published, &fitted, &theirs].iter().all(|nets| nets.len() == 5));
        assert_eq!(ours[0].configurations.len(), 3);
        for (nets, lift) in [(&ours, 0.1), (&published, 0.3), (&fitted, 0.2), (&theirs, 0.0)] {
            let first = nets[0].configurations[0].accuracy;
            assert!((first - (0.3 + lift + 0.01)).abs() < 1e-6, "{first}");
        }
        assert_eq!(ours[0].configurations[0].path(), "6 × 64");
        assert!(ours.iter().all(|net| net.spearman == Some(1.0)));
    }

    #[test]
    fn a_run_that_diverged_counts_as_nothing_right() {
        let unit = cpu().units().into_iter().find(|unit| unit.setting.method == Method::Cluster).unwrap();
        let text = r#"{"race":{"runs":[{"arm":"scratch","seed":1,"points":[{"step":0,"validation_accuracy":0.4}],"failure":"loss"}]}}"#;
        let json = serde_json::from_str(text).unwrap();
        let results = Results::of([(&unit, &json)]);
        let setting = unit.setting;
        let place = (setting.method, setting.world, setting.share, setting.rate);
        assert_eq!(results.last(place, "scratch"), [0.0]);
        assert!(results.curve(place, "scratch").is_empty());
    }
}
