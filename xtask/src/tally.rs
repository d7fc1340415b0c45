//! Counting tests from what their runners print.

/// Tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Passed.
    pub passed: usize,
    /// Failed.
    pub failed: usize,
}

impl Tally {
    /// Adds what a closing line of cargo test, wasm-bindgen-test or node's runner says; other lines say nothing.
    pub fn read(&mut self, line: &str) {
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.passed += number_before(counts, "passed");
            self.failed += number_before(counts, "failed");
        } else if let Some(counts) = line.strip_prefix("ℹ ").or_else(|| line.strip_prefix("# ")) {
            match counts.split_once(' ') {
                Some(("pass", number)) => self.passed += number.parse().unwrap_or(0),
                Some(("fail" | "cancelled", number)) => self.failed += number.parse().unwrap_or(0),
                _ => {}
            }
        }
    }
}

fn number_before(counts: &str, word: &str) -> usize {
    let words: Vec<&str> = counts.split([' ', ';', '.']).filter(|word| !word.is_empty()).collect();
    words.windows(2).find(|pair| pair[1] == word).and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::Tally;

    fn tally(text: &str) -> Tally {
        let mut tally = Tally::default();
        text.lines().for_each(|line| tally.read(line));
        tally
    }

    #[test]
    fn libtest_and_wasm_bindgen_lines_are_summed() {
        let text = "test a ... ok\n\
                    test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s\n\
                    test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 filtered out";
        assert_eq!(tally(text), Tally { passed: 15, failed: 2 });
    }

    #[test]
    fn node_counts_cancelled_tests_as_failed() {
        let text = "ℹ tests 6\nℹ suites 0\nℹ pass 4\nℹ fail 1\nℹ cancelled 1\nℹ skipped 0\nℹ duration_ms 9.5";
        assert_eq!(tally(text), Tally { passed: 4, failed: 2 });
    }

    #[test]
    fn other_lines_count_nothing() {
        assert_eq!(tally("3 passed\n# pass the salt\n    test result: ok. 9 passed; 0 failed"), Tally::default());
    }
}
