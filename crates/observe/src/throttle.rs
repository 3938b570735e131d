//! So many lines a second for each complaint, and then a number: whoever can make the server refuse a thousand
//! connections a second must not be able to write a thousand lines a second into its log.

use std::collections::HashMap;

/// Complaints are texts of the program, so there are only so many of them.
#[derive(Debug)]
pub struct Throttle {
    lines_per_second_max: u32,
    seconds: HashMap<&'static str, Second>,
}

/// A second in which there was something to complain about.
#[derive(Clone, Copy, Debug)]
struct Second {
    ends_ms: u64,
    said: u32,
    withheld: u64,
}

impl Throttle {
    /// Nothing was said so far.
    #[must_use]
    pub fn new(lines_per_second_max: u32) -> Self {
        Self { lines_per_second_max, seconds: HashMap::new() }
    }

    /// Whether a line about `complaint` may be written now; if not it is counted. Times are monotonic.
    pub fn admits(&mut self, complaint: &'static str, now_ms: u64) -> bool {
        let fresh = Second { ends_ms: now_ms + SECOND_MS, said: 0, withheld: 0 };
        let second = self.seconds.entry(complaint).or_insert(fresh);
        if second.ends_ms <= now_ms {
            // What was withheld in an earlier second stays to be told.
            *second = Second { withheld: second.withheld, ..fresh };
        }
        let admitted = second.said < self.lines_per_second_max;
        second.said += u32::from(admitted);
        second.withheld += u64::from(!admitted);
        admitted
    }

    /// The complaints that were withheld in seconds that are over, and how often; each is told once.
    pub fn withheld(&mut self, now_ms: u64) -> Vec<(&'static str, u64)> {
        if self.seconds.is_empty() {
            return Vec::new();
        }
        let is_over = |second: &Second| second.ends_ms <= now_ms;
        let told = self.seconds.iter().filter(|(_, second)| is_over(second) && second.withheld > 0);
        let told = told.map(|(complaint, second)| (*complaint, second.withheld)).collect();
        self.seconds.retain(|_, second| !is_over(second));
        told
    }

    /// When [`Throttle::withheld`] has something to tell, if nothing else happens.
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        let waiting = self.seconds.values().filter(|second| second.withheld > 0);
        waiting.map(|second| second.ends_ms).min()
    }
}

const SECOND_MS: u64 = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_lines_of_a_second_a_complaint_is_counted_and_told_once() {
        let mut throttle = Throttle::new(3);
        let admitted = (0..1000).filter(|_| throttle.admits("refused", 50)).count();
        assert_eq!(admitted, 3);
        assert!(throttle.admits("another", 50), "each complaint has its own lines");
        assert_eq!(throttle.next_deadline(), Some(1050));
        assert_eq!(throttle.withheld(1049), []);
        assert_eq!(throttle.withheld(1050), [("refused", 997)]);
        assert_eq!(throttle.withheld(1050), []);
        assert_eq!(throttle.next_deadline(), None);
        assert!(throttle.admits("refused", 1051));
    }

    #[test]
    fn a_count_that_was_not_told_in_time_is_not_lost() {
        let mut throttle = Throttle::new(1);
        for now_ms in [0, 0, 2000, 2000, 2000] {
            throttle.admits("refused", now_ms);
        }
        assert_eq!(throttle.withheld(3000), [("refused", 3)]);
    }

    #[test]
    fn a_quiet_log_asks_for_no_wake() {
        let mut throttle = Throttle::new(2);
        assert!(throttle.admits("refused", 0));
        assert_eq!(throttle.next_deadline(), None);
    }
}
