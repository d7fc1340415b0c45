//! Convolutions on WebGPU: the library's own, whose weight gradient of one group a channel is one launch; what follows
//! them is joined by fusion.

use burn_wgpu::CubeBackend;

use super::ConvolutionBackend;

impl ConvolutionBackend for CubeBackend {}
