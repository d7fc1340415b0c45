//! Tables in Markdown.

use heirloom_plan::protocol::statistics::Range;

/// A cell that was not run.
pub const NOT_RUN: &str = "not run";

/// A table of words.
pub struct Table {
    head: Vec<String>,
    is_words: bool,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub fn new(head: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { head: head.into_iter().map(Into::into).collect(), is_words: false, rows: Vec::new() }
    }

    /// A table of sentences, all to the left.
    pub fn of_words(head: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { is_words: true, ..Self::new(head) }
    }

    /// Adds a row; cells that are missing at its end stay empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        let mut row: Vec<String> = cells.into_iter().map(Into::into).collect();
        row.resize(self.head.len(), String::new());
        self.rows.push(row);
    }

    /// As Markdown: the first column to the left, numbers to the right.
    pub fn markdown(&self) -> String {
        let line = |cells: &[String]| {
            let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let rule: Vec<&str> =
            (0..self.head.len()).map(|at| if at == 0 || self.is_words { "---" } else { "---:" }).collect();
        let rows: String = self.rows.iter().map(|row| line(row)).collect();
        format!("{}| {} |\n{rows}", line(&self.head), rule.join(" | "))
    }
}

/// Mean and deviation of values, as `write` has them, with the count where some of the seeds are missing.
pub fn cell(values: &[f64], seeds: u64, write: impl Fn(&Range) -> String) -> String {
    match Range::from_values(values.iter().copied()) {
        None => NOT_RUN.to_owned(),
        Some(summary) if (summary.count as u64) < seeds => format!("{} (n = {})", write(&summary), summary.count),
        Some(summary) => write(&summary),
    }
}

/// Steps to an accuracy, with those that never got there counted.
pub fn steps_cell(steps: &[Option<f64>], all: usize, seeds: u64) -> String {
    let reached: Vec<f64> = steps.iter().flatten().copied().collect();
    let write = |summary: &Range| format!("{:.0} ± {:.0}", summary.mean, summary.deviation);
    match (reached.len(), steps.len()) {
        (_, 0) => NOT_RUN.to_owned(),
        (0, _) => format!("not within {all}"),
        (some, of) if some < of => format!("{} ({some} of {of} seeds)", cell(&reached, some as u64, write)),
        _ => cell(&reached, seeds, write),
    }
}

/// A count with thousands apart, or a dash.
pub fn count(number: Option<u64>) -> String {
    let Some(number) = number else { return "–".to_owned() };
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{NOT_RUN, Table, cell, count, steps_cell};
    use crate::evidence::claims::percent;

    #[test]
    fn table_has_as_many_cells_in_every_row() {
        let mut table = Table::new(["start", "accuracy"]);
        table.row(["a | b", "1"]);
        table.row(["c"]);
        assert_eq!(table.markdown(), "| start | accuracy |\n| --- | ---: |\n| a \\| b | 1 |\n| c |  |\n");
    }

    #[test]
    fn a_cell_says_how_many_seeds_it_has_only_when_some_are_missing() {
        assert_eq!(cell(&[0.5, 0.6, 0.7], 3, percent), "60.0 ± 10.0");
        assert_eq!(cell(&[0.5, 0.5], 3, percent), "50.0 ± 0.0 (n = 2)");
        assert_eq!(cell(&[], 3, percent), NOT_RUN);
    }

    #[test]
    fn steps_say_when_an_accuracy_was_not_reached() {
        assert_eq!(steps_cell(&[Some(10.0), Some(20.0), Some(30.0)], 150, 3), "20 ± 10");
        assert_eq!(steps_cell(&[Some(10.0), None, Some(30.0)], 150, 3), "20 ± 14 (2 of 3 seeds)");
        assert_eq!(steps_cell(&[None; 3], 150, 3), "not within 150");
        assert_eq!(steps_cell(&[Some(10.0)], 150, 3), "10 ± 0 (n = 1)");
        assert_eq!(steps_cell(&[], 150, 3), NOT_RUN);
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(count(Some(15_165_696)), "15,165,696");
        assert_eq!((count(Some(12)), count(Some(0)), count(None)), ("12".into(), "0".into(), "–".into()));
    }
}
