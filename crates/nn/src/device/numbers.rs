//! Numbers that every engine, language and machine can make again: a counter-based generator. The peer benchmark and
//! the start-up self-test both start from it.

/// `count` numbers in `[-scale, scale)`; the same as `uniform` of `benches/peers/src/common.js`.
pub fn uniform(count: usize, seed: u32, scale: f32) -> Vec<f32> {
    let base = seed.wrapping_mul(0x9e37_79b1);
    let number = |i: u32| {
        let unit = f64::from(mix(base.wrapping_add(i.wrapping_mul(0x85eb_ca6b)))) / 4_294_967_296.0;
        ((unit * 2.0 - 1.0) * f64::from(scale)) as f32
    };
    (0..count as u32).map(number).collect()
}

fn mix(i: u32) -> u32 {
    let mut t = i.wrapping_add(0x6d2b_79f5);
    t = (t ^ (t >> 15)).wrapping_mul(t | 1);
    t ^= t.wrapping_add((t ^ (t >> 7)).wrapping_mul(t | 61));
    t ^ (t >> 14)
}
