//! Tests of `kernels` against plain references on odd sizes.
mod attention;
mod attention_distance;
mod cka;
mod convolution;
mod density;
mod expand_heads;
mod ffn_map;
mod gelu;
mod layer_norm;
mod linear;
