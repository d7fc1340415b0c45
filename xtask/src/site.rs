//! Building and serving the page with Trunk.

use crate::house::{House, Result, WASM};
use crate::shell::run;
use crate::{node, offline, player, tools};
use std::path::Path;
use std::process::Command;

/// `cargo xtask serve`
pub fn serve(house: &House, arguments: &[String]) -> Result<()> {
    let port = match arguments {
        [] => "8080",
        [flag, port] if flag == "--port" => port,
        _ => return Err("`serve` takes only `--port N`".to_owned()),
    };
    prepare(house)?;
    println!("\nThe first build takes 25 to 40 minutes on two cores; later ones a few. Then open\n");
    println!("    http://127.0.0.1:{port}/\n");
    let mut trunk = trunk(house, "serve", &house.target.join("serve"))?;
    run(trunk.args(["--cargo-profile", "release", "--port", port]))
}

/// `cargo xtask build`
pub fn build(house: &House) -> Result<()> {
    prepare(house)?;
    node::wasm_opt(house)?;
    run(trunk(house, "build", &house.dist())?.args(["--release"]).env(player::SMALL, "1"))?;
    offline::write(house, &house.dist())?;
    println!("\nThe site is in {}: any static web server can serve it, under any path.", house.dist().display());
    sizes(&house.dist())
}

/// The site for tests and benches: the same wasm as the in-browser tests', without wasm-opt (five minutes).
pub fn build_for_tests(house: &House) -> Result<()> {
    prepare(house)?;
    run(trunk(house, "build", &house.site())?.args(["--cargo-profile", "release"]))?;
    offline::write(house, &house.site())?;
    sizes(&house.site())
}

fn prepare(house: &House) -> Result<()> {
    tools::wasm_target(house)?;
    tools::wasm_bindgen(house)?;
    tools::trunk(house)?;
    // Trunk runs offline, so that it downloads no tools of its own; the crates must be there by then.
    run(tools::cargo(house)?.args(["fetch", "--quiet", "--locked", "--target", WASM]))
}

fn trunk(house: &House, command: &str, dist: &Path) -> Result<Command> {
    let program = house.program(&["trunk"]).ok_or("trunk was not found")?;
    let mut trunk = tools::in_house(house, program)?;
    // Trunk reads NO_COLOR as a boolean and stops on its usual value `1`.
    trunk.env_remove("NO_COLOR");
    trunk.args([command, "--offline", "--locked", "--dist"]).arg(dist);
    Ok(trunk)
}

fn sizes(site: &Path) -> Result<()> {
    let entries = std::fs::read_dir(site).map_err(|error| format!("`{}` cannot be read: {error}", site.display()))?;
    for entry in entries.flatten().filter(|entry| entry.path().extension().is_some_and(|end| end == "wasm")) {
        let bytes = entry.metadata().map(|meta| meta.len()).unwrap_or(0);
        println!("    {}  {} KiB", entry.file_name().to_string_lossy(), bytes / 1024);
    }
    Ok(())
}
