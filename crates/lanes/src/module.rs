//! The matrix kernel as a WebAssembly module of its own, written at the start, that works on the engine's memory.
//!
//! A module that holds one instruction of relaxed SIMD does not load in a browser without it, and the engine, tens of
//! megabytes, is not to be built twice for a loop of thirty instructions. With them a product takes 0.7 times as long
//! (Chromium 156, AMD EPYC). The same module without relaxed SIMD is up to a tenth faster than the loop in the midst of
//! the engine, so it is used, too.
//!
//! Each export takes (strips, panels, depth, a, b, out, bytes of a row of `out`), addresses in bytes: panels of A and B
//! as [`gemm`](crate::gemm) packs them, and whole tiles of the result.

use crate::gemm::{COLUMNS, ROWS, VECTORS};

/// Name of the module whose `memory` is imported.
pub const MODULE: &str = "engine";
/// Name of the imported memory.
pub const MEMORY: &str = "memory";
/// Names of the exports: one writes its tiles, the other adds them to what lies there.
pub const EXPORTS: [&str; 2] = ["put", "add"];

const I32: u8 = 0x7f;
const V128: u8 = 0x7b;

/// Parameters of an export, in order.
mod parameter {
    pub const STRIPS: u32 = 0;
    pub const PANELS: u32 = 1;
    pub const DEPTH: u32 = 2;
    pub const A: u32 = 3;
    pub const B: u32 = 4;
    pub const OUT: u32 = 5;
    pub const ROW: u32 = 6;
    pub const COUNT: u32 = 7;
}

/// Locals behind the parameters: counters and places, then the vectors.
mod local {
    use super::{ROWS, VECTORS, parameter::COUNT};
    pub const STRIP: u32 = COUNT;
    pub const STEP: u32 = COUNT + 1;
    pub const IN_A: u32 = COUNT + 2;
    pub const IN_B: u32 = COUNT + 3;
    pub const IN_OUT: u32 = COUNT + 4;
    pub const PLACES: u32 = 5;
    pub const SUMS: u32 = COUNT + PLACES;
    pub const OF_B: u32 = SUMS + (ROWS * VECTORS) as u32;
    pub const OF_A: u32 = OF_B + VECTORS as u32;
    pub const VECTORS_IN_ALL: u32 = (ROWS * VECTORS + VECTORS + 1) as u32;
}

/// The module's bytes; with relaxed multiply-add, which not every browser loads, or without.
pub fn module(is_relaxed: bool) -> Vec<u8> {
    let mut bytes = b"\0asm\x01\0\0\0".to_vec();
    let parameters = list(vec![vec![I32]; parameter::COUNT as usize]);
    section(&mut bytes, 1, list(vec![[&[0x60], &parameters[..], &[0]].concat()]));
    // A memory of at least one page, without an upper limit.
    section(&mut bytes, 2, list(vec![[name(MODULE), name(MEMORY), vec![2, 0, 1]].concat()]));
    section(&mut bytes, 3, list(vec![vec![0]; EXPORTS.len()]));
    let exports = EXPORTS.iter().zip(0..).map(|(export, index)| [name(export), vec![0, index]].concat());
    section(&mut bytes, 7, list(exports.collect()));
    section(&mut bytes, 10, list([false, true].map(|adds| function(adds, is_relaxed)).to_vec()));
    bytes
}

/// An export's code, with its length before it.
fn function(adds: bool, is_relaxed: bool) -> Vec<u8> {
    use local::{IN_A, IN_B, IN_OUT, OF_A, OF_B, PLACES, STEP, STRIP, SUMS, VECTORS_IN_ALL};
    use parameter::{A, B, DEPTH, OUT, PANELS, ROW, STRIPS};
    let mut code = Code(Vec::new());
    code.0.extend(list(vec![[unsigned(PLACES), vec![I32]].concat(), [unsigned(VECTORS_IN_ALL), vec![V128]].concat()]));
    code.repeat(PANELS, |code| {
        code.copy(A, IN_A).copy(OUT, IN_OUT).copy(STRIPS, STRIP);
        code.repeat(STRIP, |code| {
            code.copy(B, IN_B).copy(DEPTH, STEP);
            for sum in 0..(ROWS * VECTORS) as u32 {
                code.zero().set(SUMS + sum);
            }
            code.repeat(STEP, |code| {
                for v in 0..VECTORS as u32 {
                    code.get(IN_B).load(16 * v).set(OF_B + v);
                }
                for row in 0..ROWS as u32 {
                    code.get(IN_A).splat(4 * row).set(OF_A);
                    for v in 0..VECTORS as u32 {
                        let sum = SUMS + row * VECTORS as u32 + v;
                        match is_relaxed {
                            true => code.get(OF_A).get(OF_B + v).get(sum).multiply_add().set(sum),
                            false => code.get(sum).get(OF_A).get(OF_B + v).multiply_vectors().add_vectors().set(sum),
                        };
                    }
                }
                code.advance(IN_A, 4 * ROWS as u32).advance(IN_B, 4 * COLUMNS as u32);
            });
            for row in 0..ROWS as u32 {
                for v in 0..VECTORS as u32 {
                    code.get(IN_OUT).get(SUMS + row * VECTORS as u32 + v);
                    if adds {
                        code.get(IN_OUT).load(16 * v).add_vectors();
                    }
                    code.store(16 * v);
                }
                code.get(IN_OUT).get(ROW).add().set(IN_OUT);
            }
        });
        code.get(B).get(DEPTH).constant(4 * COLUMNS as u32).multiply().add().set(B);
        code.advance(OUT, 4 * COLUMNS as u32);
    });
    code.0.push(0x0b);
    [unsigned(code.0.len() as u32), code.0].concat()
}

/// Instructions, one after the other.
struct Code(Vec<u8>);

impl Code {
    fn with(&mut self, code: u8, immediate: Vec<u8>) -> &mut Self {
        self.0.push(code);
        self.0.extend(immediate);
        self
    }

    fn vector(&mut self, code: u32, immediate: Vec<u8>) -> &mut Self {
        self.with(0xfd, [unsigned(code), immediate].concat())
    }

    fn get(&mut self, local: u32) -> &mut Self {
        self.with(0x20, unsigned(local))
    }

    fn set(&mut self, local: u32) -> &mut Self {
        self.with(0x21, unsigned(local))
    }

    fn copy(&mut self, from: u32, to: u32) -> &mut Self {
        self.get(from).set(to)
    }

    /// Positive numbers below 2^30: signed and unsigned forms differ from bit 6 on.
    fn constant(&mut self, value: u32) -> &mut Self {
        let mut bytes = unsigned(value);
        if bytes.last().is_some_and(|last| last & 0x40 != 0) {
            let end = bytes.len() - 1;
            bytes[end] |= 0x80;
            bytes.push(0);
        }
        self.with(0x41, bytes)
    }

    fn add(&mut self) -> &mut Self {
        self.with(0x6a, vec![])
    }

    fn multiply(&mut self) -> &mut Self {
        self.with(0x6c, vec![])
    }

    fn advance(&mut self, local: u32, bytes: u32) -> &mut Self {
        self.get(local).constant(bytes).add().set(local)
    }

    fn load(&mut self, offset: u32) -> &mut Self {
        self.vector(0x00, [vec![2], unsigned(offset)].concat())
    }

    fn splat(&mut self, offset: u32) -> &mut Self {
        self.vector(0x09, [vec![2], unsigned(offset)].concat())
    }

    fn store(&mut self, offset: u32) -> &mut Self {
        self.vector(0x0b, [vec![2], unsigned(offset)].concat())
    }

    fn zero(&mut self) -> &mut Self {
        self.vector(0x0c, vec![0; 16])
    }

    fn add_vectors(&mut self) -> &mut Self {
        self.vector(0xe4, vec![])
    }

    fn multiply_vectors(&mut self) -> &mut Self {
        self.vector(0xe6, vec![])
    }

    fn multiply_add(&mut self) -> &mut Self {
        self.vector(0x105, vec![])
    }

    /// `body` as often as `counter`, at least 1, says; it counts down to 0.
    fn repeat(&mut self, counter: u32, body: impl FnOnce(&mut Self)) -> &mut Self {
        self.with(0x03, vec![0x40]);
        body(self);
        // counter - 1, kept, and again while it is not 0.
        self.get(counter).with(0x41, vec![0x01]).with(0x6b, vec![]).with(0x22, unsigned(counter));
        self.with(0x0d, vec![0]).with(0x0b, vec![])
    }
}

/// LEB128.
fn unsigned(mut value: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

fn list(items: Vec<Vec<u8>>) -> Vec<u8> {
    [unsigned(items.len() as u32), items.concat()].concat()
}

fn name(name: &str) -> Vec<u8> {
    [unsigned(name.len() as u32), name.as_bytes().to_vec()].concat()
}

fn section(bytes: &mut Vec<u8>, id: u8, body: Vec<u8>) {
    bytes.push(id);
    bytes.extend(unsigned(body.len() as u32));
    bytes.extend(body);
}

#[cfg(test)]
mod tests {
    use super::{module, unsigned};

    #[test]
    fn numbers_are_leb128() {
        assert_eq!(unsigned(0), [0]);
        assert_eq!(unsigned(127), [0x7f]);
        assert_eq!(unsigned(128), [0x80, 1]);
        assert_eq!(unsigned(0x105), [0x85, 2]);
    }

    /// Whether a browser takes it, and computes the same, is asked in a browser.
    #[test]
    fn the_module_is_about_a_kilobyte() {
        for bytes in [false, true].map(module) {
            assert!(bytes.starts_with(b"\0asm\x01\0\0\0"));
            assert!((400..1500).contains(&bytes.len()), "{} bytes", bytes.len());
        }
    }
}
