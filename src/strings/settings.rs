//! Name, hint and value of every setting in words. A setting without them does not compile.

use super::text;
use heirloom_plan::settings::{Expected, Key, Setting, Settings, plain};

/// Its name on the screen, and a hint, which may be empty.
#[rustfmt::skip]
pub fn words(key: Key) -> (&'static str, &'static str) {
    let all = text();
    let (heads, layers, tied, descendant, race, pool, training) =
        (&all.heads, &all.layers, &all.tied, &all.descendant, &all.race, &all.pool, &all.training);
    match key {
        Key::Engine => (all.lessons.engine, all.lessons.engine_hint),
        Key::Method => (descendant.method, ""),
        Key::ValidationShare => (all.pictures.share, all.pictures.share_hint),
        Key::SplitSeed => (all.pictures.seed, all.pictures.seed_hint),
        Key::MostMegabytes => (all.pictures.most_megabytes, all.pictures.most_megabytes_hint),
        Key::MostMilliseconds => (all.pictures.most_milliseconds, all.pictures.most_milliseconds_hint),
        Key::Minutes => (all.pictures.minutes, all.pictures.minutes_hint),
        Key::MeasuredPictures => (heads.count, heads.count_hint),
        Key::Renormalise => (heads.renormalise, ""),
        Key::Eps => (heads.eps_term, ""),
        Key::MinHeads => (heads.min_heads, heads.min_heads_hint),
        Key::EpsFfn => (heads.eps_ffn, heads.eps_ffn_hint),
        Key::Strict => (heads.strict, heads.strict_hint),
        Key::Heads => (descendant.heads, descendant.heads_hint),
        Key::Layers => (descendant.layers, ""),
        Key::ImageSize => (descendant.size, ""),
        Key::Even => (descendant.even, descendant.even_hint),
        Key::CopyScale => (descendant.scale, descendant.scale_hint),
        Key::Compensate => (descendant.compensate, descendant.compensate_hint),
        Key::FfnMaps => (descendant.maps, descendant.maps_hint),
        Key::Chosen => (all.lessons.chosen, ""),
        Key::FreezeEpochs => (layers.freeze, layers.freeze_hint),
        Key::BestLayers => (layers.k, layers.k_hint),
        Key::ByMax => (layers.max, layers.max_hint),
        Key::Likeness => (layers.likeness, layers.likeness_hint),
        Key::PseudoLayers => (layers.pseudo_layers, layers.pseudo_layers_hint),
        Key::PseudoSteps => (layers.steps, layers.steps_hint),
        Key::PseudoLr => (layers.lr, layers.lr_hint),
        Key::Slice => (layers.share, layers.share_hint),
        Key::Probe => (layers.probe, layers.probe_hint),
        Key::AuxiliaryLayers => (tied.auxiliary_layers, tied.auxiliary_layers_hint),
        Key::Stages => (tied.stage_count, tied.stage_count_hint),
        Key::Temperature => (tied.temperature, tied.temperature_hint),
        Key::Experiment => (race.experiment, ""),
        Key::Arms => (race.compare, race.compare_hint),
        Key::Sizes => (race.sizes, race.sizes_hint),
        Key::Rates => (race.rates, race.rates_hint),
        Key::Batches => (race.batches, race.batches_hint),
        Key::Shares => (race.shares, race.shares_hint),
        Key::Interleaved => (race.interleaved, race.interleaved_hint),
        Key::MicroBatch => (race.micro_batch, race.micro_batch_hint),
        Key::Accuracy => (race.accuracy, race.accuracy_hint),
        Key::Small => (pool.set_up.title, ""),
        Key::Basis => (pool.basis, pool.basis_hint),
        Key::EveryBlock => (pool.every_block, pool.every_block_hint),
        Key::FeatureWeight => (pool.feature_weight, pool.feature_weight_hint),
        Key::StitchInit => (pool.stitch_start, pool.stitch_start_hint),
        Key::HeadSteps => (pool.head_steps, pool.head_steps_hint),
        Key::DistilSteps => (pool.distil_steps, pool.distil_steps_hint),
        Key::PoolSteps => (pool.pool_steps, pool.pool_steps_hint),
        Key::DistilLr => (pool.lr, pool.lr_hint),
        Key::PoolLr => (pool.pool_lr, pool.pool_lr_hint),
        Key::StitchLr => (pool.stitch_lr, pool.stitch_lr_hint),
        Key::LabelOnly => (pool.label_only, pool.label_only_hint),
        Key::AnchorTeacher => (pool.anchor_teacher, pool.anchor_teacher_hint),
        Key::PoolAugment => (pool.augment, pool.augment_hint),
        Key::PoolSeed => (pool.seed, pool.seed_hint),
        Key::Seeds => (training.seeds, training.seeds_hint),
        Key::Steps => (training.steps, training.steps_hint),
        Key::Batch => (training.batch, training.batch_hint),
        Key::Lr => (training.lr, training.lr_hint),
        Key::RelativeLr => (training.relative_lr, training.relative_lr_hint),
        Key::FreshLr => (training.fresh_lr, training.fresh_lr_hint),
        Key::Warmup => (training.warmup, training.warmup_hint),
        Key::WeightDecay => (training.decay, training.decay_hint),
        Key::LabelSmoothing => (training.smoothing, training.smoothing_hint),
        Key::DropPath => (training.drop_path, training.drop_path_hint),
        Key::ClipNorm => (training.clip, training.clip_hint),
        Key::Augment => (training.augment, training.augment_hint),
        Key::ValidateEvery => (training.validate, training.validate_hint),
    }
}

/// Its value as people read it.
pub fn shown(setting: &Setting, settings: &Settings) -> String {
    let t = &text().lessons;
    match setting.write(settings).as_str() {
        "1" if setting.flag(settings).is_some() => t.on.to_owned(),
        "0" if setting.flag(settings).is_some() => t.off.to_owned(),
        "" => t.nothing.to_owned(),
        value => value.to_owned(),
    }
}

/// What an address would have had to say.
pub fn expected(expected: Expected) -> String {
    let t = &text().lessons;
    match expected {
        Expected::Number { is_whole, range: (least, most) } => {
            (t.expected_number)(is_whole, &plain(least), &plain(most))
        }
        Expected::Flag => t.expected_flag.to_owned(),
        Expected::Word(key) => (t.expected_word)(key.setting().name).to_owned(),
    }
}
