//! The published claims, and what was measured of each.

use super::findings::{BySeed, Finding, finding, values, verdict};
use super::plan::{Method, PoolKind, Profile, RATES, World};
use super::results::{NetKind, Results};
use crate::reports::{Net, Point, Run};
use heirloom_plan::protocol::statistics::{Paired, Range};

/// Claims of starts, and what is compared for each.
const STARTS: [(&str, &str); 5] = [
    ("Converges faster", "Steps to the fixed accuracy, inherited against scratch."),
    (
        "Less sensitive to the learning rate",
        "Best minus worst accuracy over three learning rates, inherited against scratch.",
    ),
    ("Better accuracy with all pictures", "Accuracy at the end with all pictures, inherited against scratch."),
    (
        "Better with a quarter of the pictures",
        "Accuracy at the end with 25 % of the pictures, inherited against scratch.",
    ),
    (
        "Better with a tenth of the pictures",
        "Accuracy at the end with 10 % of the pictures, inherited against scratch.",
    ),
];
/// What is compared of a pool.
const NETS: [&str; 3] = [
    "Rank correlation (Spearman) of accuracy with operations, against none; 0.8 was looked for.",
    "Mean accuracy over all configurations, pool against SN-Net.",
    "Accuracy of the smallest model, pool against SN-Net.",
];

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Optimiser steps.
    Steps,
    /// A share of pictures named rightly, 0..1.
    Accuracy,
    /// A difference of two such shares.
    Points,
    /// A rank correlation.
    Rank,
}

impl Measure {
    /// Mean and deviation with the unit.
    pub fn write(self, summary: &Range) -> String {
        let Range { mean, deviation, .. } = *summary;
        match self {
            Self::Steps => format!("{mean:.0} ± {deviation:.0} steps"),
            Self::Accuracy => format!("{} %", percent(summary)),
            Self::Points => format!("{} points", percent(summary)),
            Self::Rank => format!("{mean:.2} ± {deviation:.2}"),
        }
    }

    /// The mean difference of the seeds with its interval, behind a comma.
    fn apart(self, paired: &Paired) -> String {
        let Some((low, high)) = paired.interval else { return String::new() };
        let all = [paired.mean, low, high].map(|value| match self {
            Self::Steps => format!("{value:+.0}"),
            Self::Accuracy | Self::Points => format!("{:+.1}", 100.0 * value),
            Self::Rank => format!("{value:+.2}"),
        });
        format!(", {} (95 % interval {} to {}, {} seeds)", all[0], all[1], all[2], paired.seeds)
    }
}

/// Mean and deviation of shares, per cent.
pub fn percent(summary: &Range) -> String {
    format!("{:.1} ± {:.1}", 100.0 * summary.mean, 100.0 * summary.deviation)
}

/// What one world says of a claim: values of the start in question and of what it is compared with, one per seed.
pub struct Side {
    /// Name of the world.
    pub world: String,
    /// The start in question.
    pub ours: BySeed,
    /// What it is compared with.
    pub theirs: BySeed,
    /// Why the claim cannot be shown here, whatever the values are.
    pub but: Option<&'static str>,
}

/// A published claim.
pub struct Claim {
    /// The method.
    pub method: Method,
    /// The claim in a few words.
    pub name: &'static str,
    /// What was published of it.
    pub published: &'static str,
    /// What is compared here, and with what.
    pub compared: &'static str,
    /// How the values are written.
    pub measure: Measure,
    /// Whether the smaller value is the claimed one.
    pub is_less: bool,
    /// One per world.
    pub sides: Vec<Side>,
}

impl Claim {
    /// The finding of every world.
    pub fn findings(&self) -> Vec<Finding> {
        let one = |side: &Side| {
            let found = match self.is_less {
                true => finding(&side.theirs, &side.ours),
                false => finding(&side.ours, &side.theirs),
            };
            if side.but.is_some() && found == Finding::Seen { Finding::Unclear } else { found }
        };
        self.sides.iter().map(one).collect()
    }

    /// What came of it, in words.
    pub fn verdict(&self) -> String {
        verdict(&self.findings())
    }

    /// The claim in a sentence with its numbers.
    pub fn sentence(&self) -> String {
        let side = |side: &Side| match [&side.ours, &side.theirs].map(|all| Range::from_values(values(all))) {
            [Some(ours), Some(theirs)] => {
                let but = side.but.map(|but| format!(" ({but})")).unwrap_or_default();
                let [ours, theirs] = [ours, theirs].map(|range| self.measure.write(&range));
                let apart = Paired::from_seeds(&side.ours, &side.theirs).map(|paired| self.measure.apart(&paired));
                format!("{}: {ours} against {theirs}{}{but}", side.world, apart.unwrap_or_default())
            }
            _ => format!("{}: not run", side.world),
        };
        let sides: Vec<String> = self.sides.iter().map(side).collect();
        format!("**{}: {}.** {} {}.", self.name, self.verdict(), self.compared, sides.join("; "))
    }
}

/// All claims, with what was measured.
pub fn claims(results: &Results, profile: &Profile) -> Vec<Claim> {
    let source = Source { results, profile };
    let mut all = source.of_starts(
        Method::Layers,
        [
            "the inherited layers converge faster (abstract)",
            "less sensitive to hyper-parameters (abstract)",
            "better accuracy (abstract)",
            "fewer training samples (abstract)",
            "fewer training samples (abstract)",
        ],
    );
    all.extend(source.of_starts(
        Method::Cluster,
        [
            "4.0 times less training than scratch (ImageNet)",
            "not published for this method",
            "not claimed: with all of ImageNet it does not beat scratch when shares are compared",
            "+7.09 points with 25 % of ImageNet",
            "no share below 25 % is quoted",
        ],
    ));
    all.push(source.half_the_training());
    all.push(source.stores_less());
    all.extend(source.of_pools());
    all
}

struct Source<'a> {
    results: &'a Results,
    profile: &'a Profile,
}

impl Source<'_> {
    fn sides(&self, method: Method, by_world: impl Fn(usize) -> (BySeed, BySeed)) -> Vec<Side> {
        let worlds = self.profile.worlds.iter().enumerate().filter(|(_, world)| world.methods.contains(&method));
        let side = |(at, world): (usize, &World)| {
            let (ours, theirs) = by_world(at);
            Side { world: world.name.clone(), ours, theirs, but: None }
        };
        worlds.map(side).collect()
    }

    fn steps(&self, method: Method, world: usize, arm: &str) -> BySeed {
        let place = (method, world, 100, 1.0);
        let Some(accuracy) = self.results.fixed_accuracy(place) else { return Vec::new() };
        let all = self.profile.steps as f64;
        let seeds = self.results.runs(place, arm).into_iter().map(|run| run.seed);
        let steps = self.results.steps(place, arm, accuracy).into_iter();
        seeds.zip(steps).map(|(seed, steps)| (seed, steps.unwrap_or(all))).collect()
    }

    /// The four claims of Learngene, the last at two shares of the pictures.
    fn of_starts(&self, method: Method, published: [&'static str; 5]) -> Vec<Claim> {
        let pair = |of: &dyn Fn(usize, &str) -> BySeed| {
            self.sides(method, |world| (of(world, "inherited"), of(world, "scratch")))
        };
        let last = |share: usize| pair(&|world, arm| self.results.ends((method, world, share, 1.0), arm));
        let over_rates = |world: usize, arm: &str| self.results.over_rates((method, world, 100), &RATES, arm);
        let rows = [
            (STARTS[0], Measure::Steps, pair(&|world, arm| self.steps(method, world, arm))),
            (STARTS[1], Measure::Points, pair(&over_rates)),
            (STARTS[2], Measure::Accuracy, last(100)),
            (STARTS[3], Measure::Accuracy, last(25)),
            (STARTS[4], Measure::Accuracy, last(10)),
        ];
        let claim = |(((name, compared), measure, sides), published)| {
            let is_less = matches!(measure, Measure::Steps | Measure::Points);
            Claim { method, name, published, compared, measure, is_less, sides }
        };
        rows.into_iter().zip(published).map(claim).collect()
    }

    fn half_the_training(&self) -> Claim {
        let (method, half) = (Method::Cluster, self.profile.steps / 2);
        let at_half = |world| {
            let runs = self.results.runs((method, world, 100, 1.0), "inherited");
            let point = |run: &Run| {
                let reached = run.points.iter().rev().find(|point| point.step <= half);
                (run.seed, if run.failure.is_some() { 0.0 } else { reached.map_or(0.0, Point::right) })
            };
            runs.into_iter().map(point).collect()
        };
        Claim {
            method,
            name: "Better than scratch after half the steps",
            published: "+9.87 points over scratch at half the epochs (ImageNet, Small)",
            compared: "Accuracy of the inherited start after half the steps against scratch after all of them.",
            measure: Measure::Accuracy,
            is_less: false,
            sides: self
                .sides(method, |world| (at_half(world), self.results.ends((method, world, 100, 1.0), "scratch"))),
        }
    }

    fn stores_less(&self) -> Claim {
        let method = Method::Cluster;
        let place = |world| (method, world, 100, 1.0);
        let mut sides = self.sides(method, |world| {
            let ends = |arm| self.results.ends(place(world), arm);
            (ends("inherited"), ends("first"))
        });
        // A learngene that is not smaller cannot show the claim, however good it is.
        for side in &mut sides {
            let world = self.profile.worlds.iter().position(|world| world.name == side.world);
            let taken = |arm| world.and_then(|world| self.results.taken(place(world), arm));
            if let (Some(ours), Some(theirs)) = (taken("inherited"), taken("first"))
                && ours >= theirs
            {
                side.but = Some("here these descendants do not take less of the ancestor");
            }
        }
        Claim {
            method,
            name: "Better than whole layers that store more",
            published: "78.43 % with 15.1 M inherited parameters against under 75 % with 18.0 M (ten whole layers)",
            compared: "Accuracy at the end, inherited against the first whole layers; the claim is for a learngene of which the descendant takes less.",
            measure: Measure::Accuracy,
            is_less: false,
            sides,
        }
    }

    /// The pool in a shared basis, as published, and with the start of SN-Net's stitch layers, so that only the anchors
    /// differ.
    fn of_pools(&self) -> Vec<Claim> {
        let picked = |world, kind, pick: fn(&Net) -> f64| -> BySeed {
            let nets = self.results.nets_by_seed(world, kind).into_iter();
            nets.map(|(seed, net)| (seed, pick(net))).collect()
        };
        let against = |kind, pick: fn(&Net) -> f64| {
            self.sides(Method::Pool, |world| (picked(world, kind, pick), picked(world, NetKind::SnNet, pick)))
        };
        let ranks = |kind| {
            self.sides(Method::Pool, |world| {
                let ranks = picked(world, kind, |net| net.spearman.unwrap_or(0.0));
                let none = ranks.iter().map(|(seed, _)| (*seed, 0.0)).collect();
                (ranks, none)
            })
        };
        let smallest: fn(&Net) -> f64 = |net| net.smallest().map_or(0.0, |one| one.accuracy);
        const TREND: &str = "accuracy rises with the operations; the trend to look for is a rank correlation of 0.8";
        const BASELINE: &str = "SN-Net is the baseline of the method; no figure is quoted";
        const SHARED: &str = "not published: all small models share one fixed basis";
        const FITTED: &str = "not published: the stitch layers begin by least squares, as SN-Net's";
        let (method, is_less) = (Method::Pool, false);
        let of_kind = |kind, names: [&'static str; 3], published: [&'static str; 3]| {
            let ranks = (NETS[0], Measure::Rank, ranks(kind));
            let rest = [(NETS[1], Net::mean_accuracy as fn(&Net) -> f64), (NETS[2], smallest)];
            let rest = rest.map(|(compared, pick)| (compared, Measure::Accuracy, against(kind, pick)));
            let rows = std::iter::once(ranks).chain(rest).zip(names.into_iter().zip(published));
            let claim = |((compared, measure, sides), (name, published))| Claim {
                method,
                name,
                published,
                compared,
                measure,
                is_less,
                sides,
            };
            rows.map(claim).collect::<Vec<_>>()
        };
        let mut all = of_kind(
            NetKind::Pool(PoolKind::Published),
            [
                "Larger configurations are better",
                "Better than SN-Net over all configurations",
                "The smallest model is better than SN-Net's",
            ],
            [TREND, BASELINE, BASELINE],
        );
        all.extend(of_kind(
            NetKind::Pool(PoolKind::Shared),
            [
                "In a shared basis, larger configurations are better",
                "In a shared basis, better than SN-Net over all configurations",
                "In a shared basis, the smallest model is better than SN-Net's",
            ],
            [SHARED; 3],
        ));
        all.extend(of_kind(
            NetKind::Pool(PoolKind::Fitted),
            [
                "With stitches by least squares, larger configurations are better",
                "With stitches by least squares, better than SN-Net over all configurations",
                "With stitches by least squares, the smallest model is better than SN-Net's",
            ],
            [FITTED; 3],
        ));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::claims;
    use crate::evidence::plan::cpu;
    use crate::evidence::results::{Results, tests::made_up};
    use serde_json::Value;

    #[test]
    fn a_start_that_rises_sooner_is_seen_to_and_what_was_not_run_is_said() {
        let profile = cpu();
        let units = profile.units();
        let made = made_up(&units);
        let results = Results::of(made.iter().map(|(unit, json)| (unit, json)));
        let all = claims(&results, &profile);
        let faster = all.iter().find(|claim| claim.name == "Converges faster").unwrap();
        assert_eq!(faster.verdict(), "seen on both sets");
        assert!(faster.sentence().contains("doodles: ") && faster.sentence().contains(" steps against "));
        let ranks = all.iter().find(|claim| claim.name == "Larger configurations are better").unwrap();
        assert_eq!(ranks.verdict(), "seen on both sets");

        let of_doodles = made.iter().filter(|(unit, _)| unit.setting.world == 0);
        let half = Results::of(of_doodles.map(|(unit, json)| (unit, json)));
        let faster = claims(&half, &profile).remove(0);
        assert_eq!(faster.verdict(), "seen on the one set; 1 not run");
        assert!(faster.sentence().contains("clothes: not run"));

        let nothing = claims(&Results::default(), &profile);
        assert!(nothing.iter().all(|claim| claim.verdict() == "not run"));
        assert_eq!(nothing.len(), all.len());
    }

    #[test]
    fn a_learngene_that_stores_more_shows_nothing() {
        let profile = cpu();
        let units = profile.units();
        let mut made = made_up(&units);
        let verdict = |made: &[(crate::evidence::plan::Unit, Value)]| {
            let results = Results::of(made.iter().map(|(unit, json)| (unit, json)));
            let all = claims(&results, &profile);
            all.iter().find(|claim| claim.name == "Better than whole layers that store more").unwrap().verdict()
        };
        assert_eq!(verdict(&made), "seen on both sets");
        for (_, json) in &mut made {
            for pointer in ["/taken/inherited", "/races/0/stored/inherited"] {
                json.pointer_mut(pointer).into_iter().for_each(|stored| *stored = 300.into());
            }
        }
        assert_eq!(verdict(&made), "not seen");
    }
}
