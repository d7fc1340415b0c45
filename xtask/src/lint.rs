//! Clippy and rustdoc on what is built anyway.
//!
//! `cargo clippy` and `cargo doc` check every dependency for themselves, burn and cubecl among them, for many minutes; yet
//! the build that the tests need has all that both ask of a dependency. So they take rustc's place in that very build, for
//! the crates of this workspace alone, and write no code. Cargo tells such a build of a crate from the real one, which
//! stays as it is.

use crate::house::{House, Result};
use crate::shell::run;
use crate::tools;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};

/// Says that this program was started by cargo in rustc's place.
const MARK: &str = "HEIRLOOM_LINTS";
/// How clippy is handed its arguments by `cargo clippy`.
const CLIPPY_ARGS: &str = "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__";

/// Runs clippy, then rustdoc, on the crates of this workspace that `cargo build` would build for these arguments.
pub fn lint(house: &House, arguments: &[&str]) -> Result<()> {
    let own = std::env::current_exe().map_err(|error| format!("this program cannot find itself: {error}"))?;
    let mut cargo = tools::cargo(house)?;
    // The value is where the documentation goes.
    cargo.env("RUSTC_WORKSPACE_WRAPPER", own).env(MARK, house.target.join("doc")).env("CLIPPY_ARGS", CLIPPY_ARGS);
    run(cargo.args(["build", "--locked"]).args(arguments))
}

/// When cargo started this program in rustc's place: what came of it.
pub fn in_place_of_rustc() -> Option<ExitCode> {
    let pages = std::env::var_os(MARK)?;
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let (rustc, rest) = arguments.split_first()?;
    if !is_linted(rest) {
        return Some(ended(Command::new(rustc).args(rest)));
    }
    let rest: Vec<OsString> = rest.iter().map(without_code).collect();
    let linted = ended(Command::new("clippy-driver").arg(rustc).args(&rest));
    if linted == ExitCode::FAILURE || rest.iter().any(|argument| argument == "--test") {
        return Some(linted);
    }
    let mut rustdoc = Command::new("rustdoc");
    rustdoc.args(of_rustdoc(&rest)).args(["-D", "warnings", "-o"]).arg(pages);
    // As `cargo doc` does: of a program nothing is public.
    if rest.windows(2).any(|pair| pair[0] == "--crate-type" && pair[1] == "bin") {
        rustdoc.arg("--document-private-items");
    }
    Some(ended(&mut rustdoc))
}

fn ended(command: &mut Command) -> ExitCode {
    match command.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: `{}` did not start: {error}", command.get_program().to_string_lossy());
            ExitCode::FAILURE
        }
    }
}

/// The arguments of rustc that rustdoc knows.
fn of_rustdoc(arguments: &[OsString]) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--out-dir") => drop(arguments.next()),
            Some(text) if text.starts_with("--emit=") => {}
            _ => kept.push(argument.clone()),
        }
    }
    kept
}

/// A crate, and no question about the compiler (cargo asks in the name of `___`); build scripts have to be built, because
/// cargo runs them.
fn is_linted(arguments: &[OsString]) -> bool {
    let name = arguments.windows(2).find(|pair| pair[0] == "--crate-name").map(|pair| pair[1].to_string_lossy());
    name.is_some_and(|name| name != "___" && !name.starts_with("build_script"))
}

/// An argument of rustc, for a build of which no code is wanted: crates of this workspace are found by their metadata.
fn without_code(argument: &OsString) -> OsString {
    let Some(text) = argument.to_str() else { return argument.clone() };
    if let Some(kinds) = text.strip_prefix("--emit=") {
        let kept: Vec<&str> = kinds.split(',').filter(|kind| !["link", "metadata"].contains(kind)).collect();
        return format!("--emit={},metadata", kept.join(",")).into();
    }
    if let Some((name, path)) = text.split_once('=').filter(|(_, path)| path.ends_with(".rlib")) {
        let metadata = Path::new(path).with_extension("rmeta");
        if !Path::new(path).exists() && metadata.exists() {
            return format!("{name}={}", metadata.display()).into();
        }
    }
    argument.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_script_is_built_and_a_crate_is_linted() {
        let arguments = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        assert!(is_linted(&arguments(&["--crate-name", "heirloom_nn", "--edition=2024"])));
        assert!(!is_linted(&arguments(&["--crate-name", "build_script_build", "--edition=2024"])));
        assert!(!is_linted(&arguments(&["-vV"])));
        assert!(!is_linted(&arguments(&["-", "--crate-name", "___", "--print=file-names"])));
    }

    #[test]
    fn rustdoc_is_not_told_where_code_goes() {
        let arguments = ["--crate-name", "nn", "--emit=dep-info,metadata", "--out-dir", "deps", "-L", "deps"];
        let kept = of_rustdoc(&arguments.map(OsString::from));
        assert_eq!(kept, ["--crate-name", "nn", "-L", "deps"].map(OsString::from));
    }

    #[test]
    fn no_code_is_asked_for() {
        let changed = |text: &str| without_code(&OsString::from(text)).into_string().unwrap();
        assert_eq!(changed("--emit=dep-info,metadata,link"), "--emit=dep-info,metadata");
        assert_eq!(changed("--emit=dep-info,link"), "--emit=dep-info,metadata");
        assert_eq!(changed("nothing=/of/this/kind.rlib"), "nothing=/of/this/kind.rlib");
    }
}
