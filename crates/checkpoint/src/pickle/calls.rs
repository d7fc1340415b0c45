//! Calls and references: what PyTorch's pickles do with them, without doing it.

use super::machine::{MAX_NAME, Machine, Step, wrong};
use super::{Id, Node, StorageRef, TensorRef};
use std::ops::Range;

/// Axes a tensor may have.
const MAX_AXES: usize = 16;

impl Machine<'_> {
    /// `('storage', class, key, device, elements)`, in old files with `None` or `(key, first element, elements)` of a
    /// view behind it.
    pub(super) fn persistent(&mut self) -> Step<()> {
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
                    Node::Text(key) if key.len() <= MAX_NAME => key.clone(),
                    Node::Int(key) => key.to_string(),
                    _ => return wrong("a storage has no name"),
                };
                let elements =
                    usize::try_from(elements).or_else(|_| wrong(format!("storage `{key}` has {elements} elements")))?;
                let class = class.clone();
                if class.len() > MAX_NAME {
                    return wrong("a storage with too long a name");
                }
                let view = match fields.get(5).map(|&id| &self.nodes[id]) {
                    None | Some(Node::Nothing) => 0..elements,
                    Some(_) => self.view(fields[5], elements)?,
                };
                self.push(Node::Storage(StorageRef { key, class, elements, view }))
            }
            (Some(Node::Text(kind)), ..) if kind == "module" && fields.len() > 1 => {
                self.stack.push(fields[1]);
                Ok(())
            }
            _ => wrong("a tensor's storage is described in an unknown way"),
        }
    }

    /// The elements of a storage that is a view of another.
    fn view(&mut self, id: Id, elements: usize) -> Step<Range<usize>> {
        let fields = self.sequence(id)?;
        let &[_, first, count] = fields.as_slice() else { return wrong("a storage's view has other parts than three") };
        let (first, count) = (self.size(first)?, self.size(count)?);
        match first.checked_add(count).filter(|&end| end <= elements) {
            Some(end) => Ok(first..end),
            None => wrong(format!("a view of {count} elements from {first} on, in a storage of {elements}")),
        }
    }

    /// A call, which is understood or noted, never made.
    pub(super) fn call(&mut self, arguments: Id) -> Step<()> {
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
            // Not itself again, which a list that holds itself would go on with for ever.
            "torch._tensor._rebuild_from_type_v2" if arguments.len() >= 3 => {
                if self.nodes[arguments[0]] == Node::Global(name) {
                    return wrong("a tensor that is rebuilt from itself");
                }
                self.stack.push(arguments[0]);
                self.call(arguments[2])
            }
            // `(class, base, state)`.
            "copy_reg._reconstructor" | "copyreg._reconstructor" => {
                match arguments.first().map(|&id| &self.nodes[id]) {
                    Some(Node::Global(class)) => self.push(Node::Object(class.clone())),
                    _ => self.push(Node::Object(name)),
                }
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
        if shape.len() != strides.len() || shape.len() > MAX_AXES {
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
}
