//! What page and engine say of a planned descendant and of a race of it.

use heirloom_plan::cluster::{ClusterSettings, Clusters, cluster_report};
use heirloom_plan::config::{ModelConfig, VitConfig};
use heirloom_plan::descendant::{Basis, PlanError, share_of};
use heirloom_plan::protocol::*;

use crate::cluster_account::deit;
use crate::statistics::settings;

/// DeiT-S with two heads near and four far in every layer.
fn ancestor() -> VitConfig {
    VitConfig { classes: None, ..deit(384, 6) }
}

fn clusters() -> Clusters {
    Clusters::from_distances(&vec![vec![10.0, 12.0, 90.0, 91.0, 92.0, 93.0]; 12], &ClusterSettings::for_image_size(224))
        .unwrap()
}

fn cluster(heads: usize, layers: usize) -> DescendantSettings {
    let depth = DepthChoice::First;
    DescendantSettings {
        heads,
        layers,
        image_size: 64,
        depth,
        copy_scale: CopyScale::Share,
        compensate: false,
        ffn_maps: true,
    }
}

const PICTURES: [[usize; 2]; 3] = [[12, 6], [12, 6], [8, 3]];

/// Calls `see` with everything a plan is made from.
fn with_basis<T>(see: impl FnOnce(Basis<'_>) -> T) -> T {
    let (ancestor, clusters) = (ModelConfig::from(ancestor()), clusters());
    let basis =
        Basis { ancestor: Some(&ancestor), clusters: Some(&clusters), pictures: &PICTURES, flops_per_second: None };
    see(basis)
}

#[test]
fn clusters_are_reported_with_what_they_keep_and_save() {
    let report = cluster_report(&deit(384, 6), &clusters(), ClusterSettings::for_image_size(224));
    assert_eq!((report.kept_heads, report.total_heads, report.kept_ffns), (24, 72, 1));
    assert_eq!(report.ancestor_parameters, ancestor().parameters());
    assert!(report.stored_parameters < report.ancestor_parameters / 3, "{}", report.stored_parameters);
}

#[test]
fn a_planned_descendant_is_counted_with_its_classifier_and_timed_once_the_machine_is_known() {
    with_basis(|basis| {
        let plan = DescendantPlan::from(cluster(4, 2));
        let summary = basis.summary(&plan).unwrap();
        let config = VitConfig { image_size: 64, depth: 2, num_heads: 4, classes: Some(3), ..ancestor() };
        assert_eq!((summary.parameters, summary.flops), (config.parameters(), config.flops()));
        assert_eq!((summary.bytes, summary.seconds_per_epoch), (4 * config.parameters(), None));
        assert!(
            summary.training_bytes > 4 * summary.bytes,
            "weights, gradients, two moments, and what is kept between"
        );
        let DescendantParts::Heads { source_layers, sources } = &summary.parts else { panic!("{:?}", summary.parts) };
        assert_eq!((source_layers.as_slice(), sources[0].len()), (&[0, 1][..], 4));
        let timed = Basis { flops_per_second: Some(config.flops() as f64), ..basis }.summary(&plan).unwrap();
        assert_eq!(timed.seconds_per_epoch, Some(3.0 * 32.0), "three passes over each of 32 pictures, one a second");
    });
}

#[test]
fn what_cannot_be_planned_is_said_in_the_words_of_the_engine() {
    let said = |basis: Basis<'_>, plan: DescendantPlan| basis.summary(&plan).unwrap_err().to_string();
    let nothing = Basis::default();
    assert!(matches!(nothing.summary(&cluster(1, 1).into()), Err(PlanError::NoAncestor)));
    with_basis(|basis| {
        let too_deep = "the descendant has `13` layers, the ancestor `12`: choose at most `12`";
        assert_eq!(said(basis, cluster(4, 13).into()), too_deep);
        let unmeasured = "no heads are clustered yet; measure the heads first";
        assert_eq!(said(Basis { clusters: None, ..basis }, cluster(4, 2).into()), unmeasured);
        let layers = LayersSettings { chosen: vec![0, 4], layers: 1, image_size: 64, freeze_epochs: 0.0 };
        assert_eq!(
            said(basis, layers.into()),
            "the descendant has `1` layers but inherits `2`: give it more, or choose fewer"
        );
    });
}

#[test]
fn a_forecast_counts_every_start_of_every_race_and_says_nothing_of_one_that_cannot_be_run() {
    with_basis(|basis| {
        let basis = Basis { flops_per_second: Some(1e9), ..basis };
        let race = TrainSettings { descendant: cluster(4, 2).into(), ..settings(&Init::ALL, 2) };
        let all = ExperimentSettings { race: race.clone(), design: Design::Race };
        let forecast = basis.forecast(&all).unwrap();
        assert_eq!((forecast.races, forecast.runs, forecast.steps), (1, 20, 2000));
        // The whole ancestor takes six times the work of two of its layers.
        let seconds = |arms: &[Init]| {
            let race = TrainSettings { arms: arms.to_vec(), ..race.clone() };
            basis.forecast(&ExperimentSettings { race, design: Design::Race }).unwrap().seconds.unwrap()
        };
        let (two, twelve) = (seconds(&[Init::First]), seconds(&[Init::Whole]));
        assert!(twelve > 5.5 * two && twelve < 6.0 * two, "{two} {twelve}");
        let sum: f64 = Init::ALL.iter().map(|&arm| seconds(&[arm])).sum();
        assert!((sum - forecast.seconds.unwrap()).abs() < 1e-6 * sum);
        // The yardstick takes no steps, but it is not for nothing; two races on the same pictures fit it once.
        let frozen = |design| {
            let race = TrainSettings { arms: vec![Init::Frozen], ..race.clone() };
            basis.forecast(&ExperimentSettings { race, design }).unwrap().seconds.unwrap()
        };
        let (one, twice) = (frozen(Design::Race), frozen(Design::Family(vec![(4, 2), (2, 1)])));
        assert!(one > 0.0 && twice > one && twice < 1.9 * one, "{one} {twice}");
        let apart = frozen(Design::Shares(vec![1.0, 0.999]));
        assert!((apart - 2.0 * one).abs() < 1e-6 * one, "other pictures are fitted anew: {apart} {one}");
        let too_deep = ExperimentSettings { design: Design::Family(vec![(4, 2), (4, 13)]), ..all.clone() };
        assert_eq!(basis.forecast(&too_deep), None);
        assert_eq!(Basis { pictures: &[[0, 0], [0, 0]], ..basis }.forecast(&all), None, "too few to be divided");
    });
}

#[test]
fn a_share_of_a_class_leaves_one_picture_at_least() {
    assert_eq!([share_of(0.25, 10), share_of(0.01, 10), share_of(1.0, 10), share_of(0.5, 0)], [3, 1, 10, 0]);
}
