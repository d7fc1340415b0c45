//! `cargo xtask bench`: the peers' workloads in the built page and in the peers, in one run.

use crate::house::{House, Result};
use crate::shell::run;
use crate::{browser, node, site};

/// `cargo xtask bench [--dist] [--webgpu] [--no-peers] [--peers A,B] [--peers-from FILE] [--works W0,W1] [--runs N]`
pub fn bench(house: &House, arguments: &[String]) -> Result<()> {
    let mut from_dist = false;
    let mut peers = true;
    let mut passed_on: Vec<&str> = Vec::new();
    let mut rest = arguments.iter().map(String::as_str);
    while let Some(argument) = rest.next() {
        match argument {
            "--dist" => from_dist = true,
            "--webgpu" => passed_on.push(argument),
            "--no-peers" => {
                peers = false;
                passed_on.push(argument);
            }
            "--runs" | "--works" | "--peers" | "--peers-from" => {
                peers &= argument != "--peers-from";
                let value = rest.next().ok_or_else(|| format!("`{argument}` needs a value"))?;
                passed_on.extend([argument, value]);
            }
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
    if peers && let Err(sentence) = node::packages(house, &house.root.join("benches/peers")) {
        // The page is measured all the same, and the table says which rows are missing.
        println!("The peers' packages are not installed: {sentence}");
    }
    let results = house.target.join("bench");
    std::fs::create_dir_all(&results).map_err(|error| format!("`{}` cannot be made: {error}", results.display()))?;
    let mut page = node::command(house, "node", &house.root)?;
    page.arg("benches/page.mjs").arg("--site").arg(site).arg("--out").arg(results.join("page.json"));
    run(page.args(passed_on).env("CHROMIUM", chromium))
}
