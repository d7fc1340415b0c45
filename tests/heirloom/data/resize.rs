use heirloom_data::{
    Augment, Normalise, Resizer, ShrinkTo, Window, evaluation_crop, evaluation_side, resize, resize_window,
    shorter_side,
};
use heirloom_platform::image::{MAX_SIDE, RgbImage8, RowSink};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[derive(serde::Deserialize)]
struct Resized {
    width: usize,
    height: usize,
    #[serde(default)]
    new_width: usize,
    #[serde(default)]
    new_height: usize,
    input: Vec<u8>,
    output: Vec<u8>,
}

#[derive(serde::Deserialize)]
struct Fixture {
    #[serde(default)]
    image_size: usize,
    cases: Vec<Resized>,
}

fn noise(width: usize, height: usize) -> RgbImage8 {
    let mut state = 12345_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    RgbImage8 { width, height, data: (0..width * height * 3).map(|_| next()).collect() }
}

everywhere! {
    async fn resizing_equals_pillow_exactly() {
        let text = include_str!("../../fixtures/pictures/pillow_bicubic.json");
        let fixture: Fixture = serde_json::from_str(text).unwrap();
        assert_eq!(fixture.cases.len(), 4);
        for case in fixture.cases {
            let image = RgbImage8 { width: case.width, height: case.height, data: case.input };
            assert_eq!(resize(&image, case.new_width, case.new_height).data, case.output);
        }
    }

    async fn evaluation_crop_equals_pillow_and_torchvision_exactly() {
        let text = include_str!("../../fixtures/pictures/evaluation.json");
        let fixture: Fixture = serde_json::from_str(text).unwrap();
        assert_eq!((fixture.cases.len(), fixture.image_size), (4, 14));
        for case in fixture.cases {
            let image = RgbImage8 { width: case.width, height: case.height, data: case.input };
            let crop = evaluation_crop(&image, fixture.image_size);
            assert_eq!((crop.width, crop.height), (fixture.image_size, fixture.image_size));
            assert_eq!(crop.data, case.output, "{} × {}", case.width, case.height);
        }
    }

    // In wasm `usize` has 32 bits: 1024 · 1024 · 64 · 64 is 0 there, and so are the products of the others.
    async fn sizes_whose_product_is_a_power_of_two_resize() {
        let sizes = [
            (1024, 1024, 64, 64),
            (3072, 2048, 96, 64),
            (256, 256, 256, 256),
            (512, 512, 128, 128),
            (1536, 1024, 384, 256),
            (2048, 2048, 32, 32),
            (4096, 4096, 16, 16),
            (1, 32_767, 1, 64),
        ];
        for (width, height, new_width, new_height) in sizes {
            let image = RgbImage8 { width, height, data: [9, 99, 199].repeat(width * height) };
            let resized = resize(&image, new_width, new_height);
            let expected = [9, 99, 199].repeat(new_width * new_height);
            assert!(resized.data == expected, "{width} × {height} to {new_width} × {new_height}: flat stays flat");
        }
    }

    async fn any_size_is_cut_to_what_a_model_sees() {
        let mut rng = ChaCha8Rng::seed_from_u64(36);
        let powers = (0..13).map(|power| 1 << power);
        let sides: Vec<usize> = powers.chain((0..40).map(|_| rng.random_range(1..3000))).collect();
        for pair in sides.windows(2) {
            for image_size in [16, 64, 112, 224, 256] {
                let (width, height) = (pair[0], pair[1]);
                let mut sink = ShrinkTo::new(evaluation_side(image_size));
                sink.start(width, height);
                let row = [9, 99, 199].repeat(width);
                (0..height).for_each(|_| sink.rows(&row));
                let crop = evaluation_crop(&sink.finish(), image_size);
                assert_eq!((crop.width, crop.height), (image_size, image_size), "{width} × {height}");
                assert!(crop.data == [9, 99, 199].repeat(image_size * image_size), "{width} × {height}: flat stays flat");
            }
        }
    }

    async fn a_window_has_the_pixels_of_the_whole() {
        let mut rng = ChaCha8Rng::seed_from_u64(28);
        for _ in 0..60 {
            let mut side = || rng.random_range(1..90);
            let (image, width, height) = (noise(side(), side()), side(), side());
            let (left, top) = (rng.random_range(0..width), rng.random_range(0..height));
            let window = Window {
                left,
                top,
                width: rng.random_range(1..=width - left),
                height: rng.random_range(1..=height - top),
            };
            let whole = resize(&image, width, height).crop(left, top, window.width, window.height);
            assert_eq!(resize_window(&image, width, height, window), whole, "{} × {}", image.width, image.height);
        }
    }

    // The whole of it, 256 px wide, would have 8,388,352 rows: 6 GB.
    async fn the_longest_strip_is_cut_to_its_middle() {
        let long = MAX_SIDE as usize;
        // The crop shows less than one pixel of it; the kernel reaches two to each side.
        let level = |i: usize| if i.abs_diff(long / 2) <= 4 { 200 } else { 40 };
        let data: Vec<u8> = (0..long).flat_map(|i| [level(i); 3]).collect();
        for (width, height) in [(1, long), (long, 1)] {
            let crop = evaluation_crop(&RgbImage8 { width, height, data: data.clone() }, 224);
            assert_eq!((crop.width, crop.height), (224, 224));
            assert!(crop.data.iter().all(|&sample| sample == 200), "{width} × {height}");
        }
    }
}

#[test]
fn rows_may_arrive_in_any_portions() {
    let image = noise(37, 41);
    let whole = resize(&image, 12, 9);
    let mut resizer = Resizer::new(37, 41, 12, 9);
    for rows in image.data.chunks(37 * 3 * 7) {
        resizer.push(rows);
    }
    assert_eq!((resizer.size(), resizer.finish()), ((12, 9), whole.data));
}

#[test]
fn extreme_sizes_resize() {
    for (width, height, new_width, new_height) in [(1, 1, 7, 5), (1, 300, 3, 2), (500, 1, 1, 1), (3, 3, 3, 3)] {
        let image = RgbImage8 { width, height, data: [9, 99, 199].repeat(width * height) };
        let resized = resize(&image, new_width, new_height);
        assert_eq!(resized.data, [9, 99, 199].repeat(new_width * new_height), "flat colours stay flat");
    }
}

#[test]
fn shorter_side_cuts_the_longer_one_to_whole_pixels() {
    assert_eq!(shorter_side(500, 333, 256), (384, 256));
    assert_eq!(shorter_side(333, 500, 256), (256, 384));
    assert_eq!(shorter_side(100, 100, 32), (32, 32));
    assert_eq!((evaluation_side(224), evaluation_side(112), evaluation_side(98)), (256, 128, 112));
}

#[test]
fn normalised_pixels_are_planes_of_standard_scores() {
    let image = RgbImage8 { width: 2, height: 1, data: vec![0, 255, 51, 255, 0, 102] };
    let mut pixels = [0.0; 6];
    Normalise::default().write(&image, false, &mut pixels);
    let score = |value: f32, channel: usize| (value - [0.485, 0.456, 0.406][channel]) / [0.229, 0.224, 0.225][channel];
    let expected = [score(0., 0), score(1., 0), score(1., 1), score(0., 1), score(0.2, 2), score(0.4, 2)];
    crate::support::assert_close(&pixels, &expected, 1e-5);
    let mut mirrored = [0.0; 6];
    Normalise::default().write(&image, true, &mut mirrored);
    assert_eq!(mirrored, [pixels[1], pixels[0], pixels[3], pixels[2], pixels[5], pixels[4]]);
}

#[test]
fn drawn_crops_keep_their_bounds_and_shares() {
    let (width, height) = (170, 128);
    let augment = Augment::default();
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let (mut flips, mut shares) = (0, Vec::new());
    for _ in 0..2000 {
        let crop = augment.draw(width, height, &mut rng);
        assert!(crop.left + crop.width <= width && crop.top + crop.height <= height);
        let share = (crop.width * crop.height) as f32 / (width * height) as f32;
        let aspect = crop.width as f32 / crop.height as f32;
        assert!((0.48..=1.0).contains(&share), "{crop:?}");
        assert!((0.73..1.36).contains(&aspect), "{crop:?}");
        flips += usize::from(crop.mirrored);
        shares.push(share);
    }
    assert!((900..1100).contains(&flips), "{flips} of 2000 are mirrored");
    let mean = shares.iter().sum::<f32>() / 2000.0;
    assert!((0.6..0.8).contains(&mean), "mean share {mean}");
}

#[test]
fn panoramas_fall_back_to_the_largest_centred_crop() {
    let crop = Augment::default().draw(1000, 10, &mut ChaCha8Rng::seed_from_u64(1));
    assert_eq!((crop.width, crop.height, crop.left, crop.top), (13, 10, 493, 0));
}
