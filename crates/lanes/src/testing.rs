//! What the tests of several loops share.

/// Lengths around every width that a loop may work in, and none.
pub const SIZES: [usize; 10] = [0, 1, 3, 7, 15, 16, 17, 33, 100, 1003];

/// Reproducible numbers between `-reach` and `reach`.
pub fn numbers(count: usize, seed: u32, reach: f32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next() * reach).collect()
}

/// Reproducible bytes.
pub fn bytes(count: usize, seed: u32) -> Vec<u8> {
    numbers(count, seed, 1.0).into_iter().map(|number| ((number + 1.0) * 127.9) as u8).collect()
}

/// The numbers in f64.
pub fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

/// Fails with the place where two slices differ by more than `tolerance`, relative to 1 or to what was expected,
/// whichever is larger.
#[track_caller]
pub fn assert_near(found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (at, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(found) - expected).abs() / expected.abs().max(1.0);
        assert!(error <= tolerance, "at {at}: {found} instead of {expected}");
    }
}
