//! The matrix kernel in the browser: a module of its own, with relaxed SIMD where the browser has that and computes
//! rightly.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use heirloom_lanes::{COLUMNS, EXPORTS, MEMORY, MODULE, Onto, ROWS, Row, Tiles, module, use_kernel};
use heirloom_platform::side_module::{call, start};

/// Numbers of the modules' first exports, without relaxed SIMD and with it; where there is none, the other's.
static FIRST: [AtomicUsize; 2] = [AtomicUsize::new(0), AtomicUsize::new(0)];
static IS_PLAIN: AtomicBool = AtomicBool::new(false);

/// Leaves relaxed SIMD alone for a while, so that browsers with and without it can be compared.
pub fn prefer_plain(is_plain: bool) {
    IS_PLAIN.store(is_plain, Ordering::Relaxed);
}

/// Starts the modules that this browser takes, once.
pub(super) fn use_where_possible() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        let started = [false, true].map(|is_relaxed| {
            let first = start(&module(is_relaxed), [MODULE, MEMORY], &EXPORTS);
            first.filter(|&first| computes_rightly(first))
        });
        let Some(any) = started[0].or(started[1]) else { return };
        for (slot, first) in FIRST.iter().zip(started) {
            slot.store(first.unwrap_or(any), Ordering::Relaxed);
        }
        use_kernel(kernel);
    });
}

/// # Panics
/// When a tile lies outside the result, or the module does not run, which would be our own fault.
fn kernel(tiles: Tiles<'_>) {
    let is_relaxed = !IS_PLAIN.load(Ordering::Relaxed);
    let first = FIRST[usize::from(is_relaxed)].load(Ordering::Relaxed);
    assert!(run(first, tiles), "the module of the matrix kernel ran");
}

fn run(first: usize, Tiles { a, b, size, out, row_stride, onto }: Tiles<'_>) -> bool {
    let [strips, panels, depth] = size;
    let (height, width) = (strips * ROWS, panels * COLUMNS);
    assert!(a.len() >= strips * depth && b.len() >= panels * depth, "the panels are packed");
    assert!(width <= row_stride && (height - 1) * row_stride + width <= out.len(), "the tiles lie inside the result");
    let export = usize::from(onto == Onto::Sum);
    // Addresses in the memory that both modules share.
    let places = [a.as_ptr() as usize, b.as_ptr() as usize, out.as_mut_ptr() as usize];
    let numbers = [strips, panels, depth, places[0], places[1], places[2], 4 * row_stride];
    call(first + export, numbers.map(|number| number as u32))
}

/// Two strips by two panels of whole numbers, whose sums are exact.
fn computes_rightly(first: usize) -> bool {
    const DEPTH: usize = 3;
    const WIDTH: usize = 2 * COLUMNS;
    let number = |i: usize, j: usize| (i * 5 + j * 3) as f32 % 7.0 - 2.0;
    let a: Vec<[f32; ROWS]> = (0..2 * DEPTH).map(|i| std::array::from_fn(|j| number(i + 1, j))).collect();
    let b: Vec<Row> = (0..2 * DEPTH).map(|i| Row(std::array::from_fn(|j| number(i, j)))).collect();
    let cell = |row: usize, column: usize| -> f32 {
        let (a, b) = (&a[row / ROWS * DEPTH..][..DEPTH], &b[column / COLUMNS * DEPTH..][..DEPTH]);
        a.iter().zip(b).map(|(a, b)| a[row % ROWS] * b.0[column % COLUMNS]).sum()
    };
    let mut out = vec![1.0; 2 * ROWS * WIDTH];
    let size = [2, 2, DEPTH];
    let mut tiles = |onto| run(first, Tiles { a: &a, b: &b, size, out: &mut out, row_stride: WIDTH, onto });
    let ran = tiles(Onto::Nothing) && tiles(Onto::Sum);
    ran && out.iter().enumerate().all(|(at, &value)| value == 2.0 * cell(at / WIDTH, at % WIDTH))
}
