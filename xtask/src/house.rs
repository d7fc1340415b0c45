//! Where things are, and which versions Cargo.lock asks for.

use std::path::{Path, PathBuf};

/// A sentence for the person at the terminal.
pub type Result<T> = std::result::Result<T, String>;

/// The target of page and engine.
pub const WASM: &str = "wasm32-unknown-unknown";

/// The checkout and its build folders.
pub struct House {
    /// The checkout.
    pub root: PathBuf,
    /// Cargo's target directory.
    pub target: PathBuf,
    /// Tools of exactly the versions this checkout needs.
    pub tools: PathBuf,
}

impl House {
    /// Finds the checkout from what `cargo run` says and the target directory from where this program was built.
    pub fn find() -> Result<Self> {
        // Not `env!`: checkouts that share a target directory share this program too.
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR").ok_or("start this program as `cargo xtask`")?;
        let root = Path::new(&manifest).parent().ok_or("`xtask` must lie inside the checkout")?.to_path_buf();
        let program = std::env::current_exe().map_err(|error| format!("this program's path is unknown: {error}"))?;
        let target = program.ancestors().nth(2).ok_or("`xtask` was not started by cargo")?.to_path_buf();
        let tools = target.join("tools");
        Ok(Self { root, target, tools })
    }

    /// The site that `test` and `bench` build: the release profile without wasm-opt.
    pub fn site(&self) -> PathBuf {
        self.target.join("site")
    }

    /// The site that `build` makes for others.
    pub fn dist(&self) -> PathBuf {
        self.root.join("dist")
    }

    /// `PATH` with this checkout's tools first.
    pub fn path(&self) -> Result<std::ffi::OsString> {
        let own = [self.tools.join("bin"), self.tools.join("binaryen/node_modules/.bin")];
        let others = std::env::var_os("PATH").unwrap_or_default();
        std::env::join_paths(own.into_iter().chain(std::env::split_paths(&others)))
            .map_err(|error| format!("the target directory cannot stand in PATH: {error}"))
    }

    /// The first program of one of these names on [`House::path`].
    pub fn program(&self, names: &[&str]) -> Option<PathBuf> {
        let path = self.path().ok()?;
        let found = |name: &&str| {
            let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
            std::env::split_paths(&path).map(|folder| folder.join(&file)).find(|program| program.is_file())
        };
        names.iter().find_map(found)
    }

    /// The version of a package in Cargo.lock.
    pub fn locked_version(&self, package: &str) -> Result<String> {
        let file = self.root.join("Cargo.lock");
        let text = std::fs::read_to_string(&file).map_err(|error| format!("`Cargo.lock` cannot be read: {error}"))?;
        locked_version(&text, package).ok_or_else(|| format!("`Cargo.lock` does not name `{package}`"))
    }
}

fn locked_version(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name).skip(1);
    let version = lines.next()?.strip_prefix("version = \"")?;
    Some(version.trim_end_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::locked_version;

    #[test]
    fn version_is_that_of_the_package_with_exactly_this_name() {
        let lock = "[[package]]\nname = \"wasm-bindgen-cli\"\nversion = \"9.9.9\"\n\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\ndependencies = [\n]\n";
        assert_eq!(locked_version(lock, "wasm-bindgen").as_deref(), Some("0.2.130"));
        assert_eq!(locked_version(lock, "wasm"), None);
    }
}
