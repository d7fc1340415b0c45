//! Tests of `kernels` against plain references on odd sizes.
mod attention_distance;
