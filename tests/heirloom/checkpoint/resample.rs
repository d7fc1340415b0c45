//! Position embeddings for other sizes, against timm (`tests/fixtures/pos_embed`).

use crate::support::assert_close;
use heirloom_plan::resample::resample_pos_embed;
use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    old: (usize, usize),
    new: (usize, usize),
    prefix_tokens: usize,
    width: usize,
    input: Vec<f32>,
    output: Vec<f32>,
}

#[test]
fn positions_are_resampled_as_timm_does() {
    let file: File = serde_json::from_str(include_str!("../../fixtures/pos_embed/timm.json")).unwrap();
    assert_eq!(file.cases.len(), 4);
    for case in file.cases {
        let resampled = resample_pos_embed(&case.input, case.prefix_tokens, case.old, case.new, case.width);
        assert_close(&resampled, &case.output, 2e-6);
    }
}

#[test]
fn the_same_grid_leaves_positions_untouched() {
    let values: Vec<f32> = (0..(1 + 12) * 2).map(|i| (i as f32).sin()).collect();
    assert_eq!(resample_pos_embed(&values, 1, (3, 4), (3, 4), 2), values);
}

#[test]
fn constant_positions_stay_constant_at_every_size() {
    for new in [1, 2, 3, 5, 8, 13] {
        let resampled = resample_pos_embed(&[0.25; 5 * 5 * 3], 0, (5, 5), (new, new), 3);
        assert_close(&resampled, &vec![0.25; new * new * 3], 1e-6);
    }
}
