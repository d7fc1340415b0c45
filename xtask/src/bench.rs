//! `cargo xtask bench`: the peers' workloads in the built page, and in the peers in the same run.

use crate::house::{House, Result};
use crate::shell::run;
use crate::{browser, node, site};

/// Beside which a step is judged, and ourselves with and without relaxed SIMD.
const ENGINES: &str = "torch-1t,ort-wasm,jaxjs-wasm,heirloom-cpu,heirloom-cpu-plain";

/// `cargo xtask bench [--dist] [--webgpu] [--no-peers] [--runs N]`
pub fn bench(house: &House, arguments: &[String]) -> Result<()> {
    let mut from_dist = false;
    let mut peers = true;
    let mut passed_on: Vec<&str> = Vec::new();
    let mut rest = arguments.iter().map(String::as_str);
    while let Some(argument) = rest.next() {
        match argument {
            "--dist" => from_dist = true,
            "--no-peers" => peers = false,
            "--webgpu" => passed_on.push(argument),
            "--runs" => passed_on.extend([argument, rest.next().ok_or("`--runs` needs a number")?]),
            other => return Err(format!("`bench` does not know `{other}`")),
        }
    }
    let site = if from_dist { house.dist() } else { house.site() };
    if from_dist {
        site::build(house)?;
    } else {
        site::build_for_tests(house)?;
    }
    let chromium = browser::chromium(house)?;
    let results = house.target.join("bench");
    std::fs::create_dir_all(&results).map_err(|error| format!("`{}` cannot be made: {error}", results.display()))?;
    if peers {
        let folder = house.root.join("benches/peers");
        node::packages(house, &folder)?;
        println!("PyTorch is measured where Python has it: name that Python in PEERBENCH_PYTHON.");
        let mut all = node::command(house, "node", &folder)?;
        all.args(["bench.mjs", "--fresh", "--engines", ENGINES, "--site"]).arg(&site);
        all.arg("--out").arg(results.join("peers.json")).env("PEERBENCH_CHROMIUM", chromium);
        return run(&mut all);
    }
    node::packages(house, &house.root.join("tests/e2e"))?;
    let mut page = node::command(house, "node", &house.root)?;
    page.arg("benches/page.mjs").arg("--site").arg(site).arg("--out").arg(results.join("page.json"));
    run(page.args(passed_on).env("CHROMIUM", chromium))
}
