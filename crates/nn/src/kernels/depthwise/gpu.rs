//! Depthwise convolutions on WebGPU: the library's own, whose weight gradient of one group a channel is one launch.

use burn_wgpu::CubeBackend;

use super::DepthwiseBackend;

impl DepthwiseBackend for CubeBackend {}
