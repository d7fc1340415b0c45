//! Words for convolutional networks and for how pictures are prepared.

pub struct Cnn {
    pub stages: &'static str,
    pub blocks: &'static str,
    pub widths: &'static str,
    pub picture_value: fn(usize) -> String,
    pub spoken: fn(&str, usize) -> String,
    pub no_heads: &'static str,
    pub preparation: &'static str,
    pub mean: &'static str,
    pub mean_hint: &'static str,
    pub std: &'static str,
    pub std_hint: &'static str,
    pub not_three: fn(&str) -> String,
}
