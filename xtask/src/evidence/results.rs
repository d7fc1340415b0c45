//! What the units' results say, put together: curves of runs, what is stored, and pools.

use super::json::Json;
use super::numbers::{Summary, steps_to};
use super::plan::{Method, Setting, Unit};

/// One start with one seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The start.
    pub arm: String,
    /// Steps and accuracy (0..1) of every measured point.
    pub curve: Vec<(f64, f64)>,
    /// Whether it broke off because numbers were no longer finite.
    pub diverged: bool,
}

impl Run {
    /// Accuracy at the end; 0 for a run that diverged.
    pub fn last(&self) -> f64 {
        if self.diverged { 0.0 } else { self.curve.last().map_or(0.0, |point| point.1) }
    }
}

/// One pool, or one stitched net, with one seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Net {
    /// Its configurations.
    pub configurations: Vec<Configuration>,
    /// Rank correlation of accuracy with operations.
    pub spearman: f64,
    /// Parameters of all models and stitch layers together.
    pub stored: f64,
}

impl Net {
    /// Mean accuracy over all configurations.
    pub fn mean_accuracy(&self) -> f64 {
        self.configurations.iter().map(|one| one.accuracy).sum::<f64>() / self.configurations.len().max(1) as f64
    }

    /// The configuration of the fewest parameters.
    pub fn smallest(&self) -> Option<&Configuration> {
        self.configurations.iter().min_by(|one, other| one.parameters.total_cmp(&other.parameters))
    }

    /// The configuration of the most parameters.
    pub fn largest(&self) -> Option<&Configuration> {
        self.configurations.iter().max_by(|one, other| one.parameters.total_cmp(&other.parameters))
    }
}

/// Which net.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetKind {
    /// A pool whose stitch layers begin from the learned maps, as published.
    Pool,
    /// A pool whose stitch layers begin by least squares, as SN-Net's do.
    FittedPool,
    /// SN-Net.
    SnNet,
}

impl NetKind {
    /// All of them, with their names for people.
    pub const NAMED: [(&str, Self); 3] =
        [("pool", Self::Pool), ("pool, least squares", Self::FittedPool), ("SN-Net", Self::SnNet)];
}

/// One model of a net.
#[derive(Clone, Debug, PartialEq)]
pub struct Configuration {
    /// Which blocks of which model.
    pub path: String,
    /// Parameters.
    pub parameters: f64,
    /// Operations of one picture.
    pub flops: f64,
    /// Accuracy, 0..1.
    pub accuracy: f64,
    /// Accuracy before fine-tuning, by start value of the stitch layers.
    pub at_start: Vec<(String, f64)>,
}

/// Everything that was run.
#[derive(Default)]
pub struct Results {
    all: Vec<(Setting, Json)>,
}

/// A race: method, world, share, rate.
pub type Place = (Method, usize, usize, f64);

impl Results {
    /// Of units with their results.
    pub fn of<'a>(results: impl IntoIterator<Item = (&'a Unit, &'a Json)>) -> Self {
        Self { all: results.into_iter().map(|(unit, json)| (unit.setting, json.clone())).collect() }
    }

    fn at(&self, place: Place) -> impl Iterator<Item = &Json> {
        let is_there = move |one: &Setting| (one.method, one.world, one.share, one.rate) == place;
        self.all.iter().filter(move |(setting, _)| is_there(setting)).map(|(_, json)| json)
    }

    /// Runs of a start, one per seed.
    pub fn runs(&self, place: Place, arm: &str) -> Vec<Run> {
        self.at(place).flat_map(runs).filter(|run| run.arm == arm).collect()
    }

    /// Accuracies at the end, one per seed.
    pub fn last(&self, place: Place, arm: &str) -> Vec<f64> {
        self.runs(place, arm).iter().map(Run::last).collect()
    }

    /// The mean curve of a start with lowest and highest accuracy over the seeds; only steps that all seeds have.
    pub fn curve(&self, place: Place, arm: &str) -> Vec<(f64, Summary)> {
        let runs: Vec<Run> = self.runs(place, arm).into_iter().filter(|run| !run.diverged).collect();
        let Some(first) = runs.first() else { return Vec::new() };
        let at = |step: f64| {
            let heights: Option<Vec<f64>> =
                runs.iter().map(|run| run.curve.iter().find(|point| point.0 == step).map(|point| point.1)).collect();
            Some((step, Summary::of(&heights?)?))
        };
        first.curve.iter().filter_map(|point| at(point.0)).collect()
    }

    /// The accuracy that steps are counted to: nine tenths of the best that scratch has in the mean at any step.
    pub fn fixed_accuracy(&self, place: Place) -> Option<f64> {
        let best = self.curve(place, "scratch").into_iter().map(|(_, height)| height.mean).reduce(f64::max)?;
        Some(0.9 * best)
    }

    /// Steps to an accuracy, one per seed; `None` for a run that never got there.
    pub fn steps(&self, place: Place, arm: &str, accuracy: f64) -> Vec<Option<f64>> {
        self.runs(place, arm).iter().map(|run| steps_to(&run.curve, accuracy)).collect()
    }

    /// Difference between the best and the worst of several learning rates, one per seed that has them all.
    pub fn over_rates(&self, (method, world, share): (Method, usize, usize), rates: &[f64], arm: &str) -> Vec<f64> {
        let columns: Vec<Vec<f64>> = rates.iter().map(|&rate| self.last((method, world, share, rate), arm)).collect();
        let seeds = columns.iter().map(Vec::len).min().unwrap_or(0);
        let of_seed = |seed: usize| {
            let values = Summary::of(&columns.iter().map(|column| column[seed]).collect::<Vec<_>>())?;
            Some(values.high - values.low)
        };
        (0..seeds).filter_map(of_seed).collect()
    }

    /// Parameters that a start keeps of the ancestor.
    pub fn stored(&self, place: Place, arm: &str) -> Option<f64> {
        self.at(place).find_map(|json| race(json).get("stored").get(arm).number())
    }

    /// Why a start is not in a race, a sentence.
    pub fn left_out(&self, place: Place, arm: &str) -> Option<String> {
        let reasons = self.at(place).flat_map(|json| race(json).get("left_out").list());
        let of_arm = reasons.map(Json::list).find(|pair| pair.first().and_then(Json::text) == Some(arm))?;
        of_arm.get(1)?.text().map(str::to_owned)
    }

    /// Ancestor layers that Learngene chose, counted from 1.
    pub fn chosen(&self, place: Place) -> Vec<usize> {
        self.at(place)
            .next()
            .map(|json| json.get("chosen").numbers())
            .unwrap_or_default()
            .iter()
            .map(|layer| *layer as usize + 1)
            .collect()
    }

    /// Pictures to train on and to judge on.
    pub fn pictures(&self, place: Place) -> Option<(usize, usize)> {
        let counts = self.at(place).find_map(|json| {
            let counts = json.get("pictures");
            Some((counts.get("train").number()?, counts.get("validation").number()?))
        })?;
        Some((counts.0 as usize, counts.1 as usize))
    }

    /// Nets of a world, one per seed.
    pub fn nets(&self, world: usize, kind: NetKind) -> Vec<Net> {
        let is_wanted = |one: &Setting| {
            (one.method, one.world, one.is_fitted) == (Method::Pool, world, kind == NetKind::FittedPool)
        };
        let pools = self.all.iter().filter(|(setting, _)| is_wanted(setting)).map(|(_, json)| json);
        pools.filter_map(|json| net(if kind == NetKind::SnNet { json.get("sn_net") } else { json })).collect()
    }
}

/// The part that holds the runs: `race` and `layers` print it in different places.
fn race(json: &Json) -> &Json {
    json.get("races").list().first().unwrap_or(json)
}

fn runs(json: &Json) -> Vec<Run> {
    let race = race(json);
    let list = if race.get("runs").list().is_empty() { race.get("race").get("runs") } else { race.get("runs") };
    list.list().iter().filter_map(run).collect()
}

fn run(json: &Json) -> Option<Run> {
    let point = |point: &Json| {
        let accuracy = point.get("validation_accuracy").number().or(point.get("accuracy").number())?;
        Some((point.get("step").number()?, accuracy))
    };
    Some(Run {
        arm: json.get("arm").text()?.to_owned(),
        curve: json.get("points").list().iter().filter_map(point).collect(),
        diverged: json.get("failure").text().is_some(),
    })
}

fn net(json: &Json) -> Option<Net> {
    let configurations: Vec<Configuration> =
        json.get("configurations").list().iter().filter_map(configuration).collect();
    let is_there = !configurations.is_empty();
    let stored = json.get("stored_parameters").number()?;
    let spearman = json.get("spearman").number().unwrap_or(0.0);
    is_there.then_some(Net { configurations, spearman, stored })
}

fn configuration(json: &Json) -> Option<Configuration> {
    let (front, end) = (json.get("front"), json.get("end"));
    let whole = |json: &Json, key: &str| json.get(key).number().map(|number| number as u64);
    let (blocks, width) = (whole(front, "blocks")?, whole(front, "width")?);
    let path = match (whole(end, "first_block"), whole(end, "width")) {
        (Some(first), Some(other)) => format!("{blocks} × {width}, then from {} × {other}", first + 1),
        _ => format!("{blocks} × {width}"),
    };
    let starts = json.get("accuracy_at_start").fields().iter();
    Some(Configuration {
        path,
        parameters: json.get("parameters").number()?,
        flops: json.get("flops").number()?,
        accuracy: json.get("accuracy").number()?,
        at_start: starts.filter_map(|(name, value)| Some((name.clone(), value.number()?))).collect(),
    })
}

#[cfg(test)]
pub mod tests {
    use super::{Method, NetKind, Results};
    use crate::evidence::json::Json;
    use crate::evidence::plan::{Unit, arms, cpu};

    /// Results as the examples would print them for units: every start rises at a pace of its own.
    pub fn made_up(units: &[Unit]) -> Vec<(Unit, Json)> {
        units.iter().map(|unit| (unit.clone(), Json::parse(&printed(unit)).unwrap())).collect()
    }

    fn printed(unit: &Unit) -> String {
        let seed = unit.setting.seed as f64;
        if unit.setting.method == Method::Pool {
            let one = |stored: u64, lift: f64| {
                let configuration = |at: u64| {
                    let (flops, accuracy) = (1000 * (at + 1), 0.3 + lift + 0.1 * at as f64 + 0.01 * seed);
                    format!(
                        r#"{{"front":{{"model":0,"width":64,"blocks":6}},"end":null,"stitch":null,"parameters":{flops},
                        "flops":{flops},"accuracy_at_start":{{"learned":0.2}},"accuracy":{accuracy}}}"#
                    )
                };
                let all = [configuration(0), configuration(1), configuration(2)].join(",");
                format!(r#""configurations":[{all}],"spearman":1.0,"stored_parameters":{stored}"#)
            };
            return match unit.setting.is_fitted {
                true => format!("{{{}}}", one(5000, 0.2)),
                false => format!("{{{},\"sn_net\":{{{}}}}}", one(5000, 0.1), one(5000, 0.0)),
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
            _ => format!(r#"{{"race":{{{runs}}},{stored}}}"#),
        }
    }

    #[test]
    fn both_examples_are_read_alike() {
        let units = cpu().units();
        let made = made_up(&units);
        let results = Results::of(made.iter().map(|(unit, json)| (unit, json)));
        for method in [Method::Layers, Method::Cluster] {
            let place = (method, 1, 100, 1.0);
            assert_eq!(results.runs(place, "inherited").len(), 3);
            let last = results.last(place, "scratch");
            assert!(last.iter().zip([0.73, 0.74, 0.75]).all(|(one, other)| (one - other).abs() < 1e-9), "{last:?}");
            assert_eq!(results.stored(place, "first"), Some(200.0));
            let curve = results.curve(place, "scratch");
            assert_eq!(
                curve.iter().map(|(step, height)| (*step, height.count)).collect::<Vec<_>>(),
                [(0.0, 3), (10.0, 3), (20.0, 3)]
            );
            assert!((results.fixed_accuracy(place).unwrap() - 0.9 * 0.74).abs() < 1e-9);
            let steps = results.steps(place, "inherited", 0.5);
            // 0.5 lies between 0.2 and 0.5, a hundredth higher with every seed, ten steps apart.
            let expected = [1, 2, 3].map(|seed| 10.0 - f64::from(seed) / 3.0);
            let is_right = |(one, other): (&Option<f64>, f64)| one.is_some_and(|one| (one - other).abs() < 1e-9);
            assert!(steps.len() == 3 && steps.iter().zip(expected).all(is_right), "{steps:?}");
        }
        assert_eq!(results.chosen((Method::Layers, 0, 100, 1.0)), [1, 3]);
        assert_eq!(results.pictures((Method::Layers, 0, 100, 1.0)), Some((320, 80)));
        assert_eq!(results.left_out((Method::Layers, 0, 100, 1.0), "last").as_deref(), Some("widths do not fit"));
    }

    #[test]
    fn rates_are_compared_by_their_best_and_their_worst_end() {
        let units = cpu().units();
        let ends = [("rate-0.3/seed-1", 0.5), ("rate-1/seed-1", 0.7), ("rate-3/seed-1", 0.6), ("rate-1/seed-2", 0.9)];
        let made = ends.map(|(setting, accuracy)| {
            let id = format!("cluster/doodles/share-100/{setting}");
            let points =
                format!(r#"[{{"step":0,"validation_accuracy":0.1}},{{"step":9,"validation_accuracy":{accuracy}}}]"#);
            let run = format!(r#"{{"arm":"scratch","points":{points}}}"#);
            let unit = units.iter().find(|unit| unit.id == id).unwrap();
            (unit, Json::parse(&format!(r#"{{"race":{{"runs":[{run}]}}}}"#)).unwrap())
        });
        let setting = made[0].0.setting;
        let results = Results::of(made.iter().map(|(unit, json)| (*unit, json)));
        let place = (Method::Cluster, setting.world, 100);
        // The second seed lacks two of the rates.
        let spread = results.over_rates(place, &[0.3, 1.0, 3.0], "scratch");
        assert!(spread.len() == 1 && (spread[0] - 0.2).abs() < 1e-9, "{spread:?}");
        assert!(results.over_rates(place, &[0.3, 1.0, 3.0], "inherited").is_empty());
    }

    #[test]
    fn a_pool_is_read_with_its_baseline() {
        let units = cpu().units();
        let made = made_up(&units);
        let results = Results::of(made.iter().map(|(unit, json)| (unit, json)));
        let [ours, fitted, theirs] = NetKind::NAMED.map(|(_, kind)| results.nets(0, kind));
        assert_eq!((ours.len(), fitted.len(), theirs.len(), ours[0].configurations.len()), (3, 3, 3, 3));
        for (nets, lift) in [(&ours, 0.1), (&fitted, 0.2), (&theirs, 0.0)] {
            let first = nets[0].configurations[0].accuracy;
            assert!((first - (0.3 + lift + 0.01)).abs() < 1e-9, "{first}");
        }
        assert_eq!(ours[0].configurations[0].path, "6 × 64");
        assert!(ours.iter().all(|net| net.spearman == 1.0));
    }

    #[test]
    fn a_run_that_diverged_counts_as_nothing_right() {
        let unit = cpu().units().remove(1);
        let text = r#"{"race":{"runs":[{"arm":"scratch","seed":1,"points":[{"step":0,"validation_accuracy":0.4}],"failure":"loss"}]}}"#;
        let json = Json::parse(text).unwrap();
        let results = Results::of([(&unit, &json)]);
        let setting = unit.setting;
        let place = (setting.method, setting.world, setting.share, setting.rate);
        assert_eq!(results.last(place, "scratch"), [0.0]);
        assert!(results.curve(place, "scratch").is_empty());
    }
}
