//! Reading Python pickles as PyTorch writes them, without running anything.
//!
//! `torch.save` pickles a dictionary whose tensors point at storages elsewhere in the file. Calls are never made: the
//! few that rebuild tensors are understood, all others become [`Node::Object`] with a name. Values live in one arena
//! and refer to each other by index, so that sharing costs nothing and no hostile file can make copies breed.

mod calls;
mod machine;

use machine::Machine;
use std::ops::Range;

/// Index of a value.
pub(super) type Id = usize;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// `None`, and numbers nobody asks for.
    Nothing,
    /// `True` or `False`.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A string.
    Text(String),
    /// A tuple, list or set.
    Sequence(Vec<Id>),
    /// A dictionary.
    Dict(Vec<(Id, Id)>),
    /// A class or function, by its dotted name.
    Global(String),
    /// A tensor.
    Tensor(Box<TensorRef>),
    /// Bytes elsewhere in the file.
    Storage(StorageRef),
    /// An object of this class, not interpreted.
    Object(String),
}

/// Bytes elsewhere in the file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct StorageRef {
    /// Its name in the file.
    pub key: String,
    /// PyTorch's class, e.g. `torch.FloatStorage`.
    pub class: String,
    /// Elements.
    pub elements: usize,
    /// Its elements among those: all, or those of a view, which PyTorch before 0.4 gave storages of their own.
    pub view: Range<usize>,
}

/// A view into a storage.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TensorRef {
    /// The storage.
    pub storage: StorageRef,
    /// First element.
    pub offset: usize,
    /// Shape.
    pub shape: Vec<usize>,
    /// Elements between neighbours along each axis.
    pub strides: Vec<usize>,
}

/// Why a pickle could not be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PickleError {
    /// It goes on after the bytes that were given.
    CutOff,
    /// It is not what PyTorch writes.
    Wrong(String),
}

/// A pickle that was read.
#[derive(Debug)]
pub(super) struct Pickle {
    nodes: Vec<Node>,
    /// The value it holds.
    pub root: Id,
    /// Its length in bytes; PyTorch's old files put several in a row.
    pub length: usize,
}

impl Pickle {
    /// Reads the pickle at the beginning of `bytes`.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, PickleError> {
        let mut machine = Machine::new(bytes);
        while machine.step()? {}
        let root = machine.pop()?;
        Ok(Self { nodes: machine.nodes, root, length: machine.at })
    }

    /// A value.
    pub(super) fn node(&self, id: Id) -> &Node {
        &self.nodes[id]
    }

    /// All storages it refers to.
    pub(super) fn storages(&self) -> impl Iterator<Item = &StorageRef> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Storage(storage) => Some(storage),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_dictionary_is_filled_wherever_it_is_seen() {
        // {"a": d, "b": d} with d = {1: None}, where the second d is recalled from memory.
        let bytes = b"\x80\x02}(X\x01\0\0\0a}q\x01K\x01NsX\x01\0\0\0bh\x01u.";
        let pickle = Pickle::read(bytes).unwrap();
        let Node::Dict(entries) = pickle.node(pickle.root) else { panic!("no dictionary") };
        assert_eq!((entries.len(), entries[0].1), (2, entries[1].1));
        assert_eq!(pickle.length, bytes.len());
    }

    #[test]
    fn calls_are_noted_and_never_made() {
        let pickle = Pickle::read(b"cos\nsystem\nX\x04\0\0\0true\x85R.").unwrap();
        assert_eq!(*pickle.node(pickle.root), Node::Object("os.system".into()));
    }

    #[test]
    fn a_pickle_that_takes_too_much_is_an_error() {
        assert!(matches!(Pickle::read(b"\x80\x02t.").unwrap_err(), PickleError::Wrong(_)));
        assert!(matches!(Pickle::read(b"(0.").unwrap_err(), PickleError::Wrong(_)));
        assert_eq!(Pickle::read(b"X\xff\xff\xff\x7fa").unwrap_err(), PickleError::CutOff);
    }
}
