//! The CPU engine's half.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Flex, TensorMetadata};

use super::{ExpandHeadWeights, Shapes};
use crate::kernels::flex::{tensor, values};

impl ExpandHeadWeights for Flex {
    fn expand_head_weights(
        qkv: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        proj: FloatTensor<Self>,
        heads: IntTensor<Self>,
        scales: FloatTensor<Self>,
        head_dim: usize,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let [qkv, bias, proj, scales] = [qkv, bias, proj, scales].map(|tensor| tensor.to_contiguous());
        let shape = qkv.shape();
        let [width, columns] = shape.dims();
        let sources: Vec<usize> = heads.into_data().iter::<i64>().map(|head| head as usize).collect();
        let shapes = Shapes::new(&shape, sources.len(), head_dim);
        let gather = |row: &[f32], into: &mut Vec<f32>| {
            for part in row.chunks_exact(columns / 3) {
                sources.iter().for_each(|&head| into.extend_from_slice(&part[head * head_dim..][..head_dim]));
            }
        };
        let mut qkv_out = Vec::with_capacity(shapes.qkv.num_elements());
        values(&qkv).chunks_exact(columns).for_each(|row| gather(row, &mut qkv_out));
        let mut bias_out = Vec::with_capacity(shapes.bias.num_elements());
        gather(values(&bias), &mut bias_out);
        let mut proj_out = Vec::with_capacity(shapes.proj.num_elements());
        for (&head, scale) in sources.iter().zip(values(&scales)) {
            let rows = &values(&proj)[head * head_dim * width..][..head_dim * width];
            proj_out.extend(rows.iter().map(|weight| weight * scale));
        }
        (tensor(qkv_out, shapes.qkv), tensor(bias_out, shapes.bias), tensor(proj_out, shapes.proj))
    }
}
