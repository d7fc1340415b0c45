//! SN-Net's published integers: parameters and operations of all stitches of DeiT-Ti, -S and -B.
//!
//! They count a multiply-add once and `5 N D` for a norm, leave the final norm of a stitched model out of its operations,
//! and the front's class token and positions out of its parameters (docs/methods.md, section 4.5).

use heirloom_plan::config::{ModelConfig, StitchedConfig, VitConfig};
use heirloom_plan::stitch::{Configuration, stitch_configurations};

use crate::cluster_account::deit;

/// Parameters and operations by the number of the configuration: the anchors, then the stitches in the order in which
/// their layers meet (the release's `stitches_res.txt`).
#[rustfmt::skip]
const PUBLISHED: [(u64, u64); 71] = [
    (5_717_416, 1_258_411_200), (22_050_664, 4_608_338_304), (86_567_656, 17_582_740_224), (22_345_960, 4_696_010_496),
    (20_571_496, 4_316_862_720), (22_790_824, 4_798_437_888), (21_016_360, 4_419_290_112), (19_241_896, 4_040_142_336),
    (21_461_224, 4_521_717_504), (19_686_760, 4_142_569_728), (17_912_296, 3_763_421_952), (20_131_624, 4_244_997_120),
    (18_357_160, 3_865_849_344), (16_582_696, 3_486_701_568), (18_802_024, 3_968_276_736), (17_027_560, 3_589_128_960),
    (15_253_096, 3_209_981_184), (17_472_424, 3_691_556_352), (15_697_960, 3_312_408_576), (13_923_496, 2_933_260_800),
    (16_142_824, 3_414_835_968), (14_368_360, 3_035_688_192), (12_593_896, 2_656_540_416), (14_813_224, 3_138_115_584),
    (13_038_760, 2_758_967_808), (11_264_296, 2_379_820_032), (13_483_624, 2_861_395_200), (11_709_160, 2_482_247_424),
    (9_934_696, 2_103_099_648), (12_154_024, 2_584_674_816), (10_379_560, 2_205_527_040), (8_605_096, 1_826_379_264),
    (10_824_424, 2_307_954_432), (9_049_960, 1_928_806_656), (7_275_496, 1_549_658_880), (9_494_824, 2_031_234_048),
    (7_720_360, 1_652_086_272), (88_190_440, 17_961_426_432), (81_102_568, 16_505_958_912), (89_964_904, 18_340_574_208),
    (82_877_032, 16_885_106_688), (75_789_160, 15_429_639_168), (84_651_496, 17_264_254_464), (77_563_624, 15_808_786_944),
    (70_475_752, 14_353_319_424), (79_338_088, 16_187_934_720), (72_250_216, 14_732_467_200), (65_162_344, 13_276_999_680),
    (74_024_680, 15_111_614_976), (66_936_808, 13_656_147_456), (59_848_936, 12_200_679_936), (68_711_272, 14_035_295_232),
    (61_623_400, 12_579_827_712), (54_535_528, 11_124_360_192), (63_397_864, 12_958_975_488), (56_309_992, 11_503_507_968),
    (49_222_120, 10_048_040_448), (58_084_456, 11_882_655_744), (50_996_584, 10_427_188_224), (43_908_712, 8_971_720_704),
    (52_771_048, 10_806_336_000), (45_683_176, 9_350_868_480), (38_595_304, 7_895_400_960), (47_457_640, 9_730_016_256),
    (40_369_768, 8_274_548_736), (33_281_896, 6_819_081_216), (42_144_232, 8_653_696_512), (35_056_360, 7_198_228_992),
    (27_968_488, 5_742_761_472), (36_830_824, 7_577_376_768), (29_742_952, 6_121_909_248),
];

fn anchors() -> Vec<VitConfig> {
    [(192, 3), (384, 6), (768, 12)].map(|(width, heads)| deit(width, heads)).into()
}

/// Operations of a norm of all tokens.
fn norm(config: &VitConfig) -> u64 {
    5 * (config.tokens() * config.embed_dim) as u64
}

fn of_anchor(config: &VitConfig) -> (u64, u64) {
    (config.parameters(), config.flops() / 2 + norm(config) * (2 * config.depth as u64 + 1))
}

fn of_stitched(config: &StitchedConfig) -> (u64, u64) {
    let StitchedConfig { front, end, front_layer, end_layer } = config;
    let unused = ((1 + front.tokens()) * front.embed_dim) as u64;
    let norms =
        [(front, front_layer + 1), (end, end.depth - end_layer)].map(|(one, depth)| 2 * depth as u64 * norm(one));
    (config.parameters() - unused, config.flops() / 2 + norms.iter().sum::<u64>())
}

#[test]
fn all_71_stitches_of_deit_have_the_published_parameters_and_operations() {
    let mut ways = stitch_configurations(&anchors()).unwrap();
    // Published: the anchors first.
    ways.sort_by_key(|(way, _)| !matches!(way, Configuration::Anchor { .. }));
    let found: Vec<_> = ways
        .iter()
        .map(|(_, config)| match config {
            ModelConfig::Vit(config) => of_anchor(config),
            ModelConfig::Stitched(config) => of_stitched(config),
            other => panic!("{other:?} is no way through three Vision Transformers"),
        })
        .collect();
    assert_eq!(found, PUBLISHED);
}

#[test]
fn three_anchors_store_114_335_736_parameters_and_118_403_448_with_22_stitch_layers() {
    let anchors = anchors();
    let stored: u64 = anchors.iter().map(VitConfig::parameters).sum();
    assert_eq!(stored, 114_335_736);
    let mut layers: Vec<u64> = Vec::new();
    for (way, _) in stitch_configurations(&anchors).unwrap() {
        if let Configuration::Stitched { front, end, pair } = way
            && pair.stitch == layers.len()
        {
            let [input, output] = [front, end].map(|anchor| anchors[anchor].embed_dim as u64);
            layers.push((input + 1) * output);
        }
    }
    assert_eq!((layers.len(), stored + layers.iter().sum::<u64>()), (22, 118_403_448));
}
