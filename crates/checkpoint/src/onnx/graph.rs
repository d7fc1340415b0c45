//! A computation graph of ONNX under construction: operators in the order in which they run, the constants they need,
//! and the weights they name. The numbers of the weights come later, so that a large model never lies in memory twice.

use std::collections::BTreeMap;

use super::proto::Message;
use heirloom_plan::config::{Activation, VitConfig};

/// Element types (`TensorProto.DataType`).
pub(super) const FLOAT: i64 = 1;
const INT64: i64 = 7;

/// The name of a value that flows through the graph.
pub type Value = String;

/// How a weight is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// As PyTorch has it.
    AsItIs,
    /// A matrix with rows and columns swapped: `MatMul` wants `[in, out]`, PyTorch keeps `[out, in]`.
    Turned,
}

/// Operators, constants and the weights they ask for.
#[derive(Default)]
pub struct Graph {
    pub(super) nodes: Message,
    pub(super) constants: Message,
    /// Layout of every weight that some operator names, by key.
    pub(super) weights: BTreeMap<String, Layout>,
    known: BTreeMap<String, Value>,
    place: Vec<String>,
    count: usize,
}

impl Graph {
    /// Builds something whose values are named after `part`, as modules are in PyTorch.
    pub fn within<T>(&mut self, part: &str, build: impl FnOnce(&mut Self) -> T) -> T {
        self.place.push(part.to_string());
        let built = build(self);
        self.place.pop();
        built
    }

    /// A weight by its key under the place at hand.
    pub fn weight(&mut self, key: &str) -> Value {
        self.ask(key, Layout::AsItIs)
    }

    fn ask(&mut self, key: &str, layout: Layout) -> Value {
        let key = self.place.iter().map(String::as_str).chain([key]).collect::<Vec<_>>().join(".");
        self.weights.insert(key.clone(), layout);
        weight_name(&key, layout)
    }

    /// An operator with one output.
    pub fn node(&mut self, op: &str, inputs: &[&str], attributes: Attributes) -> Value {
        self.count += 1;
        let output = format!("{}/{op}_{}", self.place.join("."), self.count);
        self.node_to(op, inputs, attributes, &output);
        output
    }

    /// An operator whose output has a name of its own.
    pub fn node_to(&mut self, op: &str, inputs: &[&str], Attributes(attributes): Attributes, output: &str) {
        let node = inputs.iter().fold(Message::new(), |node, input| node.text(1, input));
        let node = node.text(2, output).text(3, output).text(4, op);
        let node = attributes.iter().fold(node, |node, attribute| node.message(5, attribute));
        self.nodes = std::mem::take(&mut self.nodes).message(1, &node);
    }

    /// Whole numbers: a shape, or where to cut. `[count]`, and the same numbers are stored once.
    pub fn ints(&mut self, values: &[i64]) -> Value {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let name = values.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
        self.constant(format!("[{name}]"), INT64, &[values.len()], &bytes)
    }

    /// Many whole numbers under a name of their own, `[count]`.
    pub fn indices(&mut self, name: &str, values: &[i64]) -> Value {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name.to_string(), INT64, &[values.len()], &bytes)
    }

    /// A whole number without dimensions.
    pub fn int(&mut self, value: i64) -> Value {
        self.constant(value.to_string(), INT64, &[], &value.to_le_bytes())
    }

    /// A number without dimensions.
    pub fn number(&mut self, value: f32) -> Value {
        self.constant(format!("{value:?}f"), FLOAT, &[], &value.to_le_bytes())
    }

    /// Numbers of any shape under a name of their own.
    pub fn numbers(&mut self, name: &str, shape: &[usize], values: &[f32]) -> Value {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name.to_string(), FLOAT, shape, &bytes)
    }

    fn constant(&mut self, name: String, kind: i64, shape: &[usize], bytes: &[u8]) -> Value {
        if let Some(known) = self.known.get(&name) {
            return known.clone();
        }
        let tensor = tensor_front(&name, kind, shape).bytes(RAW_DATA, bytes);
        self.constants = std::mem::take(&mut self.constants).message(INITIALIZER, &tensor);
        self.known.insert(name.clone(), name.clone());
        name
    }

    /// `a + b`.
    pub fn add(&mut self, a: &str, b: &str) -> Value {
        self.node("Add", &[a, b], Attributes::none())
    }

    /// `a · b`, number by number.
    pub fn mul(&mut self, a: &str, b: &str) -> Value {
        self.node("Mul", &[a, b], Attributes::none())
    }

    /// Values joined along an axis; a single one stays as it is.
    pub fn concat(&mut self, values: &[Value], axis: i64) -> Value {
        match values {
            [one] => one.clone(),
            _ => {
                let inputs: Vec<&str> = values.iter().map(String::as_str).collect();
                self.node("Concat", &inputs, Attributes::none().int("axis", axis))
            }
        }
    }

    /// Another shape: 0 keeps a dimension, -1 takes what is left.
    pub fn reshape(&mut self, value: &str, shape: &[i64]) -> Value {
        let shape = self.ints(shape);
        self.node("Reshape", &[value, &shape], Attributes::none())
    }

    /// Dimensions in another order.
    pub fn transpose(&mut self, value: &str, order: &[i64]) -> Value {
        self.node("Transpose", &[value], Attributes::none().ints("perm", order))
    }

    /// The entry at `index` of an axis; the axis goes.
    pub fn pick(&mut self, value: &str, axis: i64, index: i64) -> Value {
        let index = self.int(index);
        self.node("Gather", &[value, &index], Attributes::none().int("axis", axis))
    }

    /// Entries `from..to` of an axis; `i64::MAX` is its end.
    pub fn slice(&mut self, value: &str, axis: i64, from: i64, to: i64) -> Value {
        let [from, to, axis] = [from, to, axis].map(|number| self.ints(&[number]));
        self.node("Slice", &[value, &from, &to, &axis], Attributes::none())
    }

    /// `x · W + b` of PyTorch's `key.weight` `[out, in]` and, if it has one, `key.bias`.
    pub fn linear(&mut self, value: &str, key: &str, bias: bool) -> Value {
        self.within(key, |graph| {
            let weight = graph.ask("weight", Layout::Turned);
            let product = graph.node("MatMul", &[value, &weight], Attributes::none());
            if !bias {
                return product;
            }
            let bias = graph.weight("bias");
            graph.add(&product, &bias)
        })
    }

    /// Norm of the last dimension, with `key.weight` and, but for RMS norms, `key.bias`.
    pub fn norm(&mut self, value: &str, key: &str, config: &VitConfig) -> Value {
        self.within(key, |graph| {
            let (weight, eps) = (graph.weight("weight"), config.norm_eps as f32);
            if config.options.rms_norm {
                // The operator of that name came only with opset 23.
                let square = graph.mul(value, value);
                let mean = Attributes::none().ints("axes", &[-1]).int("keepdims", 1);
                let (mean, eps) = (graph.node("ReduceMean", &[&square], mean), graph.number(eps));
                let root = graph.add(&mean, &eps);
                let root = graph.node("Sqrt", &[&root], Attributes::none());
                let normed = graph.node("Div", &[value, &root], Attributes::none());
                return graph.mul(&normed, &weight);
            }
            let (bias, attributes) = (graph.weight("bias"), Attributes::none().int("axis", -1).float("epsilon", eps));
            graph.node("LayerNormalization", &[value, &weight, &bias], attributes)
        })
    }

    /// An activation, element by element.
    pub fn activation(&mut self, value: &str, activation: Activation) -> Value {
        match activation {
            Activation::Gelu => self.gelu(value),
            Activation::GeluTanh => self.gelu_tanh(value),
            Activation::QuickGelu => {
                let factor = self.number(1.702);
                let scaled = self.mul(value, &factor);
                let share = self.node("Sigmoid", &[&scaled], Attributes::none());
                self.mul(value, &share)
            }
            Activation::Silu => {
                let share = self.node("Sigmoid", &[value], Attributes::none());
                self.mul(value, &share)
            }
            Activation::Relu => self.node("Relu", &[value], Attributes::none()),
        }
    }

    /// GELU by its tanh formula.
    fn gelu_tanh(&mut self, value: &str) -> Value {
        let root = (2.0 / std::f32::consts::PI).sqrt();
        let [cubic, root, one, half] = [0.044_715, root, 1.0, 0.5].map(|number| self.number(number));
        let square = self.mul(value, value);
        let cube = self.mul(&square, value);
        let cube = self.mul(&cube, &cubic);
        let inner = self.add(value, &cube);
        let inner = self.mul(&inner, &root);
        let bent = self.node("Tanh", &[&inner], Attributes::none());
        let raised = self.add(&bent, &one);
        let product = self.mul(value, &raised);
        self.mul(&product, &half)
    }

    /// The erf form of GELU, spelled out: the operator of that name came only with opset 20.
    pub fn gelu(&mut self, value: &str) -> Value {
        let [root, one, half] = [std::f32::consts::SQRT_2, 1.0, 0.5].map(|number| self.number(number));
        let scaled = self.node("Div", &[value, &root], Attributes::none());
        let erf = self.node("Erf", &[&scaled], Attributes::none());
        let raised = self.add(&erf, &one);
        let product = self.mul(value, &raised);
        self.mul(&product, &half)
    }
}

/// Name of a weight in the file: its key, and for a turned one a sign that it is.
pub(super) fn weight_name(key: &str, layout: Layout) -> Value {
    match layout {
        Layout::AsItIs => key.to_string(),
        Layout::Turned => format!("{key}.T"),
    }
}

/// `GraphProto.initializer`.
pub(super) const INITIALIZER: u64 = 5;
/// `TensorProto.raw_data`.
pub(super) const RAW_DATA: u64 = 9;

/// A tensor up to its numbers.
pub(super) fn tensor_front(name: &str, kind: i64, shape: &[usize]) -> Message {
    let tensor = shape.iter().fold(Message::new(), |tensor, &side| tensor.int(1, side as i64));
    tensor.int(2, kind).text(8, name)
}

/// Attributes of an operator.
pub struct Attributes(Vec<Message>);

impl Attributes {
    /// An operator without any.
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// A whole number.
    pub fn int(self, name: &str, value: i64) -> Self {
        self.with(Message::new().text(1, name).int(3, value).int(20, 2))
    }

    /// A number.
    pub fn float(self, name: &str, value: f32) -> Self {
        self.with(Message::new().text(1, name).float(2, value).int(20, 1))
    }

    /// Whole numbers.
    pub fn ints(self, name: &str, values: &[i64]) -> Self {
        let attribute = values.iter().fold(Message::new().text(1, name), |attribute, &value| attribute.int(8, value));
        self.with(attribute.int(20, 7))
    }

    fn with(mut self, attribute: Message) -> Self {
        self.0.push(attribute);
        self
    }
}
