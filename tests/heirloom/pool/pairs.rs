//! Which layers meet.

use heirloom_learngene::pool::{Positions, auxiliary_config};
use heirloom_learngene::stitch::{Configuration, StitchError, StitchNet, slide};
use heirloom_nn::vit::{AttentionPoolConfig, Pool, StitchedError, VitConfig};
use heirloom_plan::protocol::{
    Basis, Budget, Method, PoolConfiguration, PoolReport, PoolSettings, PoolStage, RaceState, StitchInit,
};

use super::{model, model_config, net};

#[test]
fn a_sliding_window_gives_the_published_numbers_of_pairs_and_layers() {
    for (depth, pairs, stitches) in [(12, 34, 11), (9, 25, 8), (6, 16, 5), (4, 10, 3), (3, 7, 2)] {
        let found = slide(depth, depth);
        assert_eq!((found.pairs.len(), found.stitches), (pairs, stitches), "{depth} blocks");
    }
}

#[test]
fn four_blocks_meet_in_the_published_pairs_and_share_layers_by_window() {
    let shared: Vec<_> = slide(4, 4).pairs.iter().map(|pair| (pair.front, pair.end, pair.stitch)).collect();
    let first = [(0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 0)];
    let second = [(1, 2, 1), (2, 1, 1), (2, 2, 1)];
    let third = [(2, 3, 2), (3, 2, 2), (3, 3, 2)];
    assert_eq!(shared, [&first[..], &second, &third].concat());
}

#[test]
fn a_front_of_another_depth_is_stretched_to_its_nearest_layers() {
    let found = slide(3, 6);
    let shared: Vec<_> = found.pairs.iter().map(|pair| (pair.front, pair.end, pair.stitch)).collect();
    let expected =
        [(0, 0, 0), (0, 1, 0), (0, 2, 1), (1, 1, 1), (1, 2, 1), (1, 3, 2), (1, 4, 3), (2, 3, 3), (2, 4, 3), (2, 5, 4)];
    assert_eq!((shared.as_slice(), found.stitches), (&expected[..], 5));
    let found = slide(6, 3);
    let shared: Vec<_> = found.pairs.iter().map(|pair| (pair.front, pair.end, pair.stitch)).collect();
    let expected = [(0, 0, 0), (0, 1, 0), (2, 0, 0), (2, 1, 0), (2, 2, 1), (4, 1, 1), (4, 2, 1)];
    assert_eq!((shared.as_slice(), found.stitches), (&expected[..], 2), "and a deeper front is thinned out");
}

#[test]
fn pools_of_6_and_9_blocks_have_18_and_27_configurations_and_three_anchors_of_12_have_71() {
    pollster::block_on(async {
        let device = crate::support::device().await;
        for (depth, widths, expected, stitches) in
            [(6, &[2, 4][..], 18, 5), (9, &[2, 4], 27, 8), (12, &[2, 4, 6], 71, 22)]
        {
            let sizes: Vec<_> = widths.iter().map(|&width| [depth, width]).collect();
            let net = net(&sizes, &device).await;
            assert_eq!((net.configurations().len(), net.stitches.len()), (expected, stitches), "{depth} blocks");
            assert_eq!(net.configs().len(), expected);
            let wholes = net.configurations().iter().filter(|one| matches!(one, Configuration::Anchor { .. })).count();
            assert_eq!(wholes, widths.len());
            // Every weight is stored once.
            let anchors: u64 = sizes.iter().map(|&[depth, width]| model_config(depth, width).parameters()).sum();
            let layers: u64 = net.widths().iter().map(|[input, output]| (input * output + output) as u64).sum();
            assert_eq!(net.parameters(), anchors + layers);
        }
    });
}

#[test]
fn models_that_do_not_fit_form_no_net() {
    pollster::block_on(async {
        let device = crate::support::device().await;
        let (small, large) = (model(3, 4, 1, &device).await, model(3, 8, 2, &device).await);
        let made = |anchors| StitchNet::new(anchors, &device).err();
        assert_eq!(made(vec![small.clone()]), Some(StitchError::TooFew(1)));
        assert_eq!(made(vec![large.clone(), small.clone()]), Some(StitchError::Order { larger: 1 }));
        let mut other = large.clone();
        other.config.classes = Some(4);
        assert_eq!(made(vec![small.clone(), other]), Some(StitchError::Classes { found: vec![Some(3), Some(4)] }));
        let mut other = large;
        other.config.register_tokens = 1;
        // A register stands before the patches, which the smaller model does not give.
        let tokens = StitchedError::Tokens { front: 5, front_prefix: 1, end: 6, end_prefix: 2 };
        assert_eq!(made(vec![small, other]), Some(StitchError::Neighbours(tokens)));
    });
}

#[test]
fn positions_are_the_ends_of_thirds() {
    assert_eq!(Positions::End.pairs(6, 12), [(5, 11)]);
    assert_eq!(Positions::FrontMidEnd.pairs(6, 12), [(1, 3), (3, 7), (5, 11)]);
    assert_eq!(Positions::FrontMidEnd.pairs(9, 12), [(2, 3), (5, 7), (8, 11)]);
    assert_eq!(Positions::FrontMidEnd.pairs(2, 12), [(0, 7), (1, 11)]);
    assert_eq!(Positions::FrontMidEnd.pairs(1, 12), [(0, 11)]);
    assert_eq!(Positions::None.pairs(6, 12), []);
}

#[test]
fn every_block_stands_for_the_ancestors_block_as_deep_as_it() {
    assert_eq!(Positions::Every.pairs(4, 12), [(0, 2), (1, 5), (2, 8), (3, 11)]);
    assert_eq!(Positions::Every.pairs(6, 7), [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, 6)]);
    // A student deeper than its ancestor begins where that has nothing but its embedding.
    assert_eq!(Positions::Every.pairs(4, 2), [(1, 0), (2, 0), (3, 1)]);
}

#[test]
fn an_auxiliary_model_has_the_ancestors_tokens_and_its_own_width() {
    let ancestor = model_config(12, 8);
    let config = auxiliary_config(&ancestor, [6, 6], 5, 8).unwrap();
    assert_eq!((config.depth, config.embed_dim, config.num_heads, config.head_dim, config.mlp_dim), (6, 6, 2, 3, 24));
    assert_eq!((config.image_size, config.patch_size, config.classes), (8, 2, Some(5)));
    let said = auxiliary_config(&ancestor, [6, 6], 5, 7).unwrap_err().to_string();
    assert_eq!(said, "pictures of `7` px cannot be cut into patches of `2` px: choose a multiple");
    let said = auxiliary_config(&ancestor, [0, 6], 5, 8).unwrap_err().to_string();
    assert_eq!(said, "the auxiliary model has 0 `blocks`, expected at least 1");
}

/// A report of nothing but configurations: parameters, operations, accuracy.
fn report(configurations: &[(u64, u64, f32)]) -> PoolReport {
    let one = |(id, &(parameters, flops, accuracy)): (usize, &(u64, u64, f32))| PoolConfiguration {
        id,
        path: Vec::new(),
        stitch: None,
        parameters,
        flops,
        milliseconds: Some(flops as f64 / 1e3),
        accuracy_at_start: None,
        accuracy: Some(accuracy),
        is_ready: true,
    };
    PoolReport {
        settings: PoolSettings {
            method: Method::Pool,
            models: Vec::new(),
            image_size: 32,
            batch: 1,
            head_steps: 1,
            distil_steps: 1,
            pool_steps: 1,
            lr: 0.0,
            pool_lr: 0.0,
            stitch_lr: None,
            basis: Basis::Learned,
            is_every_block: false,
            feature_weight: 1.0,
            stitch_start: StitchInit::Maps,
            is_label_only: false,
            is_anchor_teacher: false,
            augment: false,
            seed: 1,
        },
        state: RaceState::Finished,
        stage: PoolStage::Done,
        steps: [0, 0],
        models: Vec::new(),
        stitches: 0,
        configurations: configurations.iter().enumerate().map(one).collect(),
        head_loss: Vec::new(),
        distil_loss: Vec::new(),
        tune_loss: Vec::new(),
        ancestor_accuracy: None,
        ancestor_parameters: 0,
        stored_parameters: 0,
        anchor_parameters: 0,
        classes: Vec::new(),
        pictures: [0, 0],
        spearman: None,
    }
}

#[test]
fn the_best_configuration_within_a_budget_is_chosen() {
    let all = report(&[(10, 100, 0.5), (20, 300, 0.7), (30, 200, 0.7), (40, 400, 0.6)]);
    let best = |budget| all.best_within(budget).map(|one| one.id);
    assert_eq!(best(Budget::Parameters(15)), Some(0));
    assert_eq!(best(Budget::Parameters(29)), Some(1));
    assert_eq!(best(Budget::Parameters(99)), Some(2), "of equals the one with fewer operations");
    assert_eq!(best(Budget::Flops(199)), Some(0));
    assert_eq!(best(Budget::Milliseconds(0.25)), Some(2));
    assert_eq!(best(Budget::Flops(1)), None);
}

#[test]
fn an_auxiliary_model_turns_its_heads_only_where_they_can_be_turned() {
    let ancestor =
        VitConfig { head_dim: 8, pos_embed_prefix: false, options: crate::vit::centred(), ..crate::vit::small() };
    let of_width = |width| auxiliary_config(&ancestor, [1, width], 5, 12).unwrap();
    let turned = of_width(12);
    assert_eq!((turned.head_dim, turned.options.rope, turned.options.pos_embed), (4, ancestor.options.rope, false));
    let placed = of_width(6);
    assert_eq!((placed.head_dim, placed.options.rope, placed.options.pos_embed), (6, None, true));
}

#[test]
fn an_auxiliary_models_pooling_has_heads_that_share_its_width() {
    let ancestor = VitConfig { pool: Pool::Map, options: crate::vit::asked(), ..crate::vit::small() };
    let config = auxiliary_config(&ancestor, [1, 15], 5, 12).unwrap();
    let pool = AttentionPoolConfig { heads: config.num_heads, mlp_dim: 60 };
    assert_eq!((config.num_heads, config.options.attn_pool), (3, Some(pool)));
}
