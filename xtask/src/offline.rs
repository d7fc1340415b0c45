//! What makes a built site work without a network: the list of its files, with the sum of each, in front of the service
//! worker that keeps them.

use crate::house::{House, Result};
use crate::letters::integrity;
use std::collections::BTreeMap;
use std::path::Path;

/// Where it lies in the site; its folder is what it answers for.
const FILE: &str = "offline.js";
/// Ancestors have up to 90 MB each: the page keeps those that were opened, in a store of its own.
/// Hidden files are of Trunk's own, while it builds.
const LEFT_OUT: [&str; 3] = ["static/ancestors/", FILE, "."];

/// Writes the service worker of a site.
pub fn write(house: &House, site: &Path) -> Result<()> {
    let mut files = BTreeMap::new();
    list(site, "", &mut files)?;
    let source = house.root.join("src/offline/worker.js");
    let worker =
        std::fs::read_to_string(&source).map_err(|error| format!("`{}` cannot be read: {error}", source.display()))?;
    let file = site.join(FILE);
    std::fs::write(&file, front(&files, &worker) + &worker)
        .map_err(|error| format!("`{}` cannot be written: {error}", file.display()))
}

/// The first line: every file with its sum, and a version that changes with any of them and with the worker.
fn front(files: &BTreeMap<String, String>, worker: &str) -> String {
    let list: Vec<String> = files.iter().map(|(name, sum)| format!("\"{name}\":\"{sum}\"")).collect();
    let list = list.join(",");
    let version = integrity(format!("{list}{worker}").as_bytes());
    format!("const SITE = {{\"version\":\"{version}\",\"files\":{{{list}}}}};\n")
}

fn list(folder: &Path, inside: &str, files: &mut BTreeMap<String, String>) -> Result<()> {
    let unreadable = |path: &Path, error| format!("`{}` cannot be read: {error}", path.display());
    for entry in std::fs::read_dir(folder).map_err(|error| unreadable(folder, error))?.flatten() {
        let (path, name) = (entry.path(), format!("{inside}{}", entry.file_name().to_string_lossy()));
        if path.is_dir() {
            list(&path, &format!("{name}/"), files)?;
        } else if !LEFT_OUT.iter().any(|left_out| name.starts_with(left_out)) {
            if name.contains(['"', '\\']) {
                return Err(format!("`{name}` has a name that does not fit the list of the site's files"));
            }
            let bytes = std::fs::read(&path).map_err(|error| unreadable(&path, error))?;
            files.insert(name, integrity(&bytes));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::front;
    use std::collections::BTreeMap;

    #[test]
    fn the_version_changes_with_any_file_and_with_the_worker() {
        let files = |sum: &str| BTreeMap::from([("index.html".to_owned(), sum.to_owned())]);
        let (one, other) = (front(&files("a"), "w"), front(&files("b"), "w"));
        assert!(one.ends_with("\"files\":{\"index.html\":\"a\"}};\n"), "{one}");
        assert_ne!(one[..60], other[..60]);
        assert_ne!(one[..60], front(&files("a"), "v")[..60]);
        assert_eq!(one, front(&files("a"), "w"));
    }
}
