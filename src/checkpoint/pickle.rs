//! Reading Python pickles as PyTorch writes them, without running anything.
//!
//! `torch.save` pickles a dictionary whose tensors point at storages elsewhere in the file. Calls are never made: the
//! few that rebuild tensors are understood, all others become [`Node::Object`] with a name. Values live in one arena
//! and refer to each other by index, so that sharing costs nothing and no hostile file can make copies breed.

use std::collections::HashMap;

/// Values one pickle may have; a training file of ViT-g with its optimiser has some 100,000.
const MAX_NODES: usize = 2_000_000;

/// Items that calls may look at in all: one list handed to a million calls must not take a million times its length.
const MAX_WORK: usize = 16_000_000;

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
        let mut machine = Machine {
            bytes,
            at: 0,
            nodes: vec![Node::Nothing],
            stack: vec![],
            marks: vec![],
            memo: HashMap::new(),
            work: 0,
        };
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

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    work: usize,
}

type Step<T> = Result<T, PickleError>;

fn wrong<T>(what: impl Into<String>) -> Step<T> {
    Err(PickleError::Wrong(what.into()))
}

impl Machine<'_> {
    /// One instruction; `false` after the last one. Names and codes are those of Python's `pickletools`.
    fn step(&mut self) -> Step<bool> {
        let [code] = self.take::<1>()?;
        match code {
            b'.' => return Ok(false),
            0x80 => _ = self.take::<1>()?,
            0x95 => _ = self.take::<8>()?,
            b'(' => self.marks.push(self.stack.len()),
            b'0' => _ = self.pop()?,
            b'1' => _ = self.pop_to_mark()?,
            b'2' => self.stack.push(self.top()?),
            b'N' => self.stack.push(0),
            0x88 | 0x89 => self.push(Node::Bool(code == 0x88))?,
            b'J' | b'K' | b'M' | b'G' | 0x8a | 0x8b => self.number(code)?,
            b'X' | b'U' | b'T' | b'B' | b'C' | 0x8c | 0x8d | 0x8e | 0x96 => self.text(code)?,
            b']' | b')' | 0x8f => self.push(Node::Sequence(Vec::new()))?,
            b'}' => self.push(Node::Dict(Vec::new()))?,
            b'l' | b't' | 0x91 => {
                let items = self.pop_to_mark()?;
                self.push(Node::Sequence(items))?;
            }
            0x85..=0x87 => {
                let items = self.pop_many(usize::from(code - 0x84))?;
                self.push(Node::Sequence(items))?;
            }
            b'd' => {
                let items = self.pop_to_mark()?;
                self.push(Node::Dict(Vec::new()))?;
                self.set_items(items)?;
            }
            b'a' => {
                let items = self.pop_many(1)?;
                self.append(items)?;
            }
            b'e' | 0x90 => {
                let items = self.pop_to_mark()?;
                self.append(items)?;
            }
            b's' => {
                let items = self.pop_many(2)?;
                self.set_items(items)?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set_items(items)?;
            }
            b'c' | 0x93 => self.global(code)?,
            b'R' | 0x81 => {
                let arguments = self.pop()?;
                self.call(arguments)?;
            }
            0x92 => {
                let arguments = self.pop_many(2)?[0];
                self.call(arguments)?;
            }
            // State is set on objects nobody interprets, and on ordered dictionaries as `_metadata`.
            b'b' => _ = self.pop()?,
            b'q' | b'r' | 0x94 | b'h' | b'j' => self.memory(code)?,
            b'Q' => self.persistent()?,
            other => return wrong(format!("the pickle instruction {other:#04x} is not one that PyTorch writes")),
        }
        Ok(true)
    }

    fn take<const N: usize>(&mut self) -> Step<[u8; N]> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>()).ok_or(PickleError::CutOff)?;
        self.at += N;
        Ok(*taken)
    }

    fn take_slice(&mut self, length: u64) -> Step<&[u8]> {
        let end = usize::try_from(length).ok().and_then(|length| self.at.checked_add(length));
        let taken = end.and_then(|end| self.bytes.get(self.at..end)).ok_or(PickleError::CutOff)?;
        self.at += taken.len();
        Ok(taken)
    }

    fn push(&mut self, node: Node) -> Step<()> {
        if self.nodes.len() >= MAX_NODES {
            return wrong(format!("it holds more than {MAX_NODES} values"));
        }
        self.stack.push(self.nodes.len());
        self.nodes.push(node);
        Ok(())
    }

    fn pop(&mut self) -> Step<Id> {
        if self.marks.last().is_some_and(|&mark| mark >= self.stack.len()) {
            return wrong("its pickle takes more values than it has");
        }
        self.stack.pop().ok_or_else(|| PickleError::Wrong("its pickle takes more values than it has".into()))
    }

    fn pop_many(&mut self, count: usize) -> Step<Vec<Id>> {
        let mut items = (0..count).map(|_| self.pop()).collect::<Step<Vec<_>>>()?;
        items.reverse();
        Ok(items)
    }

    fn pop_to_mark(&mut self) -> Step<Vec<Id>> {
        match self.marks.pop() {
            Some(mark) if mark <= self.stack.len() => Ok(self.stack.split_off(mark)),
            _ => wrong("its pickle ends a list that never began"),
        }
    }

    fn top(&self) -> Step<Id> {
        self.stack.last().copied().ok_or_else(|| PickleError::Wrong("its pickle reads an empty stack".into()))
    }

    fn number(&mut self, code: u8) -> Step<()> {
        let value = match code {
            b'J' => i64::from(i32::from_le_bytes(self.take()?)),
            b'K' => i64::from(self.take::<1>()?[0]),
            b'M' => i64::from(u16::from_le_bytes(self.take()?)),
            b'G' => {
                self.take::<8>()?;
                self.stack.push(0);
                return Ok(());
            }
            _ => {
                let length = if code == 0x8a { self.take::<1>()?[0].into() } else { u32::from_le_bytes(self.take()?) };
                let digits = self.take_slice(length.into())?;
                if digits.len() > 8 {
                    return self.push(Node::Nothing);
                }
                let fill = if digits.last().is_some_and(|last| last & 0x80 != 0) { 0xff } else { 0 };
                let mut bytes = [fill; 8];
                bytes[..digits.len()].copy_from_slice(digits);
                i64::from_le_bytes(bytes)
            }
        };
        self.push(Node::Int(value))
    }

    fn text(&mut self, code: u8) -> Step<()> {
        let length = match code {
            b'U' | b'C' | 0x8c => u64::from(self.take::<1>()?[0]),
            b'X' | b'T' | b'B' => u64::from(u32::from_le_bytes(self.take()?)),
            _ => u64::from_le_bytes(self.take()?),
        };
        let bytes = self.take_slice(length)?;
        let node = match code {
            b'B' | b'C' | 0x8e | 0x96 => Node::Nothing,
            _ => Node::Text(String::from_utf8_lossy(bytes).into_owned()),
        };
        self.push(node)
    }

    fn append(&mut self, items: Vec<Id>) -> Step<()> {
        let id = self.top()?;
        match &mut self.nodes[id] {
            Node::Sequence(list) => list.extend(items),
            Node::Object(_) => {}
            _ => return wrong("its pickle appends to what is not a list"),
        }
        Ok(())
    }

    fn set_items(&mut self, items: Vec<Id>) -> Step<()> {
        let id = self.top()?;
        match &mut self.nodes[id] {
            Node::Dict(entries) => entries.extend(items.as_chunks::<2>().0.iter().map(|&[key, value]| (key, value))),
            Node::Object(_) => {}
            _ => return wrong("its pickle sets items of what is not a dictionary"),
        }
        Ok(())
    }

    fn global(&mut self, code: u8) -> Step<()> {
        if code == 0x93 {
            let names = self.pop_many(2)?;
            let name = match (&self.nodes[names[0]], &self.nodes[names[1]]) {
                (Node::Text(module), Node::Text(name)) => format!("{module}.{name}"),
                _ => return wrong("its pickle names a class by something else than text"),
            };
            return self.push(Node::Global(name));
        }
        let mut names = Vec::with_capacity(2);
        for _ in 0..2 {
            let rest = &self.bytes[self.at.min(self.bytes.len())..];
            let length = rest.iter().position(|&byte| byte == b'\n').ok_or(PickleError::CutOff)?;
            names.push(String::from_utf8_lossy(&rest[..length]).into_owned());
            self.at += length + 1;
        }
        self.push(Node::Global(names.join(".")))
    }

    fn memory(&mut self, code: u8) -> Step<()> {
        let slot = match code {
            0x94 => self.memo.len() as u32,
            b'q' | b'h' => self.take::<1>()?[0].into(),
            _ => u32::from_le_bytes(self.take()?),
        };
        if matches!(code, b'h' | b'j') {
            let Some(&id) = self.memo.get(&slot) else { return wrong("its pickle recalls what it never kept") };
            self.stack.push(id);
        } else {
            self.memo.insert(slot, self.top()?);
        }
        Ok(())
    }

    /// `('storage', class, key, device, elements, …)`.
    fn persistent(&mut self) -> Step<()> {
        let id = self.pop()?;
        let fields = self.sequence(id)?;
        let node = |at: usize| fields.get(at).map(|&id| &self.nodes[id]);
        match (node(0), node(1), node(2), node(4)) {
            (
                Some(Node::Text(kind)),
                Some(Node::Global(class) | Node::Text(class)),
                Some(key),
                Some(&Node::Int(elements)),
            ) if kind == "storage" => {
                let key = match key {
                    Node::Text(key) => key.clone(),
                    Node::Int(key) => key.to_string(),
                    _ => return wrong("a storage has no name"),
                };
                let elements =
                    usize::try_from(elements).or_else(|_| wrong(format!("storage `{key}` has {elements} elements")))?;
                let class = class.clone();
                self.push(Node::Storage(StorageRef { key, class, elements }))
            }
            (Some(Node::Text(kind)), ..) if kind == "module" && fields.len() > 1 => {
                self.stack.push(fields[1]);
                Ok(())
            }
            _ => wrong("a tensor's storage is described in an unknown way"),
        }
    }

    /// A call, which is understood or noted, never made.
    fn call(&mut self, arguments: Id) -> Step<()> {
        let called = self.pop()?;
        let Node::Global(name) = &self.nodes[called] else {
            return self.push(Node::Object("something unnamed".into()));
        };
        let name = name.clone();
        let arguments = self.sequence(arguments).unwrap_or_default();
        match name.as_str() {
            "collections.OrderedDict" => self.ordered_dict(&arguments),
            "torch._utils._rebuild_tensor" | "torch._utils._rebuild_tensor_v2" => self.tensor(&arguments),
            "torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state" => match arguments.first()
            {
                Some(&tensor) => {
                    self.stack.push(tensor);
                    Ok(())
                }
                None => wrong("a parameter without its tensor"),
            },
            // `(function, class, arguments, state)`: the function is one of the above.
            "torch._tensor._rebuild_from_type_v2" if arguments.len() >= 3 => {
                self.stack.push(arguments[0]);
                self.call(arguments[2])
            }
            _ => self.push(Node::Object(name)),
        }
    }

    fn ordered_dict(&mut self, arguments: &[Id]) -> Step<()> {
        let pairs = arguments.first().map(|&list| self.sequence(list)).transpose()?.unwrap_or_default();
        let mut entries = Vec::new();
        for pair in pairs {
            if let [key, value] = self.sequence(pair)?[..] {
                entries.push((key, value));
            }
        }
        self.push(Node::Dict(entries))
    }

    fn tensor(&mut self, arguments: &[Id]) -> Step<()> {
        let &[storage, offset, shape, strides, ..] = arguments else { return wrong("a tensor with too few parts") };
        let Node::Storage(storage) = self.nodes[storage].clone() else { return wrong("a tensor without a storage") };
        let (offset, shape, strides) = (self.size(offset)?, self.sizes(shape)?, self.sizes(strides)?);
        if shape.len() != strides.len() {
            return wrong("a tensor whose strides do not go with its shape");
        }
        self.push(Node::Tensor(Box::new(TensorRef { storage, offset, shape, strides })))
    }

    fn sizes(&mut self, id: Id) -> Step<Vec<usize>> {
        self.sequence(id)?.into_iter().map(|id| self.size(id)).collect()
    }

    fn size(&self, id: Id) -> Step<usize> {
        match self.nodes[id] {
            Node::Int(size) => usize::try_from(size).or_else(|_| wrong(format!("a tensor with the size {size}"))),
            _ => wrong("a tensor whose size is not a number"),
        }
    }

    fn sequence(&mut self, id: Id) -> Step<Vec<Id>> {
        let Node::Sequence(items) = &self.nodes[id] else {
            return wrong("its pickle has something else where a list belongs");
        };
        self.work += 1 + items.len();
        if self.work > MAX_WORK {
            return wrong("its pickle looks at the same values over and over");
        }
        Ok(items.clone())
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
