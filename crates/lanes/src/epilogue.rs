//! What is done to the sums of a convolution while they are in a register anyway.

/// What follows the sums of a convolution.
#[derive(Clone, Copy, Debug)]
pub struct Epilogue<'a> {
    /// Added, one number a channel.
    pub bias: &'a [f32],
    /// What lies below or above is set to them.
    pub limits: [f32; 2],
}

impl<'a> Epilogue<'a> {
    /// The bias alone.
    pub fn of(bias: &'a [f32]) -> Self {
        Self { bias, limits: [f32::NEG_INFINITY, f32::INFINITY] }
    }

    /// Of the sums of a channel; what is not a number stays none.
    #[inline(always)]
    pub(crate) fn apply(&self, channel: usize, sums: &[f32], out: &mut [f32]) {
        let (bias, [low, high]) = (self.bias[channel], self.limits);
        for (out, sum) in out.iter_mut().zip(sums) {
            let value = sum + bias;
            let value = if value < low { low } else { value };
            *out = if value > high { high } else { value };
        }
    }
}
