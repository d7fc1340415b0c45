//! The page that a saved model is put in: the player of `crates/player`, with its script, its style and its program inside,
//! so that it needs nothing beside it.

use crate::house::{House, Result, WASM};
use crate::letters::{base64, integrity};
use crate::shell::run;
use crate::{node, tools};
use std::path::{Path, PathBuf};

/// Says that wasm-opt makes the player small, as it does the rest of the site.
pub const SMALL: &str = "HEIRLOOM_SMALL";

/// `cargo xtask player`: what Trunk runs once it built the rest of a site, wherever that lies for the moment.
pub fn add(house: &House) -> Result<()> {
    let site =
        std::env::var_os("TRUNK_STAGING_DIR").ok_or("Trunk starts this command (TRUNK_STAGING_DIR is not set)")?;
    let file = Path::new(&site).join("player.html");
    let page = build(house)?;
    std::fs::write(&file, page).map_err(|error| format!("`{}` cannot be written: {error}", file.display()))
}

/// The program as cargo builds it, with the names of its functions.
pub fn program(house: &House) -> PathBuf {
    house.target.join(WASM).join("release/player.wasm")
}

fn build(house: &House) -> Result<String> {
    let mut cargo = tools::cargo(house)?;
    run(cargo.args([
        "build",
        "--locked",
        "--offline",
        "--release",
        "--target",
        WASM,
        "-p",
        "heirloom-player",
        "--bin",
        "player",
    ]))?;
    let out = house.target.join("player");
    let bindgen = house.program(&["wasm-bindgen"]).ok_or("wasm-bindgen was not found")?;
    let mut bindgen = tools::in_house(house, bindgen)?;
    // No modules: pages from `file://` may not import any.
    bindgen.args(["--target", "no-modules", "--no-typescript", "--remove-name-section", "--out-dir"]).arg(&out);
    run(bindgen.arg(program(house)))?;
    let wasm = out.join("player_bg.wasm");
    if std::env::var_os(SMALL).is_some() {
        let program = house.program(&["wasm-opt"]).ok_or("wasm-opt was not found")?;
        let features = ["--enable-simd", "--enable-bulk-memory", "--enable-nontrapping-float-to-int"];
        let more = ["--enable-sign-ext", "--enable-mutable-globals", "--enable-multivalue", "--enable-reference-types"];
        let mut small = node::command(house, &program.to_string_lossy(), &out)?;
        run(small.arg("-Os").args(features).args(more).arg(&wasm).arg("-o").arg(&wasm))?;
    }
    let folder = house.root.join("crates/player/page");
    let script = text(&out.join("player.js"))? + &text(&folder.join("player.js"))?;
    let wasm = std::fs::read(&wasm).map_err(|error| format!("`{}` cannot be read: {error}", wasm.display()))?;
    let style = text(&folder.join("player.css"))?;
    assemble(&text(&folder.join("player.html"))?, &script, &style, &base64(&wasm))
}

/// Puts the parts into the page; the policy allows exactly this script.
fn assemble(page: &str, script: &str, style: &str, wasm: &str) -> Result<String> {
    if let Some(part) = ["</script", "<!--"].into_iter().find(|part| script.contains(part)) {
        return Err(format!("the player's script holds `{part}`, which would end it inside a page"));
    }
    let policy = format!("'{}'", integrity(script.as_bytes()));
    let mut page = page.to_owned();
    for (mark, part) in [("policy", policy.as_str()), ("style", style), ("script", script), ("wasm", wasm)] {
        let mark = format!("{{{{{mark}}}}}");
        if page.matches(&mark).count() != 1 {
            return Err(format!("the player's page holds `{mark}` not once"));
        }
        page = page.replace(&mark, part);
    }
    Ok(page)
}

fn text(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).map_err(|error| format!("`{}` cannot be read: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::assemble;

    const PAGE: &str = "<meta {{policy}}><style>{{style}}</style><script>{{script}}</script><b>{{wasm}}</b>";

    #[test]
    fn the_policy_names_the_script_that_the_page_has() {
        let page = assemble(PAGE, "abc", "p {}", "AA==").unwrap();
        let policy = "'sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0='";
        assert_eq!(page, format!("<meta {policy}><style>p {{}}</style><script>abc</script><b>AA==</b>"));
    }

    #[test]
    fn a_script_that_would_end_itself_is_refused() {
        assert!(assemble(PAGE, "a = '</script>'", "", "").is_err());
        assert!(assemble("{{script}}", "", "", "").is_err());
    }
}
