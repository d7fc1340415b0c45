//! `cargo xtask fuzz`: strangers' files against what reads them (`tests/fuzz`), with libFuzzer, on the compiler of this
//! checkout: what cargo-fuzz adds are the flags below, and a sanitizer that safe code does not need.

use crate::house::{House, Result};
use crate::shell::{output_of, run, shown};
use crate::tally::Tally;
use crate::tools;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command};

const TARGETS: [&str; 7] = ["safetensors", "pickle", "strided", "zip", "picture", "description", "sealed"];
/// Coverage counters, comparisons led back to the input, and checks that a release build leaves out.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-simplifycfg-branch-fold-threshold=0 \
    -Ccodegen-units=1 -Cdebug-assertions";

/// `cargo xtask fuzz [--seconds N] [TARGET...]`
pub fn command(house: &House, arguments: &[String]) -> Result<()> {
    let (seconds, targets) = match arguments {
        [flag, seconds, targets @ ..] if flag == "--seconds" => (seconds.as_str(), targets),
        targets => ("600", targets),
    };
    let wanted = |target: &&str| targets.is_empty() || targets.iter().any(|name| name == target);
    let known: Vec<&str> = TARGETS.into_iter().filter(wanted).collect();
    if known.len() < targets.len() || seconds.parse::<u32>().is_err() {
        return Err(format!("`fuzz` takes `--seconds N` and some of: {}", TARGETS.join(" ")));
    }
    fuzz(house, &known, seconds, &mut Tally::default())
}

/// A minute each.
pub fn check(house: &House, tally: &mut Tally) -> Result<()> {
    fuzz(house, &TARGETS, "60", tally)
}

fn fuzz(house: &House, targets: &[&str], seconds: &str, tally: &mut Tally) -> Result<()> {
    let folder = house.root.join("tests/fuzz");
    let rustc = output_of(Command::new("rustc").current_dir(&house.root).arg("-vV")).ok_or("`rustc` was not found")?;
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("`rustc -vV` names no host")?;
    let home = house.target.join("fuzz");
    let mut build = tools::cargo(house)?;
    build.current_dir(&folder).env("CARGO_TARGET_DIR", &home).env("RUSTFLAGS", FLAGS);
    // A target beside the host's: build scripts are not to be counted.
    run(build.args(["build", "--release", "--locked", "--bins", "--target", host]))?;
    let programs = home.join(host).join("release");
    let mut failures = Vec::new();
    // As many at a time as there are cores.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for some in targets.chunks(cores) {
        let started: Vec<_> = some.iter().map(|target| Fuzzer::start(house, target, &programs, seconds)).collect();
        for fuzzer in started {
            match fuzzer.and_then(Fuzzer::end) {
                Ok(sentence) => {
                    println!("    {sentence}");
                    tally.passed += 1;
                }
                Err(sentence) => {
                    println!("    {sentence}");
                    tally.failed += 1;
                    failures.push(sentence);
                }
            }
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("; ")) }
}

struct Fuzzer {
    target: String,
    log: PathBuf,
    child: Child,
}

impl Fuzzer {
    /// What it finds new goes into `target/fuzz`; it begins with the inputs of `tests/fuzz/corpus`.
    fn start(house: &House, target: &str, programs: &std::path::Path, seconds: &str) -> Result<Self> {
        let home = house.target.join("fuzz");
        let (found, log) = (home.join("corpus").join(target), home.join(format!("{target}.log")));
        std::fs::create_dir_all(&found).map_err(|error| format!("`{}`: {error}", found.display()))?;
        let mut program = Command::new(programs.join(target));
        program.current_dir(&home).arg(&found).arg(house.root.join("tests/fuzz/corpus").join(target));
        program.args([&format!("-max_total_time={seconds}"), "-timeout=10", "-rss_limit_mb=1024", "-max_len=65536"]);
        program.arg(format!("-artifact_prefix={target}-"));
        println!("$ {}", shown(&program));
        let output = File::create(&log).map_err(|error| format!("`{}`: {error}", log.display()))?;
        let child = program.stderr(output).spawn().map_err(|error| format!("`{target}` did not start: {error}"))?;
        Ok(Self { target: target.to_owned(), log, child })
    }

    /// How many inputs it tried; what it died of.
    fn end(self) -> Result<String> {
        let Self { target, log, mut child } = self;
        let status = child.wait().map_err(|error| format!("`{target}` was lost: {error}"))?;
        let said = std::fs::read(&log).unwrap_or_default();
        let said = String::from_utf8_lossy(&said).into_owned();
        let tried = said.lines().rev().find(|line| line.starts_with("Done "));
        match tried.filter(|_| status.success()) {
            Some(tried) => Ok(format!("{target}: {}", tried.to_lowercase())),
            None => {
                let ending: Vec<&str> = said.lines().rev().take(40).collect();
                println!("{}", ending.into_iter().rev().collect::<Vec<_>>().join("\n"));
                Err(format!("`{target}` ended with {status}: {}", log.display()))
            }
        }
    }
}
