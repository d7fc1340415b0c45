//! Node.js and what npm installs: the end-to-end tests' packages, and wasm-opt.

use crate::house::{House, Result};
use crate::shell::{output_of, run};
use std::path::Path;
use std::process::Command;

const OLDEST_NODE: u32 = 20;
const BINARYEN: &str = "132.0.0";

/// A command of node or npm in a folder.
pub fn command(house: &House, program: &str, folder: &Path) -> Result<Command> {
    let mut command = Command::new(program);
    command.current_dir(folder).env("PATH", house.path()?);
    Ok(command)
}

/// Node.js and npm, new enough.
pub fn node(house: &House) -> Result<()> {
    let said = output_of(command(house, "node", &house.root)?.arg("--version")).unwrap_or_default();
    let major = said.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < OLDEST_NODE) {
        let found = if said.is_empty() { "none" } else { said.as_str() };
        return Err(format!("Node.js {OLDEST_NODE} or newer is needed, found: {found}. Install it, with npm"));
    }
    Ok(())
}

/// The packages of a folder with a lock file, installed when they do not match it.
pub fn packages(house: &House, folder: &Path) -> Result<()> {
    node(house)?;
    let lock = std::fs::read(folder.join("package-lock.json"))
        .map_err(|error| format!("`{}` has no lock file: {error}", folder.display()))?;
    let stamp = folder.join("node_modules/.installed-lock");
    if std::fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    println!("Node packages of {} are missing: installing them with npm.", folder.display());
    run(command(house, "npm", folder)?.args(["ci", "--no-audit", "--no-fund"]))?;
    std::fs::write(&stamp, lock).map_err(|error| format!("`{}` cannot be written: {error}", stamp.display()))
}

/// wasm-opt, from npm's binaryen.
pub fn wasm_opt(house: &House) -> Result<()> {
    node(house)?;
    let home = house.tools.join("binaryen");
    let manifest = home.join("node_modules/binaryen/package.json");
    let version = format!("\"version\": \"{BINARYEN}\"");
    if std::fs::read_to_string(&manifest).is_ok_and(|text| text.contains(&version)) {
        return Ok(());
    }
    println!("wasm-opt (binaryen {BINARYEN}) is missing: installing it with npm.");
    std::fs::create_dir_all(&home).map_err(|error| format!("`{}` cannot be made: {error}", home.display()))?;
    let package = format!("binaryen@{BINARYEN}");
    let mut npm = command(house, "npm", &home)?;
    run(npm
        .args(["install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--prefix", "."])
        .arg(package))
}
