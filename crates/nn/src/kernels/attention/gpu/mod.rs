//! Attention on WebGPU: one launch forward, two backward, both straight from `qkv`.

mod backward;
mod forward;
mod tile;

use burn::backend::tensor::FloatTensor;
use burn::tensor::{DType, Shape};
use burn_cubecl::kernel::into_contiguous;
use burn_wgpu::{CubeBackend, CubeTensor};
use cubecl::{CubeCount, CubeDim};

use super::{AttentionBackend, mixed_shape, rows_shape};
use crate::kernels::launch::empty;
use tile::Tile;

/// What the kernels have to know of the heads.
#[derive(Clone, Copy)]
struct Heads {
    batch: usize,
    tokens: usize,
    heads: usize,
    head_dim: usize,
}

impl Heads {
    fn of(qkv: &Shape, heads: usize) -> Self {
        let [batch, tokens, columns] = qkv.dims();
        Self { batch, tokens, heads, head_dim: columns / (3 * heads) }
    }

    fn scale(&self) -> f32 {
        1.0 / (self.head_dim as f32).sqrt()
    }

    /// A cube for every tile of kept rows of every head of every sample: an axis for each, so that none gets too long.
    fn cubes(&self, tile: Tile) -> CubeCount {
        CubeCount::Static(self.tokens.div_ceil(tile.kept) as u32, self.heads as u32, self.batch as u32)
    }
}

fn units(tile: Tile) -> CubeDim {
    CubeDim::new_2d(tile.streamed as u32, tile.kept as u32)
}

/// Where the patches lie, and whether to leave out what the prefix tokens got; `None` measures nothing.
type Measured = Option<(usize, usize, bool)>;

/// The result and `numbers` of each query.
fn forward(qkv: CubeTensor, heads: usize, numbers: usize, measured: Measured) -> (CubeTensor, CubeTensor) {
    let qkv = into_contiguous(qkv);
    assert_eq!(qkv.dtype, DType::F32, "attention is of f32");
    let of = Heads::of(qkv.meta.shape(), heads);
    let tile = Tile::new(of.head_dim, 1, 2);
    let mixed = empty(&qkv, mixed_shape(qkv.meta.shape()));
    let rows = empty(&qkv, rows_shape(qkv.meta.shape(), heads, numbers));
    let (grid, prefix_tokens, renormalise) = measured.unwrap_or((1, 0, false));
    forward::attention_kernel::launch(
        &mixed.client,
        of.cubes(tile),
        units(tile),
        qkv.into_tensor_arg(),
        mixed.clone().into_tensor_arg(),
        rows.clone().into_tensor_arg(),
        of.tokens,
        of.heads,
        of.scale(),
        grid,
        prefix_tokens,
        of.head_dim,
        tile,
        measured.is_some(),
        renormalise,
    );
    (mixed, rows)
}

impl AttentionBackend for CubeBackend {
    fn attention_forward(qkv: FloatTensor<Self>, heads: usize) -> (FloatTensor<Self>, FloatTensor<Self>) {
        forward(qkv, heads, 1, None)
    }

    fn attention_backward(
        qkv: FloatTensor<Self>,
        mixed: FloatTensor<Self>,
        log_sums: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        heads: usize,
    ) -> FloatTensor<Self> {
        let [qkv, mixed, log_sums, gradient] = [qkv, mixed, log_sums, gradient].map(into_contiguous);
        let of = Heads::of(qkv.meta.shape(), heads);
        let tile = Tile::new(of.head_dim, 2, 2);
        let output = empty(&qkv, qkv.meta.shape().clone());
        let deltas = empty(&log_sums, log_sums.meta.shape().clone());
        backward::query_gradient_kernel::launch(
            &output.client,
            of.cubes(tile),
            units(tile),
            qkv.clone().into_tensor_arg(),
            mixed.into_tensor_arg(),
            log_sums.clone().into_tensor_arg(),
            gradient.clone().into_tensor_arg(),
            output.clone().into_tensor_arg(),
            deltas.clone().into_tensor_arg(),
            of.tokens,
            of.heads,
            of.scale(),
            of.head_dim,
            tile,
        );
        backward::key_value_gradient_kernel::launch(
            &output.client,
            of.cubes(tile),
            units(tile),
            qkv.into_tensor_arg(),
            log_sums.into_tensor_arg(),
            deltas.into_tensor_arg(),
            gradient.into_tensor_arg(),
            output.clone().into_tensor_arg(),
            of.tokens,
            of.heads,
            of.scale(),
            of.head_dim,
            tile,
        );
        output
    }

    fn attention_and_distance(
        qkv: FloatTensor<Self>,
        heads: usize,
        grid: usize,
        prefix_tokens: usize,
        renormalise: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        forward(qkv, heads, 2, Some((grid, prefix_tokens, renormalise)))
    }
}
