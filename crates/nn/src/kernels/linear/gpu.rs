//! Linear layers on WebGPU: composed, because fusion joins bias and GELU with their neighbours.

use burn_wgpu::CubeBackend;

use super::LinearBackend;

impl LinearBackend for CubeBackend {}
