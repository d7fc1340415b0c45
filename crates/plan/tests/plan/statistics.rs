//! What curves say, on numbers whose answers are known.
use heirloom_plan::protocol::statistics::{
    Pace, Paired, PairedVerdict, Range, area_under_curve, difference, right, spread, statistics, steps_to_accuracy,
};
use heirloom_plan::protocol::*;

pub fn settings(arms: &[Init], seeds: usize) -> TrainSettings {
    let descendant = DescendantSettings {
        heads: 3,
        layers: 2,
        image_size: 32,
        depth: DepthChoice::First,
        copy_scale: CopyScale::Members,
        compensate: false,
        ffn_maps: true,
    };
    TrainSettings {
        descendant: descendant.into(),
        arms: arms.to_vec(),
        seeds,
        first_seed: 1,
        steps: 100,
        batch: 4,
        lr: 1e-3.into(),
        warmup_steps: 0,
        weight_decay: 0.05,
        label_smoothing: 0.1,
        drop_path: 0.0,
        clip_norm: 1.0,
        augment: true,
        validate_every: 0,
        share: 1.0,
        is_interleaved: true,
        micro_batch: 0,
        cut: 0,
    }
}

fn curve(points: &[(usize, f32)]) -> Vec<CurvePoint> {
    let point = |&(step, validation_accuracy)| CurvePoint {
        step,
        epoch: 0.0,
        train_loss: 0.0,
        validation_loss: 1.0 - validation_accuracy,
        validation_accuracy,
    };
    points.iter().map(point).collect()
}

pub fn run(arm: Init, seed: u64, points: &[(usize, f32)]) -> RunReport {
    RunReport {
        arm,
        seed,
        step: points.last().map_or(0, |point| point.0),
        points: curve(points),
        steps_per_second: 1.0,
        parameters: 10,
        flops: 20,
        size: (2, Some(3)),
        failure: None,
        has_model: true,
        held_out: None,
    }
}

/// A start value and the points of its runs, `(step, accuracy)`.
type Arm<'a> = (Init, &'a [&'a [(usize, f32)]]);

/// A race whose seeds have these curves, arm by arm.
pub fn race(arms: &[Arm<'_>]) -> RaceReport {
    let names: Vec<Init> = arms.iter().map(|(arm, _)| *arm).collect();
    let seeds = arms.iter().map(|(_, curves)| curves.len()).max().unwrap_or(0);
    let of_seed =
        |seed: usize| arms.iter().filter_map(move |(arm, curves)| Some(run(*arm, seed as u64 + 1, curves.get(seed)?)));
    RaceReport {
        settings: settings(&names, seeds),
        runs: (0..seeds).flat_map(of_seed).collect(),
        classes: vec!["a".into(), "b".into()],
        state: RaceState::Finished,
        first_run: 0,
    }
}

use Init::{First, Frozen, Inherited, Scratch};

#[test]
fn area_under_the_curve_is_a_mean_accuracy() {
    assert_eq!(area_under_curve(&[]), None);
    assert_eq!(area_under_curve(&curve(&[(5, 0.25)])), Some(0.25));
    // 10 steps at mean 0.25, 30 steps at mean 0.75.
    let area = area_under_curve(&curve(&[(0, 0.0), (10, 0.5), (40, 1.0)])).unwrap();
    assert!((area - (10.0 * 0.25 + 30.0 * 0.75) / 40.0).abs() < 1e-9);
}

#[test]
fn steps_to_an_accuracy_lie_on_the_line_to_the_first_point_that_reaches_it() {
    let points = curve(&[(0, 0.125), (10, 0.5), (20, 0.375), (30, 0.875)]);
    assert_eq!(steps_to_accuracy(&points, 0.5), Some(10.0));
    assert_eq!(steps_to_accuracy(&points, 0.3125), Some(5.0), "half-way to 0.5");
    assert_eq!(steps_to_accuracy(&points, 0.625), Some(25.0), "half-way from 0.375 to 0.875");
    assert_eq!(steps_to_accuracy(&points, 0.1), Some(0.0), "before any step");
    assert_eq!(steps_to_accuracy(&points, 0.9), None);
    assert_eq!(steps_to_accuracy(&[], 0.0), None);
}

#[test]
fn a_range_knows_lowest_mean_highest_and_the_deviation_of_a_sample() {
    assert_eq!(Range::from_values([]), None);
    assert_eq!(Range::from_values([f64::NAN]), None);
    let range = Range::from_values([0.2, f64::INFINITY, 0.6, 0.4]).unwrap();
    assert_eq!((range.low, range.high, range.count), (0.2, 0.6, 3));
    assert!((range.mean - 0.4).abs() < 1e-12 && (range.deviation - 0.2).abs() < 1e-12);
    assert_eq!(Range::from_values([0.5]).unwrap().deviation, 0.0);
}

#[test]
fn the_band_spans_the_seeds_of_an_arm_at_every_step() {
    let seeds: &[&[(usize, f32)]] = &[&[(0, 0.25), (10, 0.5)], &[(0, 0.75), (10, 1.0), (20, 1.0)]];
    let race = race(&[(Inherited, seeds)]);
    let band = spread(&race, Inherited, right);
    let found: Vec<_> = band.iter().map(|p| (p.step, p.range.low, p.range.mean, p.range.high, p.range.count)).collect();
    assert_eq!(found, [(0, 0.25, 0.5, 0.75, 2), (10, 0.5, 0.75, 1.0, 2), (20, 1.0, 1.0, 1.0, 1)]);
    assert!(spread(&race, Scratch, right).is_empty());
}

#[test]
fn a_race_is_summed_up_against_scratch_with_steps_to_nine_tenths_of_the_best() {
    let inherited: &[&[(usize, f32)]] = &[&[(0, 0.25), (40, 0.75)], &[(0, 0.25), (40, 0.875)]];
    let scratch: &[&[(usize, f32)]] = &[&[(0, 0.25), (40, 0.5)], &[(0, 0.25), (40, 0.375)]];
    let race = race(&[(Inherited, inherited), (Scratch, scratch)]);
    let all = statistics(&race, None).unwrap();
    assert_eq!((all.best, all.accuracy), (0.8125, 0.9 * 0.8125));
    assert_eq!(all.arms.iter().map(|arm| arm.last.mean).collect::<Vec<_>>(), [0.8125, 0.4375]);
    assert_eq!(all.arms[1].reached.unwrap().seeds, 0);
    let [one] = all.differences[..] else { panic!("one pair: {:?}", all.differences) };
    assert_eq!((one.arm, one.other), (Inherited, Scratch));
    // 0.25 and 0.5 apart: two seeds, of which the interval reaches 12.7 standard errors to either side.
    let end = one.end.unwrap();
    assert_eq!((end.mean, end.seeds, end.verdict()), (0.375, 2, PairedVerdict::NoDifference));
    assert!((end.interval.unwrap().0 - (0.375 - 12.7062 * 0.125)).abs() < 1e-4, "{end:?}");
    // To 0.73125, from 0.25: 38.5 steps on the way to 0.75, 30.8 on that to 0.875.
    assert!(matches!(one.pace, Some(Pace::OnlyThis { steps }) if (steps - 34.65).abs() < 1e-9), "{:?}", one.pace);

    // To 0.375: a quarter of the way for 0.75, a fifth for 0.875; half and all of it for scratch.
    let all = statistics(&race, Some(0.375)).unwrap();
    let Some(Pace::Sooner { steps, other, times: Some(times) }) = all.differences[0].pace else { panic!("{all:?}") };
    assert!((steps - 9.0).abs() < 1e-9 && (other - 30.0).abs() < 1e-9 && (times - 30.0 / 9.0).abs() < 1e-9);
    assert!(statistics(&RaceReport { runs: Vec::new(), ..race }, None).is_none());
}

#[test]
fn level_starts_and_single_seeds_are_called_what_they_are() {
    let alike: &[&[(usize, f32)]] = &[&[(0, 0.25), (40, 0.75)], &[(0, 0.25), (40, 0.5)]];
    let all = statistics(&race(&[(Inherited, alike), (Scratch, alike), (First, alike)]), Some(0.5)).unwrap();
    let pairs: Vec<_> = all.differences.iter().map(|one| (one.arm, one.other)).collect();
    assert_eq!(pairs, [(Inherited, Scratch), (First, Scratch), (Inherited, First)]);
    for one in &all.differences {
        assert_eq!(one.end.unwrap().verdict(), PairedVerdict::NoDifference);
        assert_eq!(one.pace, Some(Pace::Same { steps: 30.0, other: 30.0 }), "20 and 40 steps to 0.5");
    }
    // The same step up in both seeds, though their ranges overlap.
    let better: &[&[(usize, f32)]] = &[&[(0, 0.25), (40, 0.875)], &[(0, 0.25), (40, 0.625)]];
    let all = statistics(&race(&[(Inherited, better), (Scratch, alike)]), None).unwrap();
    assert_eq!(all.differences[0].end, Paired::from_differences([0.125, 0.125]));
    assert_eq!(all.differences[0].end.unwrap().verdict(), PairedVerdict::Higher);
    let single: &[&[(usize, f32)]] = &[&[(0, 0.25), (40, 0.875)]];
    let all = statistics(&race(&[(Inherited, single), (Scratch, single)]), None).unwrap();
    assert_eq!(all.differences[0].end.unwrap().verdict(), PairedVerdict::OneSeed, "chance cannot be told apart");
}

#[test]
fn the_yardstick_is_judged_at_the_end_alone_and_sets_no_pace() {
    let own: &[&[(usize, f32)]] = &[&[(0, 0.25), (40, 0.5)], &[(0, 0.25), (40, 0.75)]];
    let none: &[&[(usize, f32)]] = &[&[(0, 0.25), (40, 0.375)], &[(0, 0.25), (40, 0.375)]];
    let level: &[&[(usize, f32)]] = &[&[(0, 1.0), (40, 1.0)], &[(0, 1.0), (40, 1.0)]];
    let all = statistics(&race(&[(Inherited, own), (Scratch, none), (Frozen, level)]), None).unwrap();
    assert_eq!((all.best, all.accuracy), (0.625, 0.9 * 0.625), "nine tenths of what training reached");
    let pairs: Vec<_> = all.differences.iter().map(|one| (one.arm, one.other, one.pace.is_some())).collect();
    assert_eq!(pairs, [(Inherited, Scratch, true), (Inherited, Frozen, false)]);
    assert_eq!(all.differences[1].end, Paired::from_differences([-0.5, -0.25]));
    let reached: Vec<_> = all.arms.iter().map(|arm| arm.reached.is_some()).collect();
    assert_eq!(reached, [true, true, false]);
    // It is no weakest start to compare with, and alone it is still summed up.
    let low: &[&[(usize, f32)]] = &[&[(0, 0.125), (40, 0.125)]];
    let all = statistics(&race(&[(First, own), (Frozen, low)]), None).unwrap();
    assert_eq!((all.best, all.differences.len()), (0.625, 0));
    let alone = statistics(&race(&[(Frozen, low)]), None).unwrap();
    assert_eq!((alone.best, alone.arms.len(), alone.differences.len()), (0.125, 1, 0));
}

#[test]
fn without_scratch_the_weakest_start_is_compared_with_and_pace_is_never_divided_by_zero() {
    let high: &[&[(usize, f32)]] = &[&[(0, 0.75), (40, 0.875)]];
    let low: &[&[(usize, f32)]] = &[&[(0, 0.25), (40, 0.75)]];
    let all = statistics(&race(&[(First, low), (Inherited, high)]), Some(0.75)).unwrap();
    let [one] = all.differences[..] else { panic!("{:?}", all.differences) };
    assert_eq!((one.arm, one.other), (Inherited, First));
    assert_eq!(one.pace, Some(Pace::Sooner { steps: 0.0, other: 40.0, times: None }));
    let back = difference(&all.arms[0], &all.arms[1]);
    assert_eq!(back.pace, Some(Pace::Later { steps: 40.0, other: 0.0, times: None }));
    let none = statistics(&race(&[(First, low), (Inherited, high)]), Some(0.95)).unwrap();
    assert_eq!(none.differences[0].pace, Some(Pace::Neither));
}
