//! Weights on the host, as files hold them.

/// One tensor on the host: PyTorch shape, row-major values.
#[derive(Clone, Debug, PartialEq)]
pub struct HostTensor {
    /// Shape as PyTorch has it (`[out, in]` for linear weights).
    pub shape: Vec<usize>,
    /// Values, row-major.
    pub values: Vec<f32>,
}
