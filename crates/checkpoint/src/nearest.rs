//! The nearest name, for people who look at two lists of keys and wonder which is which.

/// The candidate with the smallest edit distance, if that is at most a third of the name.
pub(super) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.len() / 3).max(2);
    let measured = candidates.filter_map(|candidate| Some((distance(name, candidate, limit)?, candidate)));
    measured.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

/// Levenshtein distance in bytes; `None` when it exceeds `limit`.
fn distance(a: &str, b: &str, limit: usize) -> Option<usize> {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(row[j + 1] + 1);
        }
        if row.iter().min().is_some_and(|&least| least > limit) {
            return None;
        }
    }
    row.last().copied().filter(|&distance| distance <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_has_the_fewest_edits() {
        let names = ["blocks.0.attn.proj.bias", "blocks.0.attn.qkv.bias", "norm.bias"];
        assert_eq!(nearest("blocks.0.atn.qkv.bias", names.into_iter()), Some("blocks.0.attn.qkv.bias"));
        assert_eq!(nearest("decoder_pos_embed", names.into_iter()), None);
        assert_eq!(distance("kitten", "sitting", 3), Some(3));
    }
}
