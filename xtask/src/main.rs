//! The house's commands: `cargo xtask serve | test | build | bench | fuzz | evidence`.
//!
//! Each installs what it needs through the ordinary clients (rustup, cargo, npm, apt) and says so first. Tools go into
//! `target/tools`, so that their versions follow this checkout and collide with nothing.

mod bench;
mod browser;
mod evidence;
mod exports;
mod fuzz;
mod house;
mod letters;
mod lint;
mod node;
mod offline;
mod player;
mod porch;
mod shell;
mod simd;
mod site;
mod stages;
mod tally;
mod tools;
mod wasm;

use house::House;
use std::process::ExitCode;

const HELP: &str = "\
cargo xtask serve [--port N]         build the page, serve it, build again after each change
cargo xtask test [STAGE...]          every check; or only these: format clippy walls hygiene native exports fuzz
                                     browser page clippy-wasm simd e2e
cargo xtask build                    the static site in dist/, made small by wasm-opt
cargo xtask bench [OPTION...]        MM, W0 to W4 and RS in the built page and in its peers, one run and one table; PyTorch
                                     where the Python named in PEERBENCH_PYTHON has it. --dist: the site of `build`;
                                     --webgpu: also on WebGPU; --works W0,W1; --runs N; --peers A,B; --no-peers;
                                     --peers-from FILE: rows of an earlier run
cargo xtask fuzz [--seconds N] [TARGET...]   damaged files of every kind against what reads them; 600 s each
cargo xtask evidence [OPTION...]     races of all methods, and docs/evidence.md with tables and pictures; goes on where
                                     it was broken off (--help: the options)";

fn main() -> ExitCode {
    if let Some(code) = lint::in_place_of_rustc() {
        return code;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((command, rest)) = arguments.split_first() else {
        println!("{HELP}");
        return ExitCode::from(2);
    };
    let result = House::find().and_then(|house| match command.as_str() {
        "serve" => site::serve(&house, rest),
        "test" => stages::test(&house, rest),
        "build" => site::build(&house),
        // Not for people: Trunk runs it.
        "player" => player::add(&house),
        "bench" => bench::bench(&house, rest),
        "fuzz" => fuzz::command(&house, rest),
        "evidence" => evidence::evidence(&house, rest),
        "help" | "--help" | "-h" => {
            println!("{HELP}");
            Ok(())
        }
        other => Err(format!("there is no command `{other}`\n\n{HELP}")),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("xtask: {sentence}");
            ExitCode::FAILURE
        }
    }
}
