//! What the pools say, beside SN-Net.

use super::claims::percent;
use super::document::Page;
use super::plan::{Method, PoolKind, World};
use super::results::NetKind;
use super::tables::{NOT_RUN, Table, cell, count};
use crate::reports::{Configuration, Net};
use heirloom_charts::{Axis, Chart, Point, Series};
use heirloom_plan::protocol::statistics::Range;

/// Tables and pictures.
pub fn section(page: &mut Page<'_>) {
    page.say(
        "Two auxiliary models are distilled from the ancestor, stitched and fine-tuned together; SN-Net has anchors of the \
         same sizes that heard only the ancestor's answers, stitched by least squares, for as many steps under the same \
         teacher. A pool is made three times: in one basis that all its models share, with maps that each learns, from \
         which the stitches begin, as published, and with those and SN-Net's start. All judge every configuration on \
         the same pictures.",
    );
    summary(page);
    starts(page);
    let worlds = page.profile.worlds.clone();
    for (at, world) in worlds.iter().enumerate().filter(|(_, world)| world.methods.contains(&Method::Pool)) {
        configurations(page, at, world);
    }
}

fn commands(page: &mut Page<'_>, world: Option<usize>) {
    page.commands(|setting| setting.method == Method::Pool && world.is_none_or(|world| setting.world == world));
}

fn worlds<'a>(page: &Page<'a>) -> impl Iterator<Item = (usize, &'a World)> + use<'a> {
    page.profile.worlds.iter().enumerate().filter(|(_, world)| world.methods.contains(&Method::Pool))
}

/// Values of all seeds.
fn over(nets: &[&Net], pick: impl Fn(&Net) -> f64) -> Vec<f64> {
    nets.iter().map(|net| pick(net)).collect()
}

fn summary(page: &mut Page<'_>) {
    page.say("### The two nets, summed up");
    let mut table = Table::new([
        "set",
        "net",
        "models",
        "stored parameters",
        "the same, each model stored apart",
        "accuracy of all, %",
        "smallest model: parameters",
        "its accuracy, %",
        "largest model: parameters",
        "its accuracy, %",
        "Spearman, accuracy with operations",
    ]);
    for (at, world) in worlds(page) {
        for (name, kind) in NetKind::NAMED {
            let (nets, seeds) = (page.results.nets(at, kind), page.profile.seeds);
            let Some(first) = nets.first() else {
                table.row([world.name.clone(), name.to_owned()].into_iter().chain((0..9).map(|_| NOT_RUN.to_owned())));
                continue;
            };
            let apart: u64 = first.configurations.iter().map(|one| one.parameters).sum();
            let accuracy = |pick: fn(&Net) -> Option<&Configuration>| {
                cell(&over(&nets, |net| pick(net).map_or(0.0, |one| one.accuracy)), seeds, percent)
            };
            table.row([
                world.name.clone(),
                name.to_owned(),
                first.configurations.len().to_string(),
                count(Some(first.stored_parameters)),
                count(Some(apart)),
                cell(&over(&nets, Net::mean_accuracy), seeds, percent),
                count(first.smallest().map(|one| one.parameters)),
                accuracy(Net::smallest),
                count(first.largest().map(|one| one.parameters)),
                accuracy(Net::largest),
                cell(&over(&nets, |net| net.spearman.unwrap_or(0.0)), seeds, |one| {
                    format!("{:.2} ± {:.2}", one.mean, one.deviation)
                }),
            ]);
        }
    }
    page.say(table.markdown());
    commands(page, None);
}

/// Start values of the stitch layers.
fn starts(page: &mut Page<'_>) {
    let names = ["maps", "pinv", "least_squares", "random"];
    page.say("### Start values of the stitch layers");
    page.say(
        "Mean accuracy of all stitched models before fine-tuning, %. Of a shared basis the pseudo-inverse is the \
         transposed map. The gaps between maps and least squares are an open question; no claim is made of them.",
    );
    let mut table = Table::new(["set", "net"].into_iter().chain(names));
    for (at, world) in worlds(page) {
        // Before fine-tuning the two with learned maps are the same.
        for (name, kind) in NetKind::NAMED.into_iter().filter(|(_, kind)| *kind != NetKind::Pool(PoolKind::Fitted)) {
            let (nets, seeds) = (page.results.nets(at, kind), page.profile.seeds);
            let cells = names.map(|start| {
                let of_net = |net: &&Net| {
                    // Whole anchors have no stitch layer.
                    let stitched = net.configurations.iter().filter(|one| one.end.is_some());
                    Range::from_values(stitched.filter_map(|one| one.accuracy_at_start.get(start)).copied())
                        .map(|one| one.mean)
                };
                let values: Vec<f64> = nets.iter().filter_map(of_net).collect();
                match values.is_empty() && !nets.is_empty() {
                    true => "–".to_owned(),
                    false => cell(&values, seeds, percent),
                }
            });
            table.row([world.name.clone(), name.to_owned()].into_iter().chain(cells));
        }
    }
    page.say(table.markdown());
    commands(page, None);
}

fn configurations(page: &mut Page<'_>, at: usize, world: &World) {
    let seeds = page.profile.seeds;
    let nets = NetKind::NAMED.map(|(name, kind)| (name, page.results.nets(at, kind)));
    page.say(format!("### All configurations, {}", world.name));
    let mut heads = ["blocks × width", "parameters", "operations, 10⁶"].map(str::to_owned).to_vec();
    heads.extend(nets.each_ref().map(|(name, _)| format!("{name}: accuracy, %")));
    let mut table = Table::new(heads);
    let shape = nets.iter().find_map(|(_, nets)| nets.first());
    let shape = shape.map(|net| net.configurations.clone()).unwrap_or_default();
    let mut order: Vec<usize> = (0..shape.len()).collect();
    order.sort_by(|one, other| shape[*one].flops.cmp(&shape[*other].flops));
    for place in order {
        let values = |nets: &[&Net]| -> Vec<f64> {
            nets.iter().filter_map(|net| Some(net.configurations.get(place)?.accuracy)).collect()
        };
        let one = &shape[place];
        let about = [one.path(), count(Some(one.parameters)), format!("{:.1}", one.flops as f64 / 1e6)];
        table.row(about.into_iter().chain(nets.each_ref().map(|(_, nets)| cell(&values(nets), seeds, percent))));
    }
    if shape.is_empty() {
        table.row([NOT_RUN; 7]);
    }
    page.say(table.markdown());
    commands(page, Some(at));
    let series = |(style, (name, nets)): (usize, &(&str, Vec<&Net>))| {
        let points = (0..shape.len()).filter_map(|place| {
            let values = nets.iter().filter_map(|net| Some(100.0 * net.configurations.get(place)?.accuracy));
            let height = Range::from_values(values)?;
            Some(Point { x: shape[place].flops as f64 / 1e6, y: height.mean, range: (height.low, height.high) })
        });
        Series { name: (*name).to_owned(), style, points: points.collect(), is_line: false }
    };
    let chart = Chart {
        title: format!("{}: accuracy against operations", world.name),
        x: Axis::numbers("operations of one picture, 10⁶"),
        y: Axis::numbers("accuracy, %"),
        series: nets.iter().enumerate().map(series).collect(),
    };
    page.draw(&format!("pool-{}-operations", world.name), &chart);
}
