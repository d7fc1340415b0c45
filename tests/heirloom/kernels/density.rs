//! The device's neighbour tables against the host's.
use burn::tensor::{Device, Int, Tensor, TensorData};
use heirloom_learngene::cluster::density::Neighbours;
use heirloom_nn::kernels::density::density_reference;
use heirloom_nn::kernels::{Density, density};
use heirloom_nn::vit::RandomWeights;

async fn read<const D: usize>(tensor: Tensor<D, Int>) -> Vec<i64> {
    tensor.into_data_async().await.unwrap().iter::<i64>().collect()
}

on_every_engine! {
    async fn density_equals_the_host_exactly_on_odd_sizes(device: Device) {
        for [layers, heads] in [[1, 1], [3, 5], [12, 12], [7, 17]] {
            let mut values: Vec<f32> =
                RandomWeights { seed: 8 }.values("d.weight", layers * heads).iter().map(|x| 2000.0 * x).collect();
            // Exactly `eps` apart, in both directions, and equal.
            if heads > 3 {
                (values[1], values[2], values[3]) = (values[0] + 10.0, values[0], values[0] - 10.0);
            }
            let distance = Tensor::<2>::from_data(TensorData::new(values.clone(), [layers, heads]), &device);
            for eps in [0.0, 10.0, 35.5] {
                let tables: Vec<Neighbours> = values.chunks(heads).map(|layer| Neighbours::from_distances(layer, eps)).collect();
                let pairs = |table: &Neighbours| {
                    let table = table.clone();
                    (0..heads * heads).map(move |at| i64::from(table.are_near(at / heads, at % heads)))
                };
                let near: Vec<i64> = tables.iter().flat_map(pairs).collect();
                let counts: Vec<i64> =
                    tables.iter().flat_map(|table| (0..heads).map(|head| table.count(head) as i64)).collect();
                for found in [density(distance.clone(), eps), density_reference(distance.clone(), eps)] {
                    let Density { near: found_near, counts: found_counts } = found;
                    assert_eq!(found_near.dims(), [layers, heads, heads]);
                    assert_eq!(read(found_near).await, near, "{layers} × {heads}, eps {eps}");
                    assert_eq!(read(found_counts).await, counts, "{layers} × {heads}, eps {eps}");
                }
            }
        }
    }
}
