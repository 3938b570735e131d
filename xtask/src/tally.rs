//! How many tests passed, failed and were skipped, read from what the test runners print.

use std::fmt;

/// The count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

impl Tally {
    /// Adds what a line of `cargo nextest` or `cargo test` counts; other lines count nothing.
    pub(crate) fn read(&mut self, line: &str) {
        let line = without_colours(line);
        if let Some((_, counts)) =
            line.trim().strip_prefix("Summary [").and_then(|line| line.split_once(" run: "))
        {
            self.add(&without_remarks(counts), ',');
        } else if let Some((_, counts)) =
            line.strip_prefix("test result: ").and_then(|line| line.split_once(". "))
        {
            self.add(counts, ';');
        }
    }

    fn add(&mut self, counts: &str, separator: char) {
        for count in counts.split(separator) {
            let Some((number, what)) = count.trim().split_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match what {
                "passed" => self.passed += number,
                "skipped" | "ignored" => self.skipped += number,
                // `cargo test` says so of benchmarks and of tests that nobody asked for.
                "measured" | "filtered out" => {}
                // Failed, timed out, could not be run: whatever it is called, it did not pass.
                _ => self.failed += number,
            }
        }
    }
}

/// `53 passed (1 slow, 2 leaky), 1 failed` without what stands in parentheses.
fn without_remarks(counts: &str) -> String {
    let mut depth = 0_u32;
    let kept = counts.chars().filter(|c| match c {
        '(' => {
            depth += 1;
            false
        }
        ')' => {
            depth = depth.saturating_sub(1);
            false
        }
        _ => depth == 0,
    });
    let kept: String = kept.collect();
    kept.replace(" ,", ",")
}

/// Without the escape sequences that colour a terminal: from ESC to the next letter.
fn without_colours(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        if letter == '\u{1b}' {
            letters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            out.push(letter);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(lines: &[&str]) -> String {
        let mut tally = Tally::default();
        lines.iter().for_each(|line| tally.read(line));
        tally.to_string()
    }

    #[test]
    fn the_summary_of_nextest_is_read() {
        let line = "     Summary [   4.193s] 59 tests run: 59 passed, 0 skipped\n";
        assert_eq!(tally(&[line]), "59 passed, 0 failed, 0 skipped");
        let line = "Summary [   4.1s] 60/70 tests run: 53 passed (1 slow, 2 leaky), 5 failed, 2 timed out, 3 skipped";
        assert_eq!(tally(&[line]), "53 passed, 7 failed, 3 skipped");
        let line = "\u{1b}[32;1m     Summary\u{1b}[0m [   0.1s] \u{1b}[1m1\u{1b}[0m test run: \u{1b}[1m1\u{1b}[0m \u{1b}[32;1mpassed\u{1b}[0m, 0 skipped";
        assert_eq!(tally(&[line]), "1 passed, 0 failed, 0 skipped");
    }

    #[test]
    fn the_results_of_cargo_test_add_up() {
        let ok =
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.10s";
        let failed = "test result: FAILED. 0 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s";
        assert_eq!(tally(&[ok, failed, "test a::b ... ok\n"]), "3 passed, 2 failed, 1 skipped");
    }

    #[test]
    fn what_a_failed_test_printed_is_not_counted_again() {
        let shown = "    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 53 filtered out\n";
        assert_eq!(tally(&[shown]), "0 passed, 0 failed, 0 skipped");
    }
}
