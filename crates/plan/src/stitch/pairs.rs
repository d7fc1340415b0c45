//! Which layer of the front meets which layer of the end.

/// Layers of two models that are joined: the front up to and including `front`, the end from `end` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Last layer of the front, `j`.
    pub front: usize,
    /// First layer of the end, `k`.
    pub end: usize,
    /// Which stitch layer joins them; pairs first met in the same window share one.
    pub stitch: usize,
}

/// All pairs of two models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slide {
    /// The pairs, in the order in which they are met.
    pub pairs: Vec<Pair>,
    /// Stitch layers in all.
    pub stitches: usize,
}

/// Pairs by a sliding window of two layers with stride one (docs/methods.md, section 4.1): every front and end layer of a window
/// meet, unless they have met before.
///
/// The window slides over the layers of the end. A front of another depth is stretched to it by nearest interpolation:
/// position `i` is its layer `⌊i · front / end⌋`; pairs that this makes equal are kept once.
pub fn slide(front_depth: usize, end_depth: usize) -> Slide {
    let mut found = Slide { pairs: Vec::new(), stitches: 0 };
    for first in 0..end_depth {
        let window = first..end_depth.min(first + 2);
        let before = found.pairs.len();
        for position in window.clone() {
            let front = position * front_depth / end_depth;
            for end in window.clone() {
                if found.pairs.iter().all(|pair| (pair.front, pair.end) != (front, end)) {
                    found.pairs.push(Pair { front, end, stitch: found.stitches });
                }
            }
        }
        found.stitches += usize::from(found.pairs.len() > before);
    }
    found
}
