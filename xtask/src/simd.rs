//! The loops that are written to become SIMD, looked for in the engine and the player that were built.
//!
//! Whether they did shows nowhere else: native tests use another target, and a browser computes the same numbers with
//! scalar instructions, only three times as slowly. That is what once shipped.

use crate::house::{House, Result};
use crate::player;
use crate::tally::Tally;
use crate::wasm::{Code, functions};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A function, and how many vector instructions that compute its widest loop has at least: about two thirds of what was
/// counted, because another compiler unrolls otherwise.
type Loop = (&'static str, usize);

/// What a step on the processor spends its time in, and what pictures go through.
const LOOPS: [Loop; 21] = [
    ("heirloom_lanes::adamw::adamw", 10),
    ("heirloom_lanes::depthwise::add_scaled", 2),
    ("heirloom_lanes::depthwise::product_sum", 4),
    ("heirloom_lanes::depthwise::weigh", 12),
    ("heirloom_lanes::distance::DistanceTable::row_of_probabilities", 10),
    ("heirloom_lanes::gelu::gelu", 26),
    ("heirloom_lanes::gelu::gelu_gradient", 28),
    ("heirloom_lanes::gelu::gelu_with_bias", 26),
    ("heirloom_lanes::gemm::block", 12),
    ("heirloom_lanes::layer_norm::layer_norm", 10),
    ("heirloom_lanes::layer_norm::layer_norm_gradient", 4),
    ("heirloom_lanes::normalise::normalise", 4),
    ("heirloom_lanes::resize::RowTaps::resize", 8),
    ("heirloom_lanes::resize::weigh_rows", 10),
    ("heirloom_lanes::softmax::probabilities_from_lse", 14),
    ("heirloom_lanes::softmax::softmax_gradient_rows", 10),
    ("heirloom_lanes::softmax::softmax_rows_with_entropies", 20),
    ("heirloom_lanes::softmax::softmax_rows_with_lse", 20),
    ("heirloom_lanes::sums::add_rows", 1),
    ("heirloom_lanes::sums::column_sums", 3),
    ("heirloom_lanes::sums::square_sum", 8),
];

/// Those of them that the player of saved models runs.
const PLAYER: [&str; 7] = [
    "heirloom_lanes::gelu::gelu",
    "heirloom_lanes::gemm::block",
    "heirloom_lanes::layer_norm::layer_norm",
    "heirloom_lanes::normalise::normalise",
    "heirloom_lanes::resize::RowTaps::resize",
    "heirloom_lanes::resize::weigh_rows",
    "heirloom_lanes::softmax::softmax_rows_with_lse",
];

/// Fails with all functions that are missing or scalar.
pub fn check(house: &House, _: &mut Tally) -> Result<()> {
    for file in engines(&house.site())? {
        check_file(&file, &LOOPS)?;
    }
    let of_player: Vec<Loop> = LOOPS.into_iter().filter(|(name, _)| PLAYER.contains(name)).collect();
    check_file(&player::program(house), &of_player)
}

fn check_file(file: &Path, loops: &[Loop]) -> Result<()> {
    println!("{}", file.display());
    let bytes = std::fs::read(file).map_err(|error| format!("`{}` cannot be read: {error}", file.display()))?;
    let found = functions(&bytes, |name| loops.iter().any(|(wanted, _)| *wanted == name))?;
    println!("{:<64} {:>11} {:>8} {:>8}", "instructions that compute", "widest loop", "vector", "scalar");
    for (name, least) in loops {
        let Some(code) = found.get(*name) else { continue };
        let widest = format!("{} ({least})", code.widest_loop);
        println!("{name:<64} {widest:>11} {:>8} {:>8}", code.vector, code.scalar);
    }
    judge(loops, &found)
}

/// The engines of the site that the stage `page` built; wasm-opt would have taken their names.
fn engines(site: &Path) -> Result<Vec<PathBuf>> {
    let missing = |error| format!("`{}` cannot be read, so run the stage `page` first: {error}", site.display());
    let files = std::fs::read_dir(site).map_err(missing)?.flatten().map(|entry| entry.path());
    let is_engine = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("engine") && name.ends_with("_bg.wasm")
    };
    let engines: Vec<PathBuf> = files.filter(is_engine).collect();
    if engines.is_empty() { Err(format!("no engine*_bg.wasm lies in `{}`", site.display())) } else { Ok(engines) }
}

fn judge(loops: &[Loop], found: &BTreeMap<String, Code>) -> Result<()> {
    let (mut missing, mut scalar) = (Vec::new(), Vec::new());
    for (name, least) in loops {
        match found.get(*name) {
            None => missing.push(*name),
            // What is left over at the end of a row is computed one by one: a second, scalar copy of the loop.
            Some(code) if code.widest_loop < *least || code.scalar > code.vector => scalar.push(*name),
            Some(_) => {}
        }
    }
    let mut sentences = Vec::new();
    if !missing.is_empty() {
        sentences.push(format!(
            "the program has no function {}: mark each `#[inline(never)]`, or take it off the list in xtask/src/simd.rs when \
             nothing calls it",
            missing.join(", ")
        ));
    }
    if !scalar.is_empty() {
        sentences.push(format!("these loops are scalar, see the table above: {}", scalar.join(", ")));
    }
    if sentences.is_empty() { Ok(()) } else { Err(sentences.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::{Code, judge};
    use std::collections::BTreeMap;

    fn found(name: &str, widest_loop: usize, vector: usize, scalar: usize) -> BTreeMap<String, Code> {
        BTreeMap::from([(name.to_owned(), Code { widest_loop, vector, scalar })])
    }

    #[test]
    fn a_loop_of_vectors_with_a_scalar_rest_passes() {
        assert_eq!(judge(&[("a::b", 8)], &found("a::b", 8, 8, 8)), Ok(()));
    }

    #[test]
    fn a_scalar_loop_is_named() {
        for code in [found("a::b", 0, 0, 20), found("a::b", 7, 9, 0), found("a::b", 8, 8, 9)] {
            let sentence = judge(&[("a::b", 8)], &code).expect_err("it is scalar");
            assert!(sentence.ends_with("see the table above: a::b"), "{sentence}");
        }
    }

    #[test]
    fn a_function_that_was_inlined_away_is_named() {
        let sentence = judge(&[("a::b", 1), ("a::c", 1)], &found("a::b", 8, 8, 0)).expect_err("a::c is missing");
        assert!(sentence.starts_with("the program has no function a::c: mark each `#[inline(never)]`"), "{sentence}");
    }
}
