//! Exports in other programs: onnxruntime (from npm), and timm, or NumPy where timm is not installed.

use crate::house::{House, Result};
use crate::shell::{output_of, run, run_reading};
use crate::tally::Tally;
use crate::{node, tools};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The only package of Python that the check cannot do without.
const NUMPY: &str = "numpy>=1.24";

/// Writes one model of every kind with our own scores, and lets the others judge.
pub fn check(house: &House, tally: &mut Tally) -> Result<()> {
    // The whole workspace: choosing one package would choose other features, and build burn once more.
    let filter = ["test", "--locked", "--workspace", "--test", "heirloom", "--", "checkpoint::exports"];
    run_reading(tools::cargo(house)?.args(filter), |line| tally.read(line))?;
    let made = house.target.join("tmp/exports");
    onnxruntime(house, &made, tally)?;
    python(house, &made)
}

fn onnxruntime(house: &House, made: &Path, tally: &mut Tally) -> Result<()> {
    let folder = house.root.join("tests/e2e");
    node::packages(house, &folder)?;
    let mut tests = node::command(house, "node", &folder)?;
    tests.args(["--test", "--test-reporter=spec", "exports/onnx.test.mjs"]).env("HEIRLOOM_EXPORTS", made);
    run_reading(&mut tests, |line| tally.read(line))
}

fn python(house: &House, made: &Path) -> Result<()> {
    let Some(python) = interpreter(house)? else {
        println!("python3 is missing: exports are not checked by timm or NumPy. Install Python 3.9 or newer for that.");
        return Ok(());
    };
    let script = house.root.join("tests/python/check_export.py");
    run(Command::new(python).arg(script).arg(made))
}

/// A Python with NumPy: the machine's own where it has it (and, with luck, timm), else one in `target/python`.
/// `None` where there is no Python at all.
fn interpreter(house: &House) -> Result<Option<PathBuf>> {
    let wanted = std::env::var_os("PYTHON").map(PathBuf::from);
    let Some(found) = wanted.or_else(|| house.program(&["python3", "python"])) else { return Ok(None) };
    let has_numpy = |python: &Path| output_of(Command::new(python).args(["-c", "import numpy"])).is_some();
    if has_numpy(&found) {
        return Ok(Some(found));
    }
    let home = house.target.join("python");
    let own = home.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if !has_numpy(&own) {
        println!("NumPy is missing: installing it with pip into a virtual environment in {}.", home.display());
        run(Command::new(&found).args(["-m", "venv"]).arg(&home))?;
        run(Command::new(&own).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", NUMPY]))?;
    }
    Ok(Some(own))
}
