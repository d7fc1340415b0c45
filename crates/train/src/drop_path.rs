//! Stochastic depth (Huang et al. 2016, timm's `drop_path`): whole residual branches are left out per sample.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Factor of every residual branch for every sample: 0, or 1 / keep probability.
///
/// The rate rises linearly from 0 in the first layer to `rate` in the last; both branches of a layer share it. Drawn on
/// the host as a pure function of `(seed, step)`, so that all arms of a race and a resumed run see the same draws on
/// every engine.
///
/// # Shapes
/// `-> [branches * batch]`, row-major, two branches a layer
pub fn drop_path_factors(rate: f64, branches: usize, batch: usize, seed: u64, step: usize) -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(step as u64);
    let last = (branches / 2).saturating_sub(1).max(1) as f64;
    let mut factors = Vec::with_capacity(branches * batch);
    for branch in 0..branches {
        let keep = 1.0 - rate * (branch / 2) as f64 / last;
        factors.extend((0..batch).map(|_| if random.random::<f64>() < keep { (1.0 / keep) as f32 } else { 0.0 }));
    }
    factors
}
