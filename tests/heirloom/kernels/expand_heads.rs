//! The gathered weights against plain indexing.
use burn::tensor::{Device, Int, Tensor, TensorData};
use heirloom_nn::kernels::expand_heads::expand_heads_reference;
use heirloom_nn::kernels::{HeadWeights, expand_heads};
use heirloom_nn::vit::RandomWeights;

async fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data_async().await.unwrap().iter::<f32>().collect()
}

/// Weights `[q, k, v][head][channel]` of one ancestor layer on the host.
struct Host {
    width: usize,
    heads: usize,
    head_dim: usize,
    qkv: Vec<f32>,
    bias: Vec<f32>,
    proj: Vec<f32>,
}

impl Host {
    fn new(width: usize, heads: usize, head_dim: usize) -> Self {
        let random = |key: &str, count| RandomWeights { seed: 2 }.values(key, count);
        let all = heads * head_dim;
        let (qkv, bias, proj) = (
            random("qkv.weight", width * 3 * all),
            random("qkv.weight_b", 3 * all),
            random("proj.weight", all * width),
        );
        Self { width, heads, head_dim, qkv, bias, proj }
    }

    fn expanded(&self, sources: &[usize], scales: &[f32]) -> [Vec<f32>; 3] {
        let (all, head_dim, width) = (self.heads * self.head_dim, self.head_dim, self.width);
        let columns: Vec<usize> = (0..3)
            .flat_map(|part| sources.iter().map(move |head| (part, head)))
            .flat_map(|(part, head)| (0..head_dim).map(move |channel| part * all + head * head_dim + channel))
            .collect();
        let qkv = (0..width).flat_map(|row| columns.iter().map(move |column| self.qkv[row * 3 * all + column]));
        let bias = columns.iter().map(|&column| self.bias[column]);
        let mut proj = Vec::new();
        for (head, scale) in sources.iter().zip(scales) {
            for channel in 0..head_dim {
                let row = &self.proj[(head * head_dim + channel) * width..][..width];
                proj.extend(row.iter().map(|weight| weight * scale));
            }
        }
        [qkv.collect(), bias.collect(), proj]
    }

    fn on(&self, device: &Device) -> HeadWeights {
        let all = self.heads * self.head_dim;
        HeadWeights {
            qkv: Tensor::from_data(TensorData::new(self.qkv.clone(), [self.width, 3 * all]), device),
            qkv_bias: Some(Tensor::from_data(TensorData::new(self.bias.clone(), [3 * all]), device)),
            proj: Tensor::from_data(TensorData::new(self.proj.clone(), [all, self.width]), device),
        }
    }
}

on_every_engine! {
    async fn expand_heads_equals_plain_indexing_on_odd_sizes(device: Device) {
        let cases: [([usize; 3], &[usize]); 4] =
            [([7, 3, 5], &[2, 0, 0, 1, 2]), ([1, 1, 1], &[0]), ([12, 5, 3], &[4]), ([64, 4, 16], &[3, 1, 3, 1, 3, 0])];
        for ([width, heads, head_dim], sources) in cases {
            let host = Host::new(width, heads, head_dim);
            let scales: Vec<f32> = (0..sources.len()).map(|i| 0.5 + i as f32).collect();
            let expected = host.expanded(sources, &scales);
            let index: Vec<i32> = sources.iter().map(|&head| head as i32).collect();
            let index = Tensor::<1, Int>::from_data(TensorData::new(index, [sources.len()]), &device);
            let factor = Tensor::<1>::from_data(TensorData::new(scales, [sources.len()]), &device);
            for fused in [true, false] {
                let expand = if fused { expand_heads } else { expand_heads_reference };
                let found = expand(host.on(&device), index.clone(), factor.clone(), head_dim);
                assert_eq!(found.qkv.dims(), [width, 3 * sources.len() * head_dim]);
                assert_eq!(found.proj.dims(), [sources.len() * head_dim, width]);
                assert_eq!(read(found.qkv).await, expected[0], "qkv, fused: {fused}");
                assert_eq!(read(found.qkv_bias.unwrap()).await, expected[1], "bias, fused: {fused}");
                assert_eq!(read(found.proj).await, expected[2], "proj, fused: {fused}");
            }
        }
    }

    async fn expand_heads_leaves_a_missing_bias_missing_and_takes_weights_under_training(device: Device) {
        let host = Host::new(6, 2, 3);
        let device = device.autodiff();
        let weights = HeadWeights { qkv_bias: None, ..host.on(&device) };
        let index = Tensor::<1, Int>::from_data([1, 1], &device);
        let found = expand_heads(weights, index, Tensor::ones([2], &device), 3);
        assert!(found.qkv_bias.is_none());
        assert!(!found.qkv.is_autodiff() && !found.proj.is_autodiff());
        let expected = host.expanded(&[1, 1], &[1.0, 1.0]);
        assert_eq!(read(found.qkv).await, expected[0]);
        assert_eq!(read(found.proj).await, expected[2]);
    }
}
