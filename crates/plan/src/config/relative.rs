//! Biases of relative places, as BEiT has them: a table with a row for every step between two patches, and three for CLS.

/// Row of the table for every query and key, query by query: the step from key to query, then CLS to patch, patch to CLS
/// and CLS to itself, as BEiT has them.
pub fn relative_index(tokens: usize) -> Vec<usize> {
    let grid = (tokens - 1).isqrt();
    assert_eq!(1 + grid * grid, tokens, "tokens are not CLS and patches");
    let steps = 2 * grid - 1;
    let row = |query: usize, key: usize| match (query, key) {
        (0, 0) => steps * steps + 2,
        (0, _) => steps * steps,
        (_, 0) => steps * steps + 1,
        _ => {
            let ([down, right], [key_down, key_right]) = (place(query - 1, grid), place(key - 1, grid));
            (down + grid - 1 - key_down) * steps + right + grid - 1 - key_right
        }
    };
    (0..tokens * tokens).map(|at| row(at / tokens, at % tokens)).collect()
}

fn place(patch: usize, grid: usize) -> [usize; 2] {
    [patch / grid, patch % grid]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_to_the_right_is_one_row_beside_none() {
        // CLS and 2 × 2 patches: 3 × 3 steps, then the three rows of CLS.
        let index = relative_index(5);
        assert_eq!(index[..5], [11, 9, 9, 9, 9]);
        assert_eq!(index[5..10], [10, 4, 3, 1, 0]);
        assert_eq!(index[20..], [10, 8, 7, 5, 4]);
    }
}
