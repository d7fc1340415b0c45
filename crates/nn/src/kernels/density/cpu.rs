//! The CPU engine's half.

use burn::backend::ops::IntTensorOps;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::TensorData;

use super::{DensityTables, tables_shape};
use crate::kernels::flex::values;

impl DensityTables for Flex {
    fn density_tables(distance: FloatTensor<Self>, eps: f32) -> (IntTensor<Self>, IntTensor<Self>) {
        let distance = distance.to_contiguous();
        let shape = distance.shape();
        let (mut near, mut counts) = (Vec::new(), Vec::new());
        for layer in values(&distance).chunks(shape[1].max(1)) {
            for own in layer {
                let row = layer.iter().map(|other| i32::from((own - other).abs() <= eps));
                counts.push(row.clone().sum::<i32>());
                near.extend(row);
            }
        }
        let near = Self::int_from_data(TensorData::new(near, tables_shape(&shape)), &Default::default());
        (near, Self::int_from_data(TensorData::new(counts, shape), &Default::default()))
    }
}
