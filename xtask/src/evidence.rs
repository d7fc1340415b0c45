//! `cargo xtask evidence`: builds the command line, which races the methods and writes `docs/evidence.md`.

use crate::house::{House, Result};
use crate::shell::run;
use crate::tools;
use std::process::Command;

/// `cargo xtask evidence [OPTION...]`
pub fn evidence(house: &House, arguments: &[String]) -> Result<()> {
    // In the profile of the tests, and with the features that the workspace has together: chosen alone, the package would
    // have burn built once more.
    let mut build = tools::cargo(house)?;
    build.args(["build", "--locked", "--workspace", "--bin", "heirloom-cli"]);
    if arguments.iter().any(|argument| argument == "webgpu") {
        build.args(["--features", "heirloom-cli/webgpu"]);
    }
    run(&mut build)?;
    let program = house.target.join(format!("debug/heirloom-cli{}", std::env::consts::EXE_SUFFIX));
    run(Command::new(program).current_dir(&house.root).arg("evidence").args(arguments))
}
