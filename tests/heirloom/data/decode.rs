use std::collections::BTreeMap;

use heirloom_platform::image::{
    ImageError, MAX_PIXELS, PictureFormat, RgbImage8, data_url, decode, encode_jpeg, encode_png, probe,
};

macro_rules! fixtures {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_bytes!(concat!("../../fixtures/pictures/", $name)).as_slice())),*]
    };
}

#[derive(serde::Deserialize)]
struct Expected {
    width: usize,
    height: usize,
    data: Vec<u8>,
}

fn expected() -> BTreeMap<String, Expected> {
    serde_json::from_str(include_str!("../../fixtures/pictures/expected.json")).expect("the fixture is JSON")
}

async fn assert_decodes_like_pillow(files: &[(&str, &[u8])], tolerance: u8) {
    let expected = expected();
    for (name, bytes) in files {
        let image = decode(bytes).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let expected = &expected[*name];
        assert_eq!((image.width, image.height), (expected.width, expected.height), "{name}");
        assert_eq!(image.data.len(), expected.data.len(), "{name}");
        let worst = image.data.iter().zip(&expected.data).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(worst <= Some(tolerance), "{name}: off by {worst:?}, allowed {tolerance}");
    }
}

everywhere! {
    async fn lossless_pictures_decode_exactly_like_pillow() {
        assert_decodes_like_pillow(&fixtures!["rgb.png", "grey.png", "lossless.webp", "animated.gif"], 0).await;
    }

    async fn transparent_pictures_lie_on_white() {
        let files = fixtures!["alpha.png", "grey_alpha.png", "palette_alpha.png", "alpha.webp"];
        assert_decodes_like_pillow(&files, 1).await;
    }

    async fn sixteen_bits_become_eight() {
        assert_decodes_like_pillow(&fixtures!["rgb16.png"], 1).await;
    }

    async fn every_exif_orientation_comes_out_upright() {
        let files = fixtures![
            "orientation_1.jpg", "orientation_2.jpg", "orientation_3.jpg", "orientation_4.jpg",
            "orientation_5.jpg", "orientation_6.jpg", "orientation_7.jpg", "orientation_8.jpg",
        ];
        assert_decodes_like_pillow(&files, 3).await;
    }

    async fn grey_progressive_and_cmyk_jpegs_become_rgb() {
        assert_decodes_like_pillow(&fixtures!["grey.jpg", "progressive.jpg", "cmyk.jpg"], 4).await;
    }

    async fn lossy_webp_decodes_nearly_like_pillow() {
        assert_decodes_like_pillow(&fixtures!["lossy.webp"], 8).await;
    }

    async fn cut_off_pictures_are_refused_not_painted_grey() {
        for (name, bytes) in fixtures!["cut_off.jpg", "cut_off.png", "cut_off.webp"] {
            let outcome = decode(bytes).await;
            assert!(matches!(outcome, Err(ImageError::CutOff { .. })), "{name}: {outcome:?}");
        }
    }

    async fn a_hundred_megapixels_are_refused_before_unpacking() {
        let [(_, bytes)] = fixtures!["huge.png"];
        let error = decode(bytes).await.unwrap_err();
        assert_eq!(error, ImageError::TooLarge { width: 10_000, height: 10_000 });
        assert!(error.to_string().contains("10000 × 10000 pixels, at most 50 megapixels"), "{error}");
    }

    async fn damage_inside_a_picture_is_named() {
        let mut bytes = encode_png(&RgbImage8 { width: 40, height: 40, data: (0..4800).map(|i| (i * i % 251) as u8).collect() }).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..middle + 40].fill(0xaa);
        assert!(matches!(decode(&bytes).await, Err(ImageError::Decode { format: PictureFormat::Png, .. })));
    }

    async fn encoded_pictures_decode_again() {
        let image = RgbImage8 { width: 16, height: 16, data: [200, 100, 50].repeat(256) };
        assert_eq!(decode(&encode_png(&image).unwrap()).await.unwrap(), image);
        let jpeg = decode(&encode_jpeg(&image, 95).unwrap()).await.unwrap();
        assert!(jpeg.data.iter().zip(&image.data).all(|(a, b)| a.abs_diff(*b) <= 4));
    }
}

#[test]
fn headers_give_format_and_stored_size() {
    let cases = [
        ("rgb.png", PictureFormat::Png, 12, 8),
        ("orientation_6.jpg", PictureFormat::Jpeg, 8, 12),
        ("lossy.webp", PictureFormat::WebP, 48, 32),
        ("lossless.webp", PictureFormat::WebP, 12, 8),
        ("alpha.webp", PictureFormat::WebP, 12, 8),
        ("animated.gif", PictureFormat::Gif, 12, 8),
    ];
    for (name, format, width, height) in cases {
        let bytes = std::fs::read(format!("fixtures/pictures/{name}")).unwrap();
        let header = probe(&bytes).unwrap().unwrap();
        assert_eq!((header.format, header.width, header.height), (format, width, height), "{name}");
    }
}

#[test]
fn a_header_that_ends_early_asks_for_more() {
    let files = fixtures!["rgb.png", "progressive.jpg", "lossy.webp", "animated.gif"];
    // Bytes that tell the format, bytes up to the end of the size, and the size.
    let places = [(4, 24, [12, 8]), (3, 167, [12, 8]), (12, 30, [48, 32]), (4, 10, [12, 8])];
    for ((name, bytes), (told, enough, size)) in files.into_iter().zip(places) {
        for len in told..=bytes.len() {
            let found = probe(&bytes[..len]).unwrap_or_else(|error| panic!("{name} cut to {len}: {error}"));
            let found = found.map(|header| [header.width, header.height]);
            assert_eq!(found, (len >= enough).then_some(size), "{name} cut to {len}");
        }
    }
}

#[test]
fn other_files_are_named_with_advice() {
    let convert = "save it as JPEG or PNG first";
    let cases: [(&[u8], &str, &str); 6] = [
        (b"BM      ", "a BMP picture", convert),
        (b"\0\0\0\x20ftypheic", "a HEIC picture", convert),
        (b"%PDF-1.7", "a PDF", convert),
        (b"PK\x03\x04", "a zip", "unpack it first"),
        (b"found in the garden", "text", "leave it out, or convert an SVG to PNG"),
        (b"\x01\x02\x03\x04", "an unknown kind of file", "leave it out"),
    ];
    for (bytes, found, advice) in cases {
        let said = format!("found {found}, expected a PNG, JPEG, WebP or GIF picture; {advice}");
        assert_eq!(probe(bytes).unwrap_err().to_string(), said);
    }
    assert_eq!(probe(b""), Err(ImageError::Empty));
}

#[test]
fn absurd_sizes_in_headers_are_refused() {
    let mut bytes = include_bytes!("../../fixtures/pictures/rgb.png").to_vec();
    for (width, height) in [(0, 8), (12, 0), (u32::MAX, u32::MAX), (40_000, 2), (7_100, 7_100)] {
        bytes[16..20].copy_from_slice(&u32::to_be_bytes(width));
        bytes[20..24].copy_from_slice(&u32::to_be_bytes(height));
        let refused = match width.min(height) {
            0 => ImageError::BadHeader { format: PictureFormat::Png, what: "a side of 0 pixels" },
            _ => ImageError::TooLarge { width, height },
        };
        assert_eq!(probe(&bytes).unwrap().unwrap().check_size(), Err(refused), "{width} × {height}");
    }
    let side = (MAX_PIXELS as f64).sqrt() as u32;
    bytes[16..20].copy_from_slice(&side.to_be_bytes());
    bytes[20..24].copy_from_slice(&side.to_be_bytes());
    assert_eq!(probe(&bytes).unwrap().unwrap().check_size(), Ok(()));
}

#[test]
fn damaged_bytes_never_panic() {
    use rand::{Rng, SeedableRng};
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(4);
    let files = fixtures!["rgb.png", "palette_alpha.png", "progressive.jpg", "cmyk.jpg", "lossy.webp", "animated.gif"];
    let mut refused = 0;
    for round in 0..600 {
        let mut bytes = files[round % files.len()].1.to_vec();
        for _ in 0..rng.random_range(1..6) {
            let at = rng.random_range(0..bytes.len());
            bytes[at] = rng.random();
        }
        bytes.truncate(rng.random_range(1..=bytes.len()));
        refused += usize::from(pollster::block_on(decode(&bytes)).is_err());
    }
    assert!(refused > 300, "only {refused} of 600 damaged files were refused");
}

#[test]
fn data_urls_are_base64() {
    assert_eq!(data_url("a/b", b"Man"), "data:a/b;base64,TWFu");
    assert_eq!(data_url("a/b", b"Ma"), "data:a/b;base64,TWE=");
    assert_eq!(data_url("a/b", b"M"), "data:a/b;base64,TQ==");
    assert_eq!(data_url("a/b", b""), "data:a/b;base64,");
}
