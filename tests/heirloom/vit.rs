//! Tests of `vit`.
