//! Rust's own parts and the cargo-installed tools, at exactly the versions this checkout needs.

use crate::house::{House, Result, WASM};
use crate::shell::{output_of, run};
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

const TRUNK: &str = "0.21.14";
const MACHETE: &str = "0.9.2";

/// `cargo`, in the checkout, with this checkout's tools on `PATH`.
pub fn cargo(house: &House) -> Result<Command> {
    in_house(house, "cargo")
}

/// A program that runs cargo, in the checkout, with this checkout's tools on `PATH`.
pub fn in_house(house: &House, program: impl AsRef<OsStr>) -> Result<Command> {
    let mut command = Command::new(program);
    command.current_dir(&house.root).env("PATH", house.path()?).env("CARGO_TARGET_DIR", &house.target);
    // Set by the `cargo run` that started us; build scripts that look at them would run again for nothing.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    Ok(command)
}

/// The wasm target of the toolchain.
pub fn wasm_target(house: &House) -> Result<()> {
    let mut rustc = Command::new("rustc");
    let sysroot = output_of(rustc.current_dir(&house.root).args(["--print", "sysroot"]))
        .ok_or("`rustc` was not found: install Rust with rustup")?;
    if Path::new(&sysroot).join("lib/rustlib").join(WASM).is_dir() {
        return Ok(());
    }
    println!("The target {WASM} is missing: installing it with rustup.");
    run(Command::new("rustup").current_dir(&house.root).args(["target", "add", WASM]))
}

/// rustfmt and clippy.
pub fn lints(house: &House) -> Result<()> {
    for (command, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if output_of(cargo(house)?.args([command, "--version"])).is_none() {
            println!("{component} is missing: installing it with rustup.");
            run(Command::new("rustup").current_dir(&house.root).args(["component", "add", component]))?;
        }
    }
    Ok(())
}

/// wasm-bindgen and its test runner, equal to the locked wasm-bindgen.
pub fn wasm_bindgen(house: &House) -> Result<()> {
    let version = house.locked_version("wasm-bindgen")?;
    // Built for speed: it rewrites an engine of some 40 MB each time.
    CargoTool { package: "wasm-bindgen-cli", program: "wasm-bindgen", version: &version, debug: false }.ensure(house)
}

/// Trunk. Its own speed hardly matters, and a debug build takes half the time.
pub fn trunk(house: &House) -> Result<()> {
    CargoTool { package: "trunk", program: "trunk", version: TRUNK, debug: true }.ensure(house)
}

/// cargo-machete.
pub fn machete(house: &House) -> Result<()> {
    CargoTool { package: "cargo-machete", program: "cargo-machete", version: MACHETE, debug: true }.ensure(house)
}

struct CargoTool<'a> {
    package: &'a str,
    program: &'a str,
    version: &'a str,
    debug: bool,
}

impl CargoTool<'_> {
    fn ensure(&self, house: &House) -> Result<()> {
        let Self { package, program, version, .. } = self;
        if self.is_right(house) {
            return Ok(());
        }
        println!("{package} {version} is missing: building it with cargo (some minutes, once).");
        // A crate of the tool's lock file may be withdrawn some day; its newer sibling will do.
        self.install(house, true).or_else(|_| self.install(house, false))?;
        if self.is_right(house) { Ok(()) } else { Err(format!("`{program} --version` is not {version} even now")) }
    }

    fn is_right(&self, house: &House) -> bool {
        let said = house.program(&[self.program]).and_then(|found| output_of(Command::new(found).arg("--version")));
        said.is_some_and(|said| said.split_whitespace().any(|word| word == self.version))
    }

    fn install(&self, house: &House, locked: bool) -> Result<()> {
        let mut command = cargo(house)?;
        command.arg("install").arg("--root").arg(&house.tools).args(["--version", self.version, self.package]);
        command.args(self.debug.then_some("--debug")).args(locked.then_some("--locked"));
        // Its objects go to a temporary folder: the target directory holds only this house's own.
        command.env_remove("CARGO_TARGET_DIR").env("CARGO_PROFILE_DEV_DEBUG", "0");
        run(&mut command)
    }
}
