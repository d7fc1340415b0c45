//! The instructions of the pickle format. Names and codes are those of Python's `pickletools`.

use super::{Id, Node, PickleError};
use std::collections::HashMap;

/// Values one pickle may have; a training file of ViT-g with its optimiser has some 100,000.
const MAX_NODES: usize = 2_000_000;

/// Items that calls may look at in all: one list handed to a million calls must not take a million times its length.
const MAX_WORK: usize = 16_000_000;

/// Longest name of a class or storage; names are copied with every value that bears them.
pub(super) const MAX_NAME: usize = 1024;

/// A stack machine, as Python's: instructions push values, gather them into collections, and pop them.
pub(super) struct Machine<'a> {
    bytes: &'a [u8],
    pub(super) at: usize,
    pub(super) nodes: Vec<Node>,
    pub(super) stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    work: usize,
}

pub(super) type Step<T> = Result<T, PickleError>;

pub(super) fn wrong<T>(what: impl Into<String>) -> Step<T> {
    Err(PickleError::Wrong(what.into()))
}

impl<'a> Machine<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let (stack, marks, memo) = (Vec::new(), Vec::new(), HashMap::new());
        Self { bytes, at: 0, nodes: vec![Node::Nothing], stack, marks, memo, work: 0 }
    }

    /// One instruction; `false` after the last one. Names and codes are those of Python's `pickletools`.
    pub(super) fn step(&mut self) -> Step<bool> {
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
            other => self.collection(other)?,
        }
        Ok(true)
    }

    /// Instructions that build lists, tuples, sets and dictionaries.
    fn collection(&mut self, code: u8) -> Step<()> {
        match code {
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
            other => return wrong(format!("the pickle instruction {other:#04x} is not one that PyTorch writes")),
        }
        Ok(())
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

    pub(super) fn push(&mut self, node: Node) -> Step<()> {
        if self.nodes.len() >= MAX_NODES {
            return wrong(format!("it holds more than {MAX_NODES} values"));
        }
        self.stack.push(self.nodes.len());
        self.nodes.push(node);
        Ok(())
    }

    pub(super) fn pop(&mut self) -> Step<Id> {
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
            return self.push_global(name);
        }
        let mut names = Vec::with_capacity(2);
        for _ in 0..2 {
            let rest = &self.bytes[self.at.min(self.bytes.len())..];
            let length = rest.iter().position(|&byte| byte == b'\n').ok_or(PickleError::CutOff)?;
            names.push(String::from_utf8_lossy(&rest[..length]).into_owned());
            self.at += length + 1;
        }
        self.push_global(names.join("."))
    }

    fn push_global(&mut self, name: String) -> Step<()> {
        if name.len() > MAX_NAME {
            return wrong("its pickle names a class at too great length");
        }
        self.push(Node::Global(name))
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

    /// Items of a list or tuple.
    pub(super) fn sequence(&mut self, id: Id) -> Step<Vec<Id>> {
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
