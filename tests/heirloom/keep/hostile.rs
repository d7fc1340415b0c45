//! Zips of projects that chance damages: whatever comes, a sentence or a project, and the open one stays.
//!
//! `HEIRLOOM_FUZZ_SECONDS=600 cargo test --workspace --test heirloom chance_damages -- --nocapture` goes on for that long.
#![cfg(not(target_arch = "wasm32"))]

use std::time::{Duration, Instant};

use super::handing_on::{exported, rewritten};
use super::*;
use crate::support::heap::peak;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// Inputs of an ordinary run.
const USUAL: usize = 150;
/// Steps of work after a zip was given: what opens may hold a race that goes on.
const STEPS: usize = 300;
/// Bytes that opening may take besides what the whole one takes.
const ROOM: isize = 64 << 20;

/// One to four damages: a bit or a byte changed, four bytes set to an extreme, a digit to another, a piece cut out,
/// doubled or moved, or the end lost.
fn damage(bytes: &mut Vec<u8>, first: usize, random: &mut ChaCha8Rng) {
    for _ in 0..random.random_range(1..=4) {
        if bytes.len() < first + 64 {
            break;
        }
        let at = random.random_range(first..bytes.len() - 16);
        let longest = 1 << random.random_range(1..12);
        let count = random.random_range(1..=longest.min(bytes.len() - at));
        match random.random_range(0..8) {
            0 => bytes[at] ^= 1 << random.random_range(0..8),
            1 => bytes[at] = random.random(),
            2 => {
                let extreme = [[0; 4], [0xff; 4], [0xff, 0xff, 0xff, 0x7f], [0, 0, 0, 0x80]];
                bytes[at..at + 4].copy_from_slice(&extreme[random.random_range(0..extreme.len())]);
            }
            3 => _ = bytes.drain(at..at + count),
            4 => {
                let (piece, to) = (bytes[at..at + count].to_vec(), random.random_range(first..bytes.len()));
                bytes.splice(to..to, piece);
            }
            5 => bytes.truncate(at),
            _ => {
                let digits: Vec<usize> = (at..bytes.len()).filter(|&at| bytes[at].is_ascii_digit()).take(9).collect();
                for at in digits {
                    bytes[at] = b'0' + random.random_range(0..10);
                }
            }
        }
    }
}

/// A damaged zip: its directory, anything in it, or the description of the work under a seal that fits again.
fn damaged(zip: &[u8], random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = zip.to_vec();
    match random.random_range(0..3) {
        0 => damage(&mut bytes, 0, random),
        1 => {
            let directory = zip.windows(4).position(|four| four == *b"PK\x01\x02").unwrap_or(0);
            damage(&mut bytes, directory, random);
        }
        _ => {
            let random = std::cell::RefCell::new(random);
            bytes = rewritten(zip, |name, mut content| {
                if name == "work.save" {
                    // A length in front, the seal at the end.
                    content.truncate(content.len() - 32);
                    damage(&mut content, 8, &mut random.borrow_mut());
                    let seal = Sha256::digest(&content);
                    content.extend(seal);
                }
                Some((name.to_owned(), content))
            });
        }
    }
    bytes
}

/// Gives the engine a zip, and lets it work for a while; what was complained of.
fn give(engine: &mut TestEngine, zip: Vec<u8>) -> Vec<String> {
    let files = vec![FileHandle::from_bytes("project.zip", zip)];
    let command = Command::Project(ProjectCommand::Import { files: refs(&files) });
    engine.heard.borrow_mut().clear();
    pollster::block_on(async {
        engine.inner.handle(command, files).await;
        for _ in 0..STEPS {
            if !engine.inner.work().await {
                break;
            }
        }
    });
    notices(engine)
}

#[test]
fn a_project_zip_that_chance_damages_is_refused_in_a_sentence_or_opens() {
    let seconds = std::env::var("HEIRLOOM_FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let (zip, _) = pollster::block_on(exported());
    let fresh = || {
        let place = Place::new();
        let engine = pollster::block_on(engine_on(&place.storage(), begin()));
        (place, engine)
    };
    let (mut place, mut engine) = fresh();
    let (whole, said) = peak(|| give(&mut engine, zip.clone()));
    assert_eq!(said, Vec::<String>::new());
    let (mut random, began, mut tried, mut opened) = (ChaCha8Rng::seed_from_u64(7), Instant::now(), 0, 0);
    let is_done = |tried| match seconds {
        Some(seconds) => began.elapsed() > Duration::from_secs(seconds),
        None => tried == USUAL,
    };
    while !is_done(tried) {
        let (taken, said) = peak(|| give(&mut engine, damaged(&zip, &mut random)));
        assert!(taken < whole + ROOM, "input {tried} took {taken} bytes: {said:?}");
        assert!(said.iter().all(|sentence| sentence.len() > 20), "{said:?}");
        tried += 1;
        if said.is_empty() {
            // Another engine, so that projects do not pile up.
            opened += 1;
            (place, engine) = fresh();
        }
    }
    drop(place);
    println!("{tried} damaged zips, {opened} opened");
    assert!(opened < tried);
}
