//! Chromium (or Chrome) and its driver.

use crate::house::{House, Result};
use crate::shell::{output_of, run};
use std::path::PathBuf;
use std::process::Command;

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const BUNDLES: [&str; 2] = [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/// Path of the browser, from `CHROMIUM`, the `PATH` or the usual places; installed where that is possible.
pub fn chromium(house: &House) -> Result<PathBuf> {
    let find = || {
        let told = std::env::var_os("CHROMIUM").map(PathBuf::from);
        told.or_else(|| house.program(&NAMES)).or_else(|| BUNDLES.iter().map(PathBuf::from).find(|path| path.is_file()))
    };
    if find().is_none() {
        apt_install("Chromium", &["chromium"])?;
    }
    find().ok_or_else(|| "no Chromium was found: install Chrome or Chromium, or name it in `CHROMIUM`".to_owned())
}

/// Path of chromedriver, from `CHROMEDRIVER` or the `PATH`; installed where that is possible.
pub fn driver(house: &House) -> Result<PathBuf> {
    let find = || std::env::var_os("CHROMEDRIVER").map(PathBuf::from).or_else(|| house.program(&["chromedriver"]));
    if find().is_none() {
        apt_install("chromedriver", &["chromium", "chromium-driver"])?;
    }
    let missing = "no chromedriver was found: install the one of your browser's version, or name it in `CHROMEDRIVER`";
    find().ok_or_else(|| missing.to_owned())
}

/// Installs Debian packages as root; elsewhere says what is missing.
fn apt_install(what: &str, packages: &[&str]) -> Result<()> {
    let root = output_of(Command::new("id").arg("-u")).is_some_and(|user| user == "0");
    if !cfg!(target_os = "linux") || !root || output_of(Command::new("apt-get").arg("--version")).is_none() {
        let advice = format!("on Debian: `sudo apt-get install {}`", packages.join(" "));
        return Err(format!("{what} is missing: install it by hand ({advice})"));
    }
    println!("{what} is missing: installing {} with apt-get.", packages.join(" and "));
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").arg("-q");
        command
    };
    run(apt().arg("update"))?;
    run(apt().args(["install", "--yes", "--no-install-recommends"]).args(packages))
}
