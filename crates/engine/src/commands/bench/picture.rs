//! The resizing of a photograph, as it is done while the browser decodes one.

use serde_json::{Value, json};

use heirloom_data::ShrinkTo;
use heirloom_nn::device::uniform;
use heirloom_platform::image::RowSink;

use super::{Timing, time};

/// A photograph of 12 megapixels, and the shorter side that training at 224 px keeps.
const SIZE: [usize; 2] = [4000, 3000];
const SIDE: usize = 256;
/// Rows of one strip, about as many as the browser's decoder hands on at once. The picture is this strip again and
/// again: 36 MB of other noise would not cost the resizer more.
const STRIP: usize = 60;
const SEED: u32 = 9002;

/// Shrinks the photograph. The result is found by exact sums, so it must agree with Pillow to the last bit.
pub async fn resize(timing: &Timing) -> Result<Value, String> {
    let [width, height] = SIZE;
    let strip: Vec<u8> =
        uniform(STRIP * width * 3, SEED, 127.5).into_iter().map(|value| (value + 127.5) as u8).collect();
    let run = async || {
        let mut sink = ShrinkTo::new(SIDE);
        sink.start(width, height);
        for _ in 0..height / STRIP {
            sink.rows(&strip);
        }
        Ok(sink.finish())
    };
    let (mut result, shrunk) = time(timing, run).await?;
    let sum: u64 = shrunk.data.iter().map(|&value| u64::from(value)).sum();
    result["picture"] = json!({ "size": [shrunk.width, shrunk.height], "first": &shrunk.data[..6], "sum": sum });
    Ok(result)
}
