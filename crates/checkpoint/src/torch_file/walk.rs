//! What lies in a checkpoint's dictionaries: tensors under dotted keys, names of classes, and what is no model at all.

use super::super::pickle::{Id, Node, Pickle, TensorRef};

/// Dictionaries inside dictionaries that are followed.
const MAX_DEPTH: usize = 16;

/// Longest dotted key that is followed.
const MAX_PATH: usize = 512;

/// Values of one file that are visited.
const MAX_VISITS: usize = 300_000;

/// Depth down to which lists and tuples are followed: a state dictionary may be one item of several, but deeper there
/// are only lists of an optimiser's numbers.
const MAX_LISTS: usize = 1;

/// Longest list that is followed.
const MAX_ITEMS: usize = 64;

/// Packages of objects that are no models: numbers, dates, paths, the arguments of a command.
const NO_MODELS: [&str; 11] = [
    "numpy",
    "_codecs",
    "argparse",
    "datetime",
    "pathlib",
    "builtins",
    "__builtin__",
    "collections",
    "torch.device",
    "torch.Size",
    "omegaconf",
];

/// Walks nested dictionaries; a value's key is the dotted path to it.
#[derive(Default)]
pub(super) struct Walk<'a> {
    path: String,
    depth: usize,
    visits: usize,
    /// The tensors.
    pub tensors: Vec<(String, &'a TensorRef)>,
    /// The first object that may be a model: where it lies, and its class.
    object: Option<(String, &'a str)>,
}

impl<'a> Walk<'a> {
    /// Visits everything.
    pub(super) fn over(pickle: &'a Pickle) -> Self {
        let mut walk = Self::default();
        walk.visit(pickle, pickle.root);
        walk
    }

    fn visit(&mut self, pickle: &'a Pickle, id: Id) {
        // Dictionaries that hold each other many times over have more paths than anyone can walk.
        self.visits += 1;
        if self.visits > MAX_VISITS {
            return;
        }
        match pickle.node(id) {
            Node::Tensor(tensor) => self.tensors.push((self.path.clone(), tensor)),
            Node::Dict(entries) if self.depth < MAX_DEPTH => {
                for &(key, value) in entries {
                    match pickle.node(key) {
                        Node::Text(key) => self.enter(pickle, key, value),
                        Node::Int(key) => self.enter(pickle, &key.to_string(), value),
                        _ => {}
                    }
                }
            }
            Node::Sequence(items) if self.depth <= MAX_LISTS && items.len() <= MAX_ITEMS => {
                for (index, &item) in items.iter().enumerate() {
                    self.enter(pickle, &index.to_string(), item);
                }
            }
            Node::Object(class) if self.object.is_none() && is_model(class) => {
                self.object = Some((self.path.clone(), class));
            }
            _ => {}
        }
    }

    fn enter(&mut self, pickle: &'a Pickle, key: &str, value: Id) {
        let length = self.path.len();
        if !self.path.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(key);
        if self.path.len() <= MAX_PATH {
            self.depth += 1;
            self.visit(pickle, value);
            self.depth -= 1;
        }
        self.path.truncate(length);
    }

    /// What the file is if it holds no weights of a model.
    pub(super) fn refusal(&self, pickle: &Pickle) -> Option<String> {
        let weights = self.tensors.iter().find(|(key, tensor)| {
            let class = tensor.storage.class.as_str();
            !is_training_state(key) && !INTEGERS.iter().any(|integer| class.ends_with(integer))
        });
        if weights.is_some() {
            return None;
        }
        let object = match pickle.node(pickle.root) {
            Node::Object(class) => Some((String::new(), class.as_str())),
            _ => self.object.clone(),
        };
        let save = "that only its own code can open, so save `model.state_dict()` instead";
        Some(match (object, self.tensors.first()) {
            (Some((path, class)), _) if path.is_empty() => format!("a whole Python object (`{class}`) {save}"),
            (Some((path, class)), _) => {
                format!("a PyTorch file in which `{path}` is a whole Python object (`{class}`) {save}")
            }
            (None, Some((key, _))) => {
                format!("a PyTorch file without weights, with the state of a training most likely (`{key}`, …)")
            }
            (None, None) => "a PyTorch file without a single tensor".into(),
        })
    }
}

/// Storages of what is never a weight: states of random numbers, steps, labels.
const INTEGERS: [&str; 6] = ["LongStorage", "IntStorage", "ShortStorage", "CharStorage", "ByteStorage", "BoolStorage"];

fn is_model(class: &str) -> bool {
    let rest = NO_MODELS.iter().find_map(|package| class.strip_prefix(package));
    rest.is_none_or(|rest| !rest.is_empty() && !rest.starts_with(['.', '_']))
}

/// Whether a key is one of an optimiser's: `state.0.exp_avg`, alone or in a dictionary of several things.
pub(in super::super) fn is_training_state(key: &str) -> bool {
    let mut parts = key.split('.').peekable();
    while let Some(part) = parts.next() {
        let is_number =
            parts.peek().is_some_and(|next| !next.is_empty() && next.bytes().all(|byte| byte.is_ascii_digit()));
        if part.starts_with("optim") || part == "state" && is_number {
            return true;
        }
    }
    false
}

/// Names of the classes where training programs put them: a list, or a number for each name (`class_to_idx`).
pub(super) fn labels(pickle: &Pickle) -> Option<Vec<String>> {
    let root = pickle.root;
    let meta = entry(pickle, root, "meta");
    let places = [Some(root), meta, meta.and_then(|meta| entry(pickle, meta, "dataset_meta"))];
    places.into_iter().flatten().find_map(|place| {
        let list = ["CLASSES", "classes", "class_names"].into_iter().find_map(|key| {
            let Node::Sequence(items) = pickle.node(entry(pickle, place, key)?) else { return None };
            items.iter().map(|&item| text(pickle, item)).collect::<Option<Vec<_>>>()
        });
        list.filter(|list| !list.is_empty()).or_else(|| numbered(pickle, entry(pickle, place, "class_to_idx")?))
    })
}

/// The keys of a dictionary in the order of their numbers, if these are 0, 1, 2, ….
fn numbered(pickle: &Pickle, id: Id) -> Option<Vec<String>> {
    let Node::Dict(entries) = pickle.node(id) else { return None };
    let number = |id: Id| if let Node::Int(number) = pickle.node(id) { Some(*number) } else { None };
    let pair = |&(key, value): &(Id, Id)| Some((number(value)?, text(pickle, key)?));
    let mut pairs = entries.iter().map(pair).collect::<Option<Vec<_>>>()?;
    pairs.sort();
    let is_whole = !pairs.is_empty() && pairs.iter().enumerate().all(|(at, (number, _))| *number == at as i64);
    is_whole.then(|| pairs.into_iter().map(|(_, name)| name).collect())
}

fn entry(pickle: &Pickle, id: Id, wanted: &str) -> Option<Id> {
    let Node::Dict(entries) = pickle.node(id) else { return None };
    let is_it = |key: Id| matches!(pickle.node(key), Node::Text(key) if key == wanted);
    // Of a key that is set twice, the last counts.
    entries.iter().rev().find(|(key, _)| is_it(*key)).map(|&(_, value)| value)
}

fn text(pickle: &Pickle, id: Id) -> Option<String> {
    if let Node::Text(text) = pickle.node(id) { Some(text.clone()) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_optimisers_keys_are_told_from_a_models() {
        for key in ["state.0.exp_avg", "optimizer.state.12.step", "optimizer_state_dict.state.3.momentum_buffer"] {
            assert!(is_training_state(key), "{key}");
        }
        for key in ["state_dict.blocks.0.norm1.bias", "blocks.0.state.weight", "model.head.weight"] {
            assert!(!is_training_state(key), "{key}");
        }
    }

    #[test]
    fn classes_are_read_from_a_list_and_from_numbers() {
        // {"meta": {"CLASSES": ["b", "a"]}} and {"class_to_idx": {"b": 1, "a": 0}}.
        let list = b"}X\x04\0\0\0meta}X\x07\0\0\0CLASSES](X\x01\0\0\0bX\x01\0\0\0aess.";
        let numbers = b"}X\x0c\0\0\0class_to_idx}(X\x01\0\0\0bK\x01X\x01\0\0\0aK\0us.";
        assert_eq!(labels(&Pickle::read(list).unwrap()).unwrap(), ["b", "a"]);
        assert_eq!(labels(&Pickle::read(numbers).unwrap()).unwrap(), ["a", "b"]);
        let gap = b"}X\x0c\0\0\0class_to_idx}(X\x01\0\0\0bK\x02X\x01\0\0\0aK\0us.";
        assert_eq!(labels(&Pickle::read(gap).unwrap()), None);
    }
}
