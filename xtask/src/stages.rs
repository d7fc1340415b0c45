//! `cargo xtask test`: every check, one after the other, each with its name and time.
//!
//! One wasm profile (`release`) and one target directory serve the in-browser tests and the page, because a second
//! build of burn and leptos costs some 19 CPU-minutes. A failed stage does not end the run: one wants to see them all.

use crate::house::{House, Result, WASM};
use crate::shell::{output_of, run, run_reading};
use crate::tally::Tally;
use crate::{browser, exports, fuzz, lint, node, porch, simd, site, tools};
use std::process::Command;
use std::time::{Duration, Instant};

/// Longest run of all in-browser tests, s: software WebGPU takes seconds for what a GPU does in microseconds.
const BROWSER_TESTS_SECONDS: &str = "900";

struct Stage {
    name: &'static str,
    title: &'static str,
    run: fn(&House, &mut Tally) -> Result<()>,
    /// Whether it must have run at least one test.
    counts: bool,
    /// The stage whose failure makes this one pointless.
    needs: Option<&'static str>,
}

const STAGES: [Stage; 12] = [
    Stage { name: "format", title: "formatting", run: format, counts: false, needs: None },
    Stage { name: "clippy", title: "clippy, rustdoc", run: clippy, counts: false, needs: None },
    Stage { name: "walls", title: "walls", run: walls, counts: false, needs: None },
    Stage { name: "hygiene", title: "hygiene", run: porch::hygiene, counts: false, needs: None },
    Stage { name: "native", title: "native tests", run: native, counts: true, needs: None },
    Stage { name: "exports", title: "exports elsewhere", run: exports::check, counts: true, needs: None },
    Stage { name: "fuzz", title: "damaged files", run: fuzz::check, counts: true, needs: None },
    Stage { name: "browser", title: "in-browser tests", run: browser_tests, counts: true, needs: None },
    Stage { name: "page", title: "the page", run: page, counts: false, needs: None },
    Stage { name: "clippy-wasm", title: "both, wasm", run: clippy_wasm, counts: false, needs: None },
    Stage { name: "simd", title: "SIMD in the engine", run: simd::check, counts: false, needs: Some("page") },
    Stage { name: "e2e", title: "end-to-end tests", run: end_to_end, counts: true, needs: Some("page") },
];

struct Outcome {
    stage: &'static Stage,
    time: Duration,
    tally: Tally,
    error: Option<String>,
}

/// `cargo xtask test [STAGE...]`
pub fn test(house: &House, wanted: &[String]) -> Result<()> {
    if let Some(unknown) = wanted.iter().find(|name| !STAGES.iter().any(|stage| stage.name == **name)) {
        let names: Vec<&str> = STAGES.iter().map(|stage| stage.name).collect();
        return Err(format!("there is no stage `{unknown}`; there are: {}", names.join(" ")));
    }
    let mut outcomes: Vec<Outcome> = Vec::new();
    for stage in STAGES.iter().filter(|stage| wanted.is_empty() || wanted.iter().any(|name| name == stage.name)) {
        let missing =
            stage.needs.filter(|needed| outcomes.iter().any(|o| o.stage.name == *needed && o.error.is_some()));
        outcomes.push(match missing {
            Some(needed) => {
                let error = Some(format!("not run, because `{needed}` failed"));
                Outcome { stage, time: Duration::ZERO, tally: Tally::default(), error }
            }
            None => run_stage(house, stage),
        });
    }
    summary(&outcomes)
}

fn run_stage(house: &House, stage: &'static Stage) -> Outcome {
    println!("\n== {} ==", stage.title);
    let start = Instant::now();
    let mut tally = Tally::default();
    let mut error = (stage.run)(house, &mut tally).err();
    if stage.counts && error.is_none() && tally.passed + tally.failed == 0 {
        error = Some("it ran no test".to_owned());
    }
    let time = start.elapsed();
    match &error {
        None => println!("== {}: done in {} ==", stage.title, minutes(time)),
        Some(sentence) => println!("== {}: FAILED after {}: {sentence} ==", stage.title, minutes(time)),
    }
    Outcome { stage, time, tally, error }
}

/// Prints the table and the closing line. A stage that failed without a failed test counts as one.
fn summary(outcomes: &[Outcome]) -> Result<()> {
    println!("\n{:<18} {:>9} {:>7} {:>7}", "stage", "time", "passed", "failed");
    let mut total = Tally::default();
    for Outcome { stage, time, tally, error } in outcomes {
        let failed = tally.failed.max(usize::from(error.is_some()));
        total.passed += tally.passed;
        total.failed += failed;
        println!("{:<18} {:>9} {:>7} {failed:>7}", stage.title, minutes(*time), tally.passed);
    }
    for Outcome { stage, error, .. } in outcomes {
        if let Some(sentence) = error {
            println!("FAILED: {}: {sentence}", stage.title);
        }
    }
    println!("\n{} passed, {} failed", total.passed, total.failed);
    if total.failed == 0 { Ok(()) } else { Err("not everything passed".to_owned()) }
}

fn minutes(time: Duration) -> String {
    format!("{}:{:02} min", time.as_secs() / 60, time.as_secs() % 60)
}

fn format(house: &House, _: &mut Tally) -> Result<()> {
    tools::lints(house)?;
    run(tools::cargo(house)?.args(["fmt", "--all", "--check"]))
}

fn clippy(house: &House, _: &mut Tally) -> Result<()> {
    tools::lints(house)?;
    lint::lint(house, &["--workspace", "--all-targets"])
}

/// In the builds of the in-browser tests and of the page, with their features, so that nothing else is built for it.
fn clippy_wasm(house: &House, _: &mut Tally) -> Result<()> {
    tools::lints(house)?;
    tools::wasm_target(house)?;
    let wasm = ["--release", "--target", WASM];
    lint::lint(house, &[&wasm[..], &["-p", "heirloom-tests", "--test", "heirloom"]].concat())?;
    lint::lint(house, &[&wasm[..], &["-p", "heirloom-worker", "--bin", "engine"]].concat())?;
    let cpu = ["-p", "heirloom-worker", "--bin", "engine-cpu", "--no-default-features"];
    lint::lint(house, &[&wasm[..], &cpu].concat())?;
    lint::lint(house, &[&wasm[..], &["-p", "heirloom", "--bin", "heirloom"]].concat())
}

/// What the page may link: nothing that computes on a device. What a native build may compile unless it is asked to:
/// nothing that drives a GPU, which would cost every stage above minutes and be tested by none.
fn walls(house: &House, _: &mut Tally) -> Result<()> {
    let devices = ["burn", "cubecl", "cubek", "wgpu", "naga", "gemm", "heirloom-nn", "heirloom-engine"];
    wall(house, "the page", &["-p", "heirloom", "--target", "all"], &devices)?;
    let far = [&devices[..], &["heirloom-platform", "heirloom-data", "web-sys"]].concat();
    wall(house, "the player", &["-p", "heirloom-player", "--target", "all"], &far)?;
    let gpus = ["burn-cubecl", "burn-fusion", "burn-wgpu", "cubecl-core", "cubek", "wgpu", "naga"];
    wall(house, "a native build", &["--workspace"], &gpus)?;
    let cpu = ["-p", "heirloom-worker", "--no-default-features", "--target", WASM];
    wall(house, "the engine on the CPU", &cpu, &gpus)
}

/// Fails when one of the crates of `packages` stands on one whose name starts as one of `far`.
fn wall(house: &House, who: &str, packages: &[&str], far: &[&str]) -> Result<()> {
    let mut tree = tools::cargo(house)?;
    tree.args(["tree", "--locked", "--prefix", "none", "--format", "{p}"]).args(packages);
    let tree = output_of(&mut tree).ok_or_else(|| format!("`cargo tree {}` failed", packages.join(" ")))?;
    if tree.lines().count() < 20 {
        return Err(format!("`cargo tree {}` names only {} crates", packages.join(" "), tree.lines().count()));
    }
    let found: Vec<&str> = tree.lines().filter(|line| far.iter().any(|name| line.starts_with(name))).collect();
    if found.is_empty() { Ok(()) } else { Err(format!("{who} stands on {}", found.join(", "))) }
}

fn native(house: &House, tally: &mut Tally) -> Result<()> {
    // Every program of tests runs, also after one that failed. The examples, three minutes of building, were looked at by
    // clippy; nothing here runs them, and no documentation holds a test.
    let targets = ["--workspace", "--lib", "--bins", "--tests"];
    run_reading(tools::cargo(house)?.args(["test", "--locked", "--no-fail-fast"]).args(targets), |line| {
        tally.read(line)
    })
}

fn browser_tests(house: &House, tally: &mut Tally) -> Result<()> {
    tools::wasm_target(house)?;
    tools::wasm_bindgen(house)?;
    browser::chromium(house)?;
    let driver = browser::driver(house)?;
    let mut tests = tools::cargo(house)?;
    // Chromium's flags stand in webdriver.json, where the runner looks for them.
    tests.args(["test", "--locked", "--release", "--target", WASM, "-p", "heirloom-tests", "--test", "heirloom"]);
    tests.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", "wasm-bindgen-test-runner");
    tests.env("CHROMEDRIVER", driver).env("WASM_BINDGEN_TEST_TIMEOUT", BROWSER_TESTS_SECONDS);
    run_reading(&mut tests, |line| tally.read(line))
}

fn page(house: &House, _: &mut Tally) -> Result<()> {
    site::build_for_tests(house)
}

fn end_to_end(house: &House, tally: &mut Tally) -> Result<()> {
    let folder = house.root.join("tests/e2e");
    node::packages(house, &folder)?;
    let chromium = browser::chromium(house)?;
    let mut tests: Command = node::command(house, "node", &folder)?;
    // One file after the other: two engines at once on two cores would only measure each other.
    tests.args(["--test", "--test-concurrency=1", "--test-reporter=spec"]).args(test_files(&folder)?);
    tests.env("HEIRLOOM_SITE", house.site()).env("CHROMIUM", chromium);
    run_reading(&mut tests, |line| tally.read(line))
}

/// `*.test.mjs` of the folder itself: what lies deeper is not run.
fn test_files(folder: &std::path::Path) -> Result<Vec<String>> {
    let entries =
        std::fs::read_dir(folder).map_err(|error| format!("`{}` cannot be read: {error}", folder.display()))?;
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut files: Vec<String> = names.filter(|name| name.ends_with(".test.mjs")).collect();
    files.sort();
    Ok(files)
}
