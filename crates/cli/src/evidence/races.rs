//! What the races of a method say: steps to an accuracy, fewer pictures, other learning rates, what is stored.

use super::claims::percent;
use super::document::Page;
use super::findings::{Finding, finding, values};
use super::plan::{ARMS, FEW_ARMS, MORE_ARMS, Method, RATES, SHARES, World};
use super::results::Place;
use super::tables::{NOT_RUN, Table, cell, count, steps_cell};
use heirloom_charts::{Axis, Chart, Point, Series};
use heirloom_plan::protocol::statistics::{Paired, Range};

/// The tables and pictures of a method.
pub fn section(page: &mut Page<'_>, method: Method) {
    about(page, method);
    let race = Race { method, worlds: worlds(page, method) };
    race.steps(page);
    race.others(page);
    race.shares(page);
    race.rates(page);
    race.stored(page);
}

fn worlds(page: &Page<'_>, method: Method) -> Vec<(usize, World)> {
    let worlds = page.profile.worlds.iter().enumerate();
    worlds.filter(|(_, world)| world.methods.contains(&method)).map(|(at, world)| (at, world.clone())).collect()
}

fn about(page: &mut Page<'_>, method: Method) {
    let starts = "All starts of a race see the same pictures, batches, crops and steps. *scratch*: random weights in the \
                  same architecture; *first*, *last*, *random*: as many whole layers of the ancestor, its first, its \
                  last, or any, others for each seed; *whole*: the whole ancestor, fine-tuned";
    let own = match method {
        Method::Layers => {
            "*inherited*: the layers most similar (linear CKA) to a briefly trained pseudo descendant; random layers lie \
             on top."
        }
        _ => {
            "*inherited*: the clustered heads, expanded; *selection*: first layers, evenly spaced heads; *line*: layers \
             on a line."
        }
    };
    page.say(format!("{starts}; {own}"));
}

/// Which colour and shape a start has.
fn style(arm: &str) -> usize {
    ARMS.into_iter().chain(MORE_ARMS).position(|one| one == arm).unwrap_or(0)
}

fn point(x: f64, height: &Range) -> Point {
    Point { x, y: 100.0 * height.mean, range: (100.0 * height.low, 100.0 * height.high) }
}

struct Race {
    method: Method,
    worlds: Vec<(usize, World)>,
}

impl Race {
    fn place(&self, world: usize) -> Place {
        (self.method, world, 100, 1.0)
    }

    fn arms(&self) -> Vec<&'static str> {
        let more = MORE_ARMS.into_iter().filter(|_| self.method == Method::Cluster);
        ARMS.into_iter().chain(more).collect()
    }

    fn head(&self, first: &str, columns: impl Fn(&World) -> Vec<String>) -> Table {
        let own = self.worlds.iter().flat_map(|(_, world)| columns(world));
        Table::new(std::iter::once(first.to_owned()).chain(own))
    }

    fn steps(&self, page: &mut Page<'_>) {
        let (results, profile) = (page.results, page.profile);
        page.say("### Steps to a fixed accuracy");
        page.say(
            "The accuracy is nine tenths of the best that scratch has in the mean at any step, so that scratch reaches \
             it in the mean.",
        );
        let fixed = |world: usize| results.fixed_accuracy(self.place(world));
        let mut table =
            Table::new(["start".to_owned()].into_iter().chain(self.worlds.iter().flat_map(|(at, world)| {
                let goal = fixed(*at).map_or_else(String::new, |goal| format!(" to {:.1} %", 100.0 * goal));
                [format!("{}: steps{goal}", world.name), format!("{}: accuracy at the end, %", world.name)]
            })));
        for arm in self.arms() {
            let cells = self.worlds.iter().flat_map(|(at, _)| {
                let steps = fixed(*at).map(|goal| results.steps(self.place(*at), arm, goal)).unwrap_or_default();
                let last = results.last(self.place(*at), arm);
                match results.left_out(self.place(*at), arm) {
                    Some(_) => ["does not fit".to_owned(), "–".to_owned()],
                    None => [steps_cell(&steps, profile.steps, profile.seeds), cell(&last, profile.seeds, percent)],
                }
            });
            table.row(std::iter::once(arm.to_owned()).chain(cells));
        }
        page.say(table.markdown());
        self.reasons(page);
        page.commands(|setting| (setting.method, setting.share, setting.rate) == (self.method, 100, 1.0));
        for (at, world) in &self.worlds {
            let series = |arm: &&str| Series {
                name: (*arm).to_owned(),
                style: style(arm),
                points: results
                    .curve(self.place(*at), arm)
                    .iter()
                    .map(|one| point(one.step as f64, &one.range))
                    .collect(),
                is_line: true,
            };
            let chart = Chart {
                title: format!("{}, {}: accuracy while training", self.method.title(), world.name),
                x: Axis::numbers("optimiser steps"),
                y: Axis::numbers("accuracy, %"),
                series: self.arms().iter().map(series).filter(|series| !series.points.is_empty()).collect(),
            };
            page.draw(&format!("{}-{}-curves", self.method.name(), world.name), &chart);
        }
    }

    /// Why starts are missing, and which layers were chosen.
    fn reasons(&self, page: &mut Page<'_>) {
        let mut lines = Vec::new();
        for (at, world) in &self.worlds {
            let chosen: Vec<String> = page.results.chosen(self.place(*at)).iter().map(usize::to_string).collect();
            if !chosen.is_empty() {
                lines.push(format!("* {}: layers {} of the ancestor were chosen.", world.name, chosen.join(", ")));
            }
            for arm in self.arms() {
                if let Some(reason) = page.results.left_out(self.place(*at), arm) {
                    lines.push(format!("* {}, {arm}: {reason}.", world.name));
                }
            }
        }
        if !lines.is_empty() {
            page.say(lines.join("\n"));
        }
    }

    /// The inherited start against every other.
    fn others(&self, page: &mut Page<'_>) {
        let results = page.results;
        page.say("### The inherited start against every other");
        page.say(
            "Mean difference of the accuracies at the end over the seeds, in points, its 95 % interval, and what it is by \
             the rule above.",
        );
        let mut table = self.head("against", |world| vec![world.name.clone()]);
        for arm in self.arms().into_iter().filter(|arm| *arm != "inherited") {
            let cells = self.worlds.iter().map(|(at, _)| {
                let (ours, theirs) = (results.ends(self.place(*at), "inherited"), results.ends(self.place(*at), arm));
                let Some(paired) = Paired::from_seeds(&ours, &theirs) else {
                    let is_out = results.left_out(self.place(*at), arm).is_some();
                    return if is_out { "does not fit" } else { NOT_RUN }.to_owned();
                };
                let word = match finding(&ours, &theirs) {
                    Finding::Seen => "better",
                    Finding::Opposite => "worse",
                    Finding::Unclear => "not apart",
                    Finding::NotRun => "too few seeds",
                };
                let interval =
                    paired.interval.map(|(low, high)| format!(" ({:+.1} to {:+.1})", 100.0 * low, 100.0 * high));
                format!("{:+.1}{}: {word}", 100.0 * paired.mean, interval.unwrap_or_default())
            });
            table.row(std::iter::once(arm.to_owned()).chain(cells));
        }
        page.say(table.markdown());
        page.commands(|setting| (setting.method, setting.share, setting.rate) == (self.method, 100, 1.0));
    }

    fn shares(&self, page: &mut Page<'_>) {
        let (results, seeds) = (page.results, page.profile.seeds);
        page.say("### Fewer pictures");
        page.say("Accuracy at the end, %, with a share of the training pictures; as many steps for every share.");
        let mut table =
            self.head("start", |world| SHARES.iter().map(|share| format!("{}: {share} %", world.name)).collect());
        for arm in FEW_ARMS {
            let cells = self.worlds.iter().flat_map(|(at, _)| {
                SHARES.map(|share| cell(&results.last((self.method, *at, share, 1.0), arm), seeds, percent))
            });
            table.row(std::iter::once(arm.to_owned()).chain(cells));
        }
        page.say(table.markdown());
        page.commands(|setting| setting.method == self.method && setting.rate == 1.0);
        self.pictures(page, "shares", "with fewer pictures", |world, arm| {
            let last = |share: usize| results.last((self.method, world, share, 1.0), arm);
            SHARES.map(|share| (share as f64, format!("{share} %"), last(share))).to_vec()
        });
    }

    fn rates(&self, page: &mut Page<'_>) {
        let (results, seeds) = (page.results, page.profile.seeds);
        page.say("### Other learning rates");
        page.say(
            "Accuracy at the end, %, at the learning rate of the set times a factor; *apart*: best minus worst of a seed, \
             points (a start that is bad everywhere has a small one too); *best*: at the factor that is best for this start \
             in the mean.",
        );
        let mut table = self.head("start", |world| {
            let factors = RATES.iter().map(|rate| format!("{}: × {rate}", world.name));
            factors.chain([format!("{}: apart", world.name), format!("{}: best", world.name)]).collect()
        });
        for arm in FEW_ARMS {
            let cells = self.worlds.iter().flat_map(|(at, _)| {
                let of_rate = |rate: f64| results.last((self.method, *at, 100, rate), arm);
                let apart = values(&results.over_rates((self.method, *at, 100), &RATES, arm));
                let best = RATES.map(of_rate).into_iter().max_by(|one, other| {
                    let mean = |values: &[f64]| {
                        Range::from_values(values.iter().copied()).map_or(f64::NEG_INFINITY, |one| one.mean)
                    };
                    mean(one).total_cmp(&mean(other))
                });
                let cells = RATES.map(|rate| cell(&of_rate(rate), seeds, percent)).into_iter();
                let all = cells.chain([cell(&apart, seeds, percent), cell(&best.unwrap_or_default(), seeds, percent)]);
                all.collect::<Vec<_>>()
            });
            table.row(std::iter::once(arm.to_owned()).chain(cells));
        }
        page.say(table.markdown());
        page.commands(|setting| setting.method == self.method && setting.share == 100);
        self.pictures(page, "rates", "over learning rates", |world, arm| {
            let last = |rate: f64| results.last((self.method, world, 100, rate), arm);
            RATES.map(|rate| (rate, format!("× {rate}"), last(rate))).to_vec()
        });
    }

    /// A picture per world of accuracies at a few places, evenly apart.
    fn pictures(
        &self,
        page: &mut Page<'_>,
        name: &str,
        words: &str,
        values: impl Fn(usize, &str) -> Vec<(f64, String, Vec<f64>)>,
    ) {
        for (at, world) in &self.worlds {
            let series = |arm: &&str| {
                let all = values(*at, arm).into_iter().enumerate();
                let points =
                    all.filter_map(|(place, (_, _, values))| Some(point(place as f64, &Range::from_values(values)?)));
                Series { name: (*arm).to_owned(), style: style(arm), points: points.collect(), is_line: true }
            };
            let ticks = values(*at, "").into_iter().enumerate().map(|(place, (_, word, _))| (place as f64, word));
            let title = if name == "rates" { "factor of the learning rate" } else { "share of the training pictures" };
            let chart = Chart {
                title: format!("{}, {}: accuracy {words}", self.method.title(), world.name),
                x: Axis { title: title.to_owned(), ticks: ticks.collect() },
                y: Axis::numbers("accuracy at the end, %"),
                series: FEW_ARMS.iter().map(series).filter(|series| !series.points.is_empty()).collect(),
            };
            page.draw(&format!("{}-{}-{name}", self.method.name(), world.name), &chart);
        }
    }

    fn stored(&self, page: &mut Page<'_>) {
        let results = page.results;
        page.say("### Stored parameters");
        page.say(
            "What has to be kept of the ancestor for a start, classifiers not counted, and what of it these descendants \
             take: the learngene holds what all its descendants need, also larger ones than these.",
        );
        let mut table = self.head("start", |world| {
            ["parameters", "of the ancestor, %", "taken"].map(|what| format!("{}: {what}", world.name)).to_vec()
        });
        for arm in self.arms() {
            let cells = self.worlds.iter().flat_map(|(at, _)| {
                let (own, whole) = (results.stored(self.place(*at), arm), results.stored(self.place(*at), "whole"));
                let share = own
                    .zip(whole)
                    .map_or_else(|| "–".to_owned(), |(own, whole)| format!("{:.1}", 100.0 * own as f64 / whole as f64));
                match results.last(self.place(*at), arm).is_empty() {
                    true => [NOT_RUN; 3].map(str::to_owned),
                    false => [count(own), share, count(results.taken(self.place(*at), arm))],
                }
            });
            table.row(std::iter::once(arm.to_owned()).chain(cells));
        }
        page.say(table.markdown());
        page.commands(|setting| (setting.method, setting.share, setting.rate) == (self.method, 100, 1.0));
    }
}
