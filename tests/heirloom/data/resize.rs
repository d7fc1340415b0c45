use heirloom::data::{Augment, Normalise, Resizer, evaluation_crop, evaluation_side, resize, shorter_side};
use heirloom::platform::image::RgbImage8;
use rand::SeedableRng;
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
}

#[test]
fn rows_may_arrive_in_any_portions() {
    let image = noise(37, 41);
    let whole = resize(&image, 12, 9);
    let mut resizer = Resizer::new(37, 41, 12, 9);
    for rows in image.data.chunks(37 * 3 * 7) {
        resizer.push(rows);
    }
    assert_eq!(resizer.finish(), whole);
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
