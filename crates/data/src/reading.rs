//! How the paths of pictures that came together are read: which folder names the class, which ones are sides of the
//! split. A pure function of the paths: no folder can be understood alone, because `train` beside `bus` is a class and
//! `train` beside `val` is none.

use std::collections::{BTreeMap, BTreeSet};

use super::place::{Place, Side, without_zip};

/// Folders that only hold pictures and say nothing, when nothing stands beside them.
const HOLDERS: [&str; 12] =
    ["images", "image", "imgs", "img", "pictures", "picture", "photos", "pics", "jpeg", "jpegimages", "jpg", "png"];

/// Which of the folders between the common one and the picture names the class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// What the names suggest.
    #[default]
    Fitting,
    /// The first folder by which the pictures differ.
    Outermost,
    /// The last folder.
    Innermost,
}

/// What was made of some paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Class and side of each path, in the order of the paths.
    pub places: Vec<Place>,
    /// Where folders lie inside folders: the other way to read them.
    pub otherwise: Option<ReadOtherwise>,
}

/// Another folder that could name the class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOtherwise {
    /// Class of a picture as it was read.
    pub chosen: String,
    /// Its class by the other level.
    pub other: String,
    /// The other level.
    pub level: Level,
}

/// Folders of a path from the outside; a zip counts as a folder without its `.zip`.
fn folders(path: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    parts.pop();
    parts.iter().map(|part| without_zip(part)).collect()
}

/// The folders below each folder (named by the folders that lead to it), as far as pictures lie in them.
type Tree<'a> = BTreeMap<Vec<&'a str>, BTreeSet<&'a str>>;

fn tree<'a>(paths: &[Vec<&'a str>]) -> Tree<'a> {
    let mut tree = Tree::new();
    for path in paths {
        for (depth, name) in path.iter().enumerate() {
            tree.entry(path[..depth].to_vec()).or_default().insert(name);
        }
    }
    tree
}

/// Whether folders called after sides are sides here: all that stand beside each other are, or there are two different
/// ones, of which the training folder has folders in it.
fn has_sides(tree: &Tree, parent: &[&str]) -> bool {
    let Some(children) = tree.get(parent) else { return false };
    let sides: BTreeSet<Side> = children.iter().filter_map(|name| Side::of_folder(name)).collect();
    let train_has_folders = children.iter().any(|name| {
        let inner: Vec<&str> = parent.iter().copied().chain([*name]).collect();
        Side::of_folder(name) == Some(Side::Train) && tree.contains_key(&inner)
    });
    let all = children.iter().all(|name| Side::of_folder(name).is_some());
    all || (sides.len() > 1 && train_has_folders)
}

/// A path without sides and empty holders.
struct Chain<'a> {
    side: Option<Side>,
    folders: Vec<&'a str>,
    /// Index of the dropped item it belongs to, where that is a zip with folders.
    group: &'a str,
}

fn chain<'a>(tree: &Tree<'a>, path: &[&'a str], group: &'a str) -> Chain<'a> {
    let mut chain = Chain { side: None, folders: Vec::new(), group };
    let mut is_holder = Vec::new();
    for (depth, &name) in path.iter().enumerate() {
        let parent = &path[..depth];
        match Side::of_folder(name).filter(|_| has_sides(tree, parent)) {
            Some(side) => chain.side = Some(side),
            None => {
                let is_alone = tree.get(parent).is_some_and(|beside| beside.len() == 1);
                is_holder.push(is_alone && HOLDERS.contains(&name.to_lowercase().as_str()));
                chain.folders.push(name);
            }
        }
    }
    while chain.folders.len() > 1 && is_holder.pop() == Some(true) {
        chain.folders.pop();
    }
    chain
}

/// Whether names count something that has no name of its own: `session1`, `2021-05-03`, `fold_2`; not `0` to `9`, nor
/// WordNet's `n01443537`.
fn are_numbered(names: &BTreeSet<&str>) -> bool {
    let is_numbered = |name: &&str| {
        let digits = name.chars().filter(char::is_ascii_digit).count();
        let letters = name.chars().filter(|letter| letter.is_alphabetic()).count();
        let marks = name.chars().count() - digits - letters;
        digits > 0 && (letters > 1 || (letters == 0 && marks > 0))
    };
    !names.is_empty() && names.iter().all(is_numbered)
}

/// The level at which the class stands in chains of one group.
fn fitting_level(chains: &[&Chain], outermost: usize, innermost: usize) -> usize {
    let names = |level: usize| chains.iter().map(|chain| chain.folders[level]).collect::<BTreeSet<_>>();
    let paths = |level: usize| chains.iter().map(|chain| &chain.folders[outermost..=level]).collect::<BTreeSet<_>>();
    let mut best = outermost;
    for level in outermost + 1..=innermost {
        let (upper, lower) = (names(best), names(level));
        let is_repeated = paths(level).len() > lower.len();
        let adds_nothing = paths(level).len() == paths(best).len();
        let is_class = match (are_numbered(&upper), are_numbered(&lower)) {
            (true, false) => true,
            (_, true) => false,
            (false, false) => !is_repeated && !adds_nothing,
        };
        if is_class {
            best = level;
        }
    }
    best
}

/// Outermost and innermost level that could name the class: from the first folder by which chains differ to the last
/// that all long enough chains have. Chains that end above are of pictures that lie loose beside the classes.
fn levels(chains: &[&Chain]) -> Option<(usize, usize)> {
    let longest = chains.iter().max_by_key(|chain| chain.folders.len())?;
    let differs = |level: usize| {
        chains.iter().any(|chain| chain.folders.get(level).is_some_and(|name| *name != longest.folders[level]))
    };
    let Some(outermost) = (0..longest.folders.len()).find(|&level| differs(level)) else {
        // One folder: pictures that end above it have no class.
        return longest.folders.len().checked_sub(1).map(|last| (last, last));
    };
    let deep = chains.iter().map(|chain| chain.folders.len()).filter(|len| *len > outermost);
    Some((outermost, deep.min().map_or(outermost, |len| len - 1)))
}

/// Reads the paths of pictures that belong together; `/` stands between folders.
pub fn read(paths: &[&str], level: Level) -> Reading {
    let folders: Vec<Vec<&str>> = paths.iter().map(|path| folders(path)).collect();
    let tree = tree(&folders);
    let grouped = groups(paths, &folders);
    let chains: Vec<Chain> = folders.iter().zip(&grouped).map(|(path, group)| chain(&tree, path, group)).collect();
    let mut by_group: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, chain) in chains.iter().enumerate() {
        by_group.entry(chain.group).or_default().push(i);
    }
    let mut reading = Reading {
        places: chains.iter().map(|chain| Place { class: None, side: chain.side }).collect(),
        ..Reading::default()
    };
    for members in by_group.values() {
        let of_group: Vec<&Chain> = members.iter().map(|&i| &chains[i]).collect();
        let Some((outermost, innermost)) = levels(&of_group) else { continue };
        let deep: Vec<&Chain> = of_group.into_iter().filter(|chain| chain.folders.len() > innermost).collect();
        let chosen = match level {
            Level::Fitting => fitting_level(&deep, outermost, innermost),
            Level::Outermost => outermost,
            Level::Innermost => innermost,
        };
        if outermost < innermost {
            let (at, level) =
                if chosen == outermost { (innermost, Level::Innermost) } else { (outermost, Level::Outermost) };
            let name = |chain: &Chain, at: usize| chain.folders[at].to_owned();
            // The same example in whatever order the files came.
            let found = deep.iter().min_by(|a, b| a.folders.cmp(&b.folders));
            let found = found.map(|one| ReadOtherwise { chosen: name(one, chosen), other: name(one, at), level });
            reading.otherwise = reading.otherwise.or(found);
        }
        for &i in members {
            reading.places[i].class = chains[i].folders.get(chosen).map(|name| (*name).to_owned());
        }
    }
    forget_strangers(&mut reading.places);
    reading
}

/// Each zip that has folders in it, other than sides, is read by itself: two people's zips with the same classes are
/// two zips, not two classes. Zips whose inner folders are only numbered are classes that lie in zips.
fn groups<'a>(paths: &[&'a str], folders: &[Vec<&str>]) -> Vec<&'a str> {
    let root = |path: &'a str| path.split('/').next().filter(|root| without_zip(root) != *root).unwrap_or("");
    let mut inner: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (path, folders) in paths.iter().zip(folders) {
        let names = folders.get(1..).unwrap_or_default().iter().filter(|name| Side::of_folder(name).is_none());
        inner.entry(root(path)).or_default().extend(names);
    }
    let is_own = |root: &str| inner.get(root).is_some_and(|names| !names.is_empty() && !are_numbered(names));
    paths.iter().map(|path| root(path)).map(|root| if is_own(root) { root } else { "" }).collect()
}

/// A side of which no folder is known from training holds pictures without a class (`val/images`, `test/unknown`).
fn forget_strangers(places: &mut [Place]) {
    let classes_of = |places: &[Place], side: Side| -> BTreeSet<String> {
        places.iter().filter(|place| place.side == Some(side)).filter_map(|place| place.class.clone()).collect()
    };
    let known = classes_of(places, Side::Train);
    for side in [Side::Validation, Side::Test] {
        if known.len() > 1 && classes_of(places, side).is_disjoint(&known) {
            places.iter_mut().filter(|place| place.side == Some(side)).for_each(|place| place.class = None);
        }
    }
}
