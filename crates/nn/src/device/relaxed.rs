//! The matrix kernel with relaxed multiply-add, where the browser has that and computes rightly.

use std::sync::Once;

use heirloom_lanes::relaxed::{EXPORTS, MEMORY, MODULE, module};
use heirloom_lanes::{Onto, Tiles, use_kernel};
use heirloom_platform::relaxed_simd::{call, start};

/// Looks once whether the browser has relaxed SIMD, and uses it from then on.
pub(super) fn use_where_possible() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        if start(&module(), [MODULE, MEMORY], &EXPORTS) && computes_rightly() {
            use_kernel(kernel);
        }
    });
}

/// # Panics
/// When a tile lies outside the result, or the module does not run, which would be our own fault.
fn kernel(tiles: Tiles<'_>) {
    assert!(run(tiles), "the module with relaxed SIMD ran");
}

fn run(Tiles { a, b, size, out, row_stride, onto }: Tiles<'_>) -> bool {
    let [strips, panels, depth] = size;
    let (height, width) = (strips * a[0].len(), panels * b[0].len());
    assert!(a.len() >= strips * depth && b.len() >= panels * depth, "the panels are packed");
    assert!(width <= row_stride && (height - 1) * row_stride + width <= out.len(), "the tiles lie inside the result");
    let export = usize::from(onto == Onto::Sum);
    // Addresses in the memory that both modules share.
    let places = [a.as_ptr() as usize, b.as_ptr() as usize, out.as_mut_ptr() as usize];
    let numbers = [strips, panels, depth, places[0], places[1], places[2], 4 * row_stride];
    call(export, numbers.map(|number| number as u32))
}

/// Two strips by two panels of whole numbers, whose sums are exact.
fn computes_rightly() -> bool {
    const DEPTH: usize = 3;
    let a: Vec<[f32; 2]> = (0..2 * DEPTH).map(|i| [i as f32 - 2.0, 3.0 - i as f32]).collect();
    let b: Vec<[f32; 16]> = (0..2 * DEPTH).map(|i| std::array::from_fn(|j| (i * 5 + j * 3) as f32 % 7.0)).collect();
    let cell = |row: usize, column: usize| -> f32 {
        let (a, b) = (&a[row / 2 * DEPTH..][..DEPTH], &b[column / 16 * DEPTH..][..DEPTH]);
        a.iter().zip(b).map(|(a, b)| a[row % 2] * b[column % 16]).sum()
    };
    let mut out = vec![1.0; 4 * 32];
    let mut tiles = |onto| run(Tiles { a: &a, b: &b, size: [2, 2, DEPTH], out: &mut out, row_stride: 32, onto });
    tiles(Onto::Nothing)
        && tiles(Onto::Sum)
        && out.iter().enumerate().all(|(at, &value)| value == 2.0 * cell(at / 32, at % 32))
}
