//! Which step dropped files belong to, told by what lies beside what. The page knows paths only: bytes stay with the
//! engine, which says what a file really is. So a model's folder goes to one step as a whole, and neither step complains
//! about files of the other.

use std::collections::BTreeSet;

/// Where a dropped file goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Step 1: weights, and what describes them.
    Ancestor,
    /// Step 2.
    Pictures,
    /// A project that was unpacked.
    Project,
    /// Nowhere: what programs hide in a model's folder.
    Nowhere,
}

/// Endings of weights, those of other programs too: the engine names what it cannot open.
const WEIGHTS: [&str; 14] = [
    ".safetensors",
    ".pth",
    ".pt",
    ".bin",
    ".ckpt",
    ".th",
    ".pkl",
    ".pth.tar",
    ".onnx",
    ".h5",
    ".keras",
    ".tflite",
    ".msgpack",
    ".gguf",
];
/// Endings of pictures.
const PICTURES: [&str; 11] =
    [".jpg", ".jpeg", ".jpe", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".avif"];
/// The file that every project has.
const PROJECT: &str = "work.save";
/// Folders that programs keep for themselves.
const HIDDEN: [&str; 3] = [".git", ".cache", "__MACOSX"];

/// Where each of the files with these paths goes; `on_ancestor` says whether they were dropped on step 1.
#[must_use]
pub fn sort_drop(paths: &[&str], on_ancestor: bool) -> Vec<Destination> {
    if let Some(root) =
        paths.iter().filter(|path| name(path) == PROJECT).map(|path| folder(path)).min_by_key(|r| r.len())
    {
        let of = |path: &&str| if is_below(path, root) { Destination::Project } else { Destination::Nowhere };
        return paths.iter().map(of).collect();
    }
    let drop = Drop::new(paths, on_ancestor);
    let mut places: Vec<_> = paths.iter().map(|path| drop.place(path)).collect();
    // Step 2 has nothing to say about texts alone.
    let is_for_pictures = |(path, place): (&&str, &Destination)| {
        *place == Destination::Pictures && (ends(path, &PICTURES) || ends(path, &[".zip"]))
    };
    let has_models = places.contains(&Destination::Ancestor) || on_ancestor;
    if has_models && !paths.iter().zip(&places).any(is_for_pictures) {
        places
            .iter_mut()
            .filter(|place| **place == Destination::Pictures)
            .for_each(|place| *place = Destination::Ancestor);
    }
    places
}

struct Drop<'a> {
    on_ancestor: bool,
    /// Folders with weights, with the slash at their end; that of loose files is empty.
    roots: BTreeSet<&'a str>,
    /// Of those, the ones below which pictures are sorted into folders of their own.
    roots_with_classes: BTreeSet<&'a str>,
    /// Outermost folders with pictures.
    tops_with_pictures: BTreeSet<&'a str>,
}

impl<'a> Drop<'a> {
    fn new(paths: &[&'a str], on_ancestor: bool) -> Self {
        let roots: BTreeSet<&str> = paths.iter().filter(|path| ends(path, &WEIGHTS)).map(|path| folder(path)).collect();
        let pictures: Vec<&str> = paths.iter().copied().filter(|path| ends(path, &PICTURES)).collect();
        let has_classes = |root: &&&str| {
            let folders =
                pictures.iter().map(|path| folder(path)).filter(|at| at.len() > root.len() && is_below(at, root));
            folders.collect::<BTreeSet<_>>().len() > 1
        };
        let roots_with_classes = roots.iter().filter(has_classes).copied().collect();
        let tops_with_pictures = pictures.iter().map(|path| top(path)).collect();
        Self { on_ancestor, roots, roots_with_classes, tops_with_pictures }
    }

    fn place(&self, path: &str) -> Destination {
        let is_hidden = path.split('/').any(|part| HIDDEN.contains(&part)) || name(path).starts_with("._");
        if ends(path, &WEIGHTS) {
            return if is_hidden { Destination::Nowhere } else { Destination::Ancestor };
        }
        let (at, is_zip) = (folder(path), ends(path, &[".zip"]));
        let root = self.roots.iter().rev().find(|root| !root.is_empty() && is_below(path, root));
        match root {
            Some(_) if is_hidden => Destination::Nowhere,
            // Pictures in one folder beside a model illustrate it; in several they are classes.
            Some(root) if ends(path, &PICTURES) && at != *root && self.roots_with_classes.contains(root) => {
                Destination::Pictures
            }
            Some(_) => Destination::Ancestor,
            None if is_zip => {
                if self.on_ancestor {
                    Destination::Ancestor
                } else {
                    Destination::Pictures
                }
            }
            None if ends(path, &PICTURES) => Destination::Pictures,
            None if at.is_empty() && self.roots.contains("") => Destination::Ancestor,
            None => {
                let (top, has_weights) = (top(path), |top: &str| self.roots.iter().any(|root| is_below(root, top)));
                let is_models = !top.is_empty() && has_weights(top) && !self.tops_with_pictures.contains(top);
                match is_models {
                    true if is_hidden => Destination::Nowhere,
                    true => Destination::Ancestor,
                    false => Destination::Pictures,
                }
            }
        }
    }
}

fn ends(path: &str, endings: &[&str]) -> bool {
    let lower = path.to_lowercase();
    endings.iter().any(|ending| lower.ends_with(ending))
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Everything before the name, with its slash.
fn folder(path: &str) -> &str {
    &path[..path.len() - name(path).len()]
}

/// The outermost folder, with its slash; nothing of a loose file.
fn top(path: &str) -> &str {
    path.find('/').map_or("", |slash| &path[..=slash])
}

fn is_below(path: &str, folder: &str) -> bool {
    path.starts_with(folder)
}

#[cfg(test)]
mod tests {
    use super::Destination::{Ancestor, Nowhere, Pictures, Project};
    use super::*;

    /// Drops the files somewhere on the page, and says where each goes.
    fn sorted(files: &[(&str, Destination)]) {
        for on_ancestor in [false, true] {
            sorted_on(on_ancestor, files);
        }
    }

    fn sorted_on(on_ancestor: bool, files: &[(&str, Destination)]) {
        let paths: Vec<&str> = files.iter().map(|(path, _)| *path).collect();
        let places: Vec<_> = paths.iter().copied().zip(sort_drop(&paths, on_ancestor)).collect();
        assert_eq!(places, files, "on step 1: {on_ancestor}");
    }

    #[test]
    fn a_models_folder_goes_to_step_1_as_a_whole() {
        sorted(&[
            ("vit-flowers/.gitattributes", Ancestor),
            ("vit-flowers/README.md", Ancestor),
            ("vit-flowers/config.json", Ancestor),
            ("vit-flowers/model.safetensors", Ancestor),
            ("vit-flowers/tf_model.h5", Ancestor),
            ("vit-flowers/flax_model.msgpack", Ancestor),
            ("vit-flowers/.git/config", Nowhere),
            ("vit-flowers/.git/lfs/objects/model.bin", Nowhere),
            ("vit-flowers/example.png", Ancestor),
            ("vit-flowers/assets/curve.png", Ancestor),
        ]);
        sorted(&[
            ("out/README.md", Ancestor),
            ("out/checkpoint-500/pytorch_model.bin", Ancestor),
            ("out/checkpoint-500/trainer_state.json", Ancestor),
            ("out/runs/events.out.tfevents.1", Ancestor),
        ]);
        sorted(&[
            ("vit_best/data.pkl", Ancestor),
            ("vit_best/data/0", Ancestor),
            ("vit_best/version", Ancestor),
            ("vit_best/byteorder", Ancestor),
        ]);
        sorted(&[("converted_tflite/labels.txt", Ancestor), ("converted_tflite/model_unquant.tflite", Ancestor)]);
        sorted(&[("model_best.pth.tar", Ancestor), ("timm.json", Ancestor), ("notes/a.txt", Ancestor)]);
    }

    #[test]
    fn pictures_go_to_step_2_with_what_lies_beside_them() {
        sorted(&[
            ("pets/cat/1.JPG", Pictures),
            ("pets/dog/1.png", Pictures),
            ("pets/README.txt", Pictures),
            ("pets/labels.json", Pictures),
        ]);
        sorted(&[
            ("model.safetensors", Ancestor),
            ("config.json", Ancestor),
            ("pets/cat/1.jpg", Pictures),
            ("pets/dog/1.jpg", Pictures),
            ("pets/labels.csv", Pictures),
            ("one.png", Pictures),
        ]);
        sorted(&[
            ("work/vit.pth", Ancestor),
            ("work/notes.txt", Ancestor),
            ("work/curve.png", Ancestor),
            ("work/pets/cat/1.jpg", Pictures),
            ("work/pets/dog/1.jpg", Pictures),
        ]);
        sorted(&[
            ("school/model/vit.pth", Ancestor),
            ("school/pets/cat/1.jpg", Pictures),
            ("school/pets/dog/1.jpg", Pictures),
            ("school/plan.txt", Pictures),
        ]);
    }

    #[test]
    fn a_zip_is_a_model_where_it_is_dropped_on_step_1() {
        sorted_on(true, &[("package.zip", Ancestor), ("cat.png", Pictures)]);
        sorted_on(false, &[("package.zip", Pictures), ("cat.png", Pictures)]);
        sorted_on(false, &[("vit.pth", Ancestor), ("pets.zip", Pictures)]);
        // What describes a model, without one: step 1 says what is missing.
        sorted_on(true, &[("config.json", Ancestor)]);
        sorted_on(false, &[("config.json", Pictures)]);
        assert_eq!(sort_drop(&[], true), []);
    }

    #[test]
    fn an_unpacked_project_is_a_project() {
        sorted(&[
            ("First/name.txt", Project),
            ("First/work.save", Project),
            ("First/parts/model0", Project),
            ("First/blobs/0a", Project),
            ("elsewhere.txt", Nowhere),
        ]);
    }
}
