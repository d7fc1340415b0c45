//! `cargo xtask bench`: the peers' workloads in the built page.

use crate::house::{House, Result};
use crate::shell::run;
use crate::{browser, node, site};

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
    node::packages(house, &house.root.join("tests/e2e"))?;
    let results = house.target.join("bench");
    std::fs::create_dir_all(&results).map_err(|error| format!("`{}` cannot be made: {error}", results.display()))?;
    let measured_peers = results.join("peers.json");
    if peers && !measured_peers.is_file() {
        // Without the network the table still has the figures of benches/peers/BASELINE.md.
        if let Err(sentence) = measure_peers(house, &measured_peers, passed_on.contains(&"--webgpu")) {
            println!("The peers are not measured: {sentence}");
        }
    }
    let mut page = node::command(house, "node", &house.root)?;
    page.arg("benches/page.mjs").arg("--site").arg(site).arg("--out").arg(results.join("page.json"));
    page.arg("--peers").arg(measured_peers).args(passed_on).env("CHROMIUM", chromium);
    run(&mut page)
}

/// The peers once; their figures stay in target/bench/peers.json.
fn measure_peers(house: &House, out: &std::path::Path, webgpu: bool) -> Result<()> {
    let folder = house.root.join("benches/peers");
    node::packages(house, &folder)?;
    let engines = if webgpu { "jaxjs-wasm,tfjs-wasm,ort-wasm,jaxjs-webgpu" } else { "jaxjs-wasm,tfjs-wasm,ort-wasm" };
    let mut command = node::command(house, "node", &folder)?;
    command.args(["bench.mjs", "--engines", engines, "--out"]).arg(out);
    run(command.env("PEERBENCH_CHROMIUM", browser::chromium(house)?))
}
