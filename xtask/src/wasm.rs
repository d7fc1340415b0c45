//! Functions of a WebAssembly module by name, and what they compute with.

use crate::house::Result;
use std::collections::BTreeMap;
use wasmparser::{FunctionBody, KnownCustom, Name, Operator, Parser, Payload, TypeRef};

/// Instructions of a function that compute on floating-point numbers, or on vectors of whole ones. Loads, stores and
/// conversions are not counted: a loop that only copies is as fast as one wishes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Code {
    /// Those on vectors.
    pub vector: usize,
    /// Those on single f32s.
    pub scalar: usize,
    /// Those on vectors in the innermost loop that has most of them and none on a single f32.
    pub widest_loop: usize,
}

/// Every function whose name (without the compiler's hash) is wanted.
pub fn functions(module: &[u8], is_wanted: impl Fn(&str) -> bool) -> Result<BTreeMap<String, Code>> {
    read(module, is_wanted).map_err(|error| format!("the module cannot be read: {error}"))
}

fn read(module: &[u8], is_wanted: impl Fn(&str) -> bool) -> wasmparser::Result<BTreeMap<String, Code>> {
    let (mut imported, mut bodies, mut names) = (0, Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    imported += usize::from(matches!(import?.ty, TypeRef::Func(_) | TypeRef::FuncExact(_)));
                }
            }
            Payload::CodeSectionEntry(body) => bodies.push(body),
            Payload::CustomSection(section) => {
                if let KnownCustom::Name(sections) = section.as_known() {
                    for section in sections {
                        if let Name::Function(map) = section? {
                            names.extend(map);
                        }
                    }
                }
            }
            _ => {}
        }
    }
    let mut found = BTreeMap::new();
    for naming in names {
        let naming = naming?;
        let plain = demangled(naming.name);
        let name = without_hash(plain.as_deref().unwrap_or(naming.name));
        // Functions are counted from the imported ones on.
        let body = (naming.index as usize).checked_sub(imported).and_then(|at| bodies.get(at));
        if let Some(body) = body.filter(|_| is_wanted(name)) {
            let code = code(body)?;
            // Of several copies the worst counts.
            let kept: &mut Code = found.entry(name.to_owned()).or_insert(code);
            if code.widest_loop < kept.widest_loop {
                *kept = code;
            }
        }
    }
    Ok(found)
}

/// The path in a name as the compiler writes it (`_ZN5lanes4gelu17h…E`), before wasm-bindgen has made it readable.
fn demangled(name: &str) -> Option<String> {
    let mut rest = name.strip_prefix("_ZN")?;
    let mut parts = Vec::new();
    while !rest.starts_with('E') {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let (length, after) = rest.split_at(digits);
        let (part, after) = after.split_at_checked(length.parse().ok()?)?;
        parts.push(part);
        rest = after;
    }
    Some(parts.join("::"))
}

/// `a::b::h0123456789abcdef` is `a::b`.
fn without_hash(name: &str) -> &str {
    match name.rsplit_once("::h") {
        Some((path, hash)) if hash.len() == 16 && hash.bytes().all(|digit| digit.is_ascii_hexdigit()) => path,
        _ => name,
    }
}

/// A block that is open: what was counted inside, when it is an innermost loop so far.
struct Block {
    is_innermost_loop: bool,
    vector: usize,
    scalar: usize,
}

fn code(body: &FunctionBody<'_>) -> wasmparser::Result<Code> {
    let mut code = Code::default();
    let mut open: Vec<Block> = Vec::new();
    for operator in body.get_operators_reader()? {
        let operator = operator?;
        match operator {
            Operator::Block { .. } | Operator::If { .. } | Operator::TryTable { .. } => {
                open.push(Block { is_innermost_loop: false, vector: 0, scalar: 0 });
            }
            Operator::Loop { .. } => {
                open.iter_mut().for_each(|block| block.is_innermost_loop = false);
                open.push(Block { is_innermost_loop: true, vector: 0, scalar: 0 });
            }
            Operator::End => {
                // The function itself ends, too.
                let Some(block) = open.pop() else { break };
                if block.is_innermost_loop && block.scalar == 0 {
                    code.widest_loop = code.widest_loop.max(block.vector);
                }
            }
            _ => {
                let (vector, scalar) = (usize::from(is_vector(&operator)), usize::from(is_scalar(&operator)));
                code.vector += vector;
                code.scalar += scalar;
                open.iter_mut().for_each(|block| {
                    block.vector += vector;
                    block.scalar += scalar;
                });
            }
        }
    }
    Ok(code)
}

fn is_vector(operator: &Operator<'_>) -> bool {
    use Operator as O;
    let on_numbers = matches!(
        operator,
        O::F32x4Add | O::F32x4Sub | O::F32x4Mul | O::F32x4Div | O::F32x4Sqrt | O::F32x4Abs | O::F32x4Neg
    );
    let on_numbers_compared =
        matches!(operator, O::F32x4Min | O::F32x4Max | O::F32x4PMin | O::F32x4PMax | O::F32x4RelaxedMadd);
    let on_whole_ones = matches!(
        operator,
        O::I32x4Add | O::I32x4Sub | O::I32x4Mul | O::I32x4DotI16x8S | O::I16x8Add | O::I16x8Sub | O::I16x8Mul
    );
    on_numbers || on_numbers_compared || on_whole_ones
}

fn is_scalar(operator: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(
        operator,
        O::F32Add | O::F32Sub | O::F32Mul | O::F32Div | O::F32Sqrt | O::F32Abs | O::F32Neg | O::F32Min | O::F32Max
    )
}

#[cfg(test)]
mod tests {
    use super::{Code, functions};

    /// `id`, length, content.
    fn section(id: u8, content: &[u8]) -> Vec<u8> {
        [&[id, content.len() as u8], content].concat()
    }

    fn text(text: &str) -> Vec<u8> {
        [&[text.len() as u8], text.as_bytes()].concat()
    }

    /// A module that imports one function and has two: the first with the given instructions, the second empty.
    fn module(instructions: &[u8]) -> Vec<u8> {
        let body = [&[0], instructions, &[0x0b]].concat();
        let bodies = [&[2, body.len() as u8], &body[..], &[2, 0, 0x0b]].concat();
        let named = [
            vec![3, 0],
            text("the::import"),
            vec![1],
            text("lanes::gelu::h0123456789abcdef"),
            vec![2],
            text("lanes::hash::habit"),
        ];
        let names = [text("name"), section(1, &named.concat())].concat();
        [
            b"\0asm\x01\0\0\0".to_vec(),
            section(1, &[1, 0x60, 0, 0]),
            section(2, &[vec![1], text("m"), text("f"), vec![0, 0]].concat()),
            section(3, &[2, 0, 0]),
            section(10, &bodies),
            section(0, &names),
        ]
        .concat()
    }

    const F32X4_ADD: [u8; 3] = [0xfd, 0xe4, 0x01];
    const F32X4_MUL: [u8; 3] = [0xfd, 0xe6, 0x01];
    const F32_ADD: [u8; 1] = [0x92];
    const LOOP: [u8; 2] = [0x03, 0x40];
    const BLOCK: [u8; 2] = [0x02, 0x40];
    const END: [u8; 1] = [0x0b];
    /// `v128.load` with alignment 4, offset 0.
    const LOAD: [u8; 4] = [0xfd, 0x00, 0x04, 0x00];

    fn gelu(instructions: &[&[u8]]) -> Code {
        let found = functions(&module(&instructions.concat()), |name| name == "lanes::gelu").expect("it is a module");
        found["lanes::gelu"]
    }

    #[test]
    fn a_name_as_the_compiler_writes_it_is_a_path() {
        let path = super::demangled("_ZN14heirloom_lanes4gelu4gelu17h7aff8b897ac00ae2E");
        assert_eq!(path.as_deref(), Some("heirloom_lanes::gelu::gelu::h7aff8b897ac00ae2"));
        assert_eq!(super::demangled("_ZN99lanes"), None);
    }

    #[test]
    fn a_function_is_found_by_its_name_without_the_hash_and_behind_the_imports() {
        let found = functions(&module(&F32X4_ADD), |name| name.starts_with("lanes")).expect("it is a module");
        let names: Vec<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(names, ["lanes::gelu", "lanes::hash::habit"]);
        assert_eq!(found["lanes::gelu"], Code { vector: 1, scalar: 0, widest_loop: 0 });
        assert_eq!(found["lanes::hash::habit"], Code::default());
    }

    #[test]
    fn the_widest_loop_is_innermost_and_has_no_scalar() {
        // A loop of vectors beside a scalar one for the rest.
        let loops: [&[u8]; 8] = [&LOOP, &LOAD, &F32X4_MUL, &F32X4_ADD, &END, &LOOP, &F32_ADD, &END];
        assert_eq!(gelu(&loops), Code { vector: 2, scalar: 1, widest_loop: 2 });
        // Vectors around a loop are not in it; a block inside a loop is.
        let nested: [&[u8]; 9] = [&LOOP, &F32X4_ADD, &F32X4_ADD, &LOOP, &BLOCK, &F32X4_MUL, &END, &END, &END];
        assert_eq!(gelu(&nested), Code { vector: 3, scalar: 0, widest_loop: 1 });
        // Vectors that are taken apart in the loop itself.
        let mixed: [&[u8]; 5] = [&LOOP, &F32X4_ADD, &F32X4_ADD, &F32_ADD, &END];
        assert_eq!(gelu(&mixed), Code { vector: 2, scalar: 1, widest_loop: 0 });
    }

    #[test]
    fn what_is_no_module_is_told() {
        let sentence = functions(b"<!doctype html>", |_| true).expect_err("it is a page");
        assert!(sentence.starts_with("the module cannot be read: "), "{sentence}");
    }
}
