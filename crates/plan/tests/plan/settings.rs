//! Settings in addresses and on the command line.

use std::collections::BTreeSet;

use heirloom_plan::protocol::{
    Basis, CopyScale, DescendantPlan, Engine, Init, LearningRate, Likeness, Method, PoolSettings, SmallModel,
    StitchInit,
};
use heirloom_plan::settings::{Expected, Experiment, Fault, Key, PRESETS, Setting, Settings, flags, nearest};

/// Settings of which nothing is as usual.
fn unusual() -> Settings {
    let mut settings = Settings::default();
    for flag in flags() {
        let setting = Setting::from_name(flag.name).unwrap();
        let (least, most, _) = setting.range();
        match setting.flag(&settings) {
            Some(is_on) => setting.set_flag(&mut settings, !is_on),
            None => {
                let other = if setting.number(&settings) == most { least } else { most };
                setting.set_number(&mut settings, other);
            }
        }
    }
    Settings {
        engine: Some(Engine::Cpu),
        method: Method::Stitch,
        chosen: vec![0, 4],
        experiment: Experiment::Sweep,
        arms: vec![Init::Line],
        sizes: vec![(1, 2)],
        rates: vec![0.5],
        batches: vec![3],
        shares: vec![12.5],
        copy_scale: CopyScale::Literal,
        small: [1, 2, 0].map(|blocks| SmallModel { blocks, width: 384 }),
        likeness: Likeness::Influence,
        basis: Basis::Random,
        stitch_start: StitchInit::Random,
        ..settings
    }
}

#[test]
fn every_setting_has_a_name_and_an_option_of_its_own_and_a_default_that_can_be_read() {
    let (flags, usual) = (flags(), Settings::default());
    let unique = |of: fn(&heirloom_plan::settings::Flag) -> String| flags.iter().map(of).collect::<BTreeSet<_>>().len();
    assert_eq!((unique(|flag| flag.name.to_owned()), unique(|flag| flag.option.clone())), (flags.len(), flags.len()));
    for flag in &flags {
        let setting = Setting::from_name(flag.name).unwrap();
        assert!(std::ptr::eq(setting.key.setting(), setting), "{}", flag.name);
        assert!(flag.help.ends_with('.') || flag.help.ends_with(']'), "{}", flag.help);
        let mut read = unusual();
        assert_eq!(setting.read(&mut read, &flag.default), Ok(()), "{}={}", flag.name, flag.default);
        assert_eq!(setting.write(&read), setting.write(&usual), "{}", flag.name);
    }
    let eps = flags.iter().find(|flag| flag.name == "eps_ffn").unwrap();
    let told = (eps.option.as_str(), eps.help.as_str(), eps.default.as_str());
    assert_eq!(told, ("--eps-ffn", "As eps, for feed-forward networks. [px]", "10"));
}

#[test]
fn what_is_written_is_read_again_whatever_was_chosen() {
    assert_eq!(Settings::default().to_fragment(), "");
    let settings = unusual();
    let differing = settings.differing(&Settings::default());
    assert_eq!(differing.len(), flags().len(), "nothing is as usual");
    assert_eq!(Settings::read_fragment(&settings.to_fragment()), (settings, Vec::new()));
}

#[test]
fn a_link_of_the_first_day_still_means_the_same() {
    let link = "#engine=webgpu&method=layers&share=0.1&eps=20&heads=4&layers=3&size=56&chosen=1%2B3+2&arms=scratch+inherited\
                &sizes=6x6+3x3&small=2x16+2x32&stitches=pinv&order=alone&lr=0.001&validate=15";
    let (settings, faults) = Settings::read_fragment(link);
    assert_eq!(faults, []);
    assert_eq!(
        (settings.engine, settings.method, settings.eps, settings.lr),
        (Some(Engine::WebGpu), Method::Layers, 20.0, 1e-3)
    );
    assert_eq!((settings.chosen, settings.arms), (vec![0, 1, 2], vec![Init::Inherited, Init::Scratch]));
    assert_eq!((settings.sizes, settings.small[2].blocks), (vec![(6, 6), (3, 3)], 0));
    assert_eq!((settings.stitch_start, settings.is_interleaved), (StitchInit::PseudoInverse, false));
}

#[test]
fn a_link_to_a_pool_from_before_the_shared_basis_means_the_pool_of_then() {
    let pool = |fragment: &str| {
        let (settings, faults) = Settings::read_fragment(fragment);
        assert_eq!(faults, [], "{fragment}");
        (settings.basis, settings.pool_lr, settings.stitch_lr)
    };
    assert_eq!(pool("#method=pool&size=56"), (Basis::Learned, 5e-4, 5e-4));
    assert_eq!(pool("#method=stitch&pool_lr=0.0003"), (Basis::Learned, 3e-4, 3e-4));
    assert_eq!(pool("#method=pool&basis=pca"), (Basis::Pca, 1e-4, 1e-3));
    // Another method chose no pool.
    assert_eq!(pool("#method=layers&steps=5"), (Basis::Pca, 1e-4, 1e-3));
    assert_eq!(Settings::from_fragment("#method=pool&stitches=learned").stitch_start, StitchInit::Maps);
    // Today's links say it.
    let settings = Settings { method: Method::Pool, ..Settings::default() };
    let link = settings.to_fragment();
    assert_eq!(link, "method=pool&arms=inherited+scratch+frozen&basis=pca&pool_lr=0.0001&stitch_lr=0.001");
    assert_eq!(Settings::from_fragment(&link), settings);
}

#[test]
fn a_pool_saved_before_there_was_a_choice_of_coordinates_is_what_it_was() {
    let saved = r#"{"method":"pool","models":[{"blocks":4,"width":96},{"blocks":4,"width":192}],"image_size":112,
        "batch":16,"head_steps":100,"distil_steps":100,"pool_steps":100,"lr":0.001,"pool_lr":0.0005,
        "stitch_start":"learned","is_anchor_teacher":false,"augment":false,"seed":1}"#;
    let pool: PoolSettings = serde_json::from_str(saved).unwrap();
    assert_eq!((pool.basis, pool.is_every_block, pool.feature_weight), (Basis::Learned, false, 1.0));
    assert_eq!((pool.stitch_lr, pool.stitch_start, pool.is_label_only), (None, StitchInit::Maps, false));
    let again: PoolSettings = serde_json::from_str(&serde_json::to_string(&pool).unwrap()).unwrap();
    assert_eq!(again, pool);
    // A new one shares a basis, and its blocks move at a tenth of the rate that its small models were distilled with.
    let usual = Settings::default().pool(14);
    assert_eq!((usual.basis, usual.is_every_block, usual.stitch_start), (Basis::Pca, true, StitchInit::Maps));
    assert_eq!((usual.lr, usual.pool_lr, usual.stitch_lr), (1e-3, 1e-4, Some(1e-3)));
}

#[test]
fn words_of_earlier_links_mean_what_they_meant() {
    for (said, likeness) in [("0", Likeness::Cka), ("1", Likeness::Learned), ("influence", Likeness::Influence)] {
        assert_eq!(Settings::from_fragment(&format!("#learned={said}")).likeness, likeness);
    }
    // In the order in which they are shown.
    assert_eq!(Settings::from_fragment("#arms=tleg+ends").arms, [Init::Ends, Init::Line]);
    assert_eq!(serde_json::from_str::<Init>("\"tleg\"").ok(), Some(Init::Line));
}

#[test]
fn a_link_from_before_the_yardstick_races_what_it_raced_then() {
    let arms = |fragment: &str| Settings::from_fragment(fragment).arms;
    let (then, now) = (vec![Init::Inherited, Init::Scratch], Settings::default().arms);
    assert_eq!(now, [Init::Inherited, Init::Scratch, Init::Frozen]);
    assert_eq!(arms("#steps=8&engine=cpu"), then);
    assert_eq!(arms("#arms=scratch&steps=8"), [Init::Scratch]);
    // No race was chosen by these.
    for fragment in ["", "#trial", "#heads", "#engine=cpu"] {
        assert_eq!(arms(fragment), now, "{fragment}");
    }
    // What is written today says it, so that today's links keep their meaning too.
    let settings = Settings { steps: 8, ..Settings::default() };
    assert_eq!(settings.to_fragment(), "arms=inherited+scratch+frozen&steps=8");
    assert_eq!(Settings::from_fragment(&settings.to_fragment()), settings);
    let engine = Settings { engine: Some(Engine::Cpu), ..Settings::default() };
    assert_eq!(Settings::from_fragment(&engine.to_fragment()), engine);
    assert!(PRESETS.iter().all(|preset| preset.settings(&settings).arms == now), "presets race it");
    let mut filled = Settings::default();
    filled.fill("steps=60", |_| true);
    assert_eq!((filled.arms, filled.steps), (now, 60));
}

#[test]
fn one_rate_for_all_tensors_is_what_an_address_or_a_saved_race_says_it_is() {
    let rate = |fragment: &str| Settings::from_fragment(fragment).learning_rate();
    assert_eq!(rate("#lr=0.001"), LearningRate::One(1e-3));
    assert_eq!(rate("#lr=0.001&relative_lr=0.5"), LearningRate::One(1e-3));
    let Settings { relative_lr: relative, fresh_lr: fresh, .. } = Settings::default();
    assert_eq!(rate("#steps=5"), LearningRate::Relative { relative, fresh });
    assert_eq!(rate("#relative_lr=0.5&fresh_lr=0.25"), LearningRate::Relative { relative: 0.5, fresh: 0.25 });
    assert!(PRESETS.iter().all(|preset| preset.settings(&Settings::default()).lr == 0.0), "no preset needs a rate");
    // A race saved before there was a choice has a number.
    for rate in [LearningRate::One(3e-5), LearningRate::Relative { relative: 0.5, fresh: 0.25 }] {
        let json = serde_json::to_string(&rate).unwrap();
        assert_eq!(serde_json::from_str::<LearningRate>(&json).unwrap(), rate);
    }
    assert_eq!(serde_json::from_str::<LearningRate>("0.00003").unwrap(), LearningRate::One(3e-5));
}

#[test]
fn what_an_address_says_wrongly_is_told_and_left_as_usual() {
    let (settings, faults) =
        Settings::read_fragment("#trial&steps=many&heads=3.5&augment=perhaps&chosen=0&colour=blue&order=x&size=%zz");
    assert_eq!(settings, Settings { arms: vec![Init::Inherited, Init::Scratch], ..Settings::default() });
    let fault = |piece: &str, expected| Fault { piece: piece.into(), expected };
    let whole = |least, most| Some(Expected::Number { is_whole: true, range: (least, most) });
    let expected = [
        fault("steps=many", whole(1.0, 1e6)),
        fault("heads=3.5", whole(1.0, 64.0)),
        fault("augment=perhaps", Some(Expected::Flag)),
        fault("chosen=0", Some(Expected::Word(Key::Chosen))),
        fault("colour=blue", None),
        fault("order=x", Some(Expected::Word(Key::Interleaved))),
        fault("size=%zz", whole(16.0, 1024.0)),
    ];
    assert_eq!(faults, expected);
    for bad in ["sizes=6x6+x", "rates=", "small=4x96", "small=1x1+1x1+1x1+1x1", "arms=who"] {
        assert_eq!(Settings::read_fragment(bad).1.len(), 1, "{bad}");
    }
}

#[test]
fn of_a_list_that_is_typed_what_can_be_used_is_used() {
    let mut settings = Settings::default();
    let rates = Key::Rates.setting();
    rates.type_in(&mut settings, "0.1, none; 7 0.1 0.01");
    assert_eq!(settings.rates, [0.1, 0.01]);
    rates.type_in(&mut settings, "nothing at all");
    assert_eq!(settings.rates, [0.1, 0.01]);
    Key::Batches.setting().type_in(&mut settings, "9999");
    assert_eq!(settings.batches, [1024], "as many as there may be");
}

#[test]
fn every_preset_is_understood_and_is_the_nearest_to_itself() {
    for preset in PRESETS {
        assert_eq!(Settings::read_fragment(preset.fragment).1, [], "{}", preset.id);
        let (found, differing) = nearest(&preset.settings(&Settings::default()));
        assert_eq!((found.id, differing.len()), (preset.id, 0));
    }
}

#[test]
fn a_preset_fills_in_only_what_the_person_left_as_usual() {
    let mut settings = Settings { steps: 5, ..Settings::default() };
    settings.fill("steps=60&heads=4&share=0.1", |name| name != "share");
    assert_eq!((settings.steps, settings.heads, settings.validation_share), (5, 4, 0.2));
}

#[test]
fn settings_give_what_the_engine_is_told() {
    let settings = Settings { image_size: 100, steps: 50, experiment: Experiment::Shares, ..Settings::default() };
    assert_eq!((settings.whole_patches(14), settings.whole_patches(300)), (98, 600));
    assert_eq!(settings.clusters(112).eps, 5.0);
    let DescendantPlan::Cluster(plan) = settings.descendant(2, 14) else { panic!("another method") };
    assert_eq!((plan.heads, plan.layers, plan.image_size), (6, 2, 98));
    let experiment = settings.experiment(plan.into());
    assert_eq!((experiment.race.warmup_steps, experiment.races().len()), (5, 5));
    let layers = Settings { method: Method::Layers, chosen: vec![0, 1, 9], layers: 2, ..settings };
    let DescendantPlan::Layers(plan) = layers.descendant(4, 1) else { panic!("another method") };
    assert_eq!((plan.chosen, plan.layers), (vec![0, 1], 3));
    assert_eq!(layers.pool(16).models.len(), 2, "a model without blocks is none");
}
