//! From similarities to a learngene: a score for every ancestor layer, and the best of them.

/// How the similarities of an ancestor layer with all pseudo-descendant layers become one score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Score {
    /// Their mean.
    #[default]
    Mean,
    /// The largest.
    Max,
}

impl Score {
    /// The score of every ancestor layer, from `similarity[ancestor layer][pseudo-descendant layer]`.
    pub fn of(self, similarity: &[Vec<f64>]) -> Vec<f64> {
        let one = |row: &Vec<f64>| match self {
            Self::Mean => row.iter().sum::<f64>() / row.len().max(1) as f64,
            Self::Max => row.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        };
        similarity.iter().map(one).collect()
    }
}

/// Layers by falling score; of equal ones the lower comes first.
pub fn ranking(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
    order
}

/// The `count` layers of the highest score, in the ancestor's order.
pub fn best(scores: &[f64], count: usize) -> Vec<usize> {
    let mut chosen = ranking(scores);
    chosen.truncate(count);
    chosen.sort_unstable();
    chosen
}
