//! Which engine a command computes on.

use clap::ValueEnum;
use heirloom_plan::protocol::Engine;

/// The engines there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EngineName {
    /// The CPU, one thread, with SIMD.
    Cpu,
    /// This machine's adapter.
    Webgpu,
}

impl EngineName {
    /// Its name as an option has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Webgpu => "webgpu",
        }
    }
}

impl From<EngineName> for Engine {
    fn from(name: EngineName) -> Self {
        match name {
            EngineName::Cpu => Self::Cpu,
            EngineName::Webgpu => Self::WebGpu,
        }
    }
}
