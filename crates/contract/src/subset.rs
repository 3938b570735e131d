//! Whether everything that a filter matches is in a union of grants.
//!
//! A filter without `#` is inside a union only if it is inside one member: names with texts that nobody mentions need a
//! member with `+` in all the right places. One with `#` matches names of many lengths, and different members may have
//! different lengths: `a/#` is inside { `+`, `a/+/#` }. So it is taken apart, `a/#` = `a` ∪ `a/+/#`, until it is longer than
//! all members; from there on only those that end in `#` count, and for them the length no longer matters.

use crate::filter::{Filter, Level};
use crate::grant::Grant;

/// Whether all names that `filter` matches are in one of `grants`.
pub(crate) fn is_inside(filter: &Filter, grants: &[Grant]) -> bool {
    let longest = grants.iter().map(|grant| grant.levels.len()).max().unwrap_or(0);
    let mut open = filter.clone();
    loop {
        if grants.iter().any(|grant| grant.covers(&open)) {
            return true;
        }
        if !open.open || open.levels.len() > longest {
            return false;
        }
        // No name has no level, so "#" begins with "+".
        let here = Filter { open: false, ..open.clone() };
        if !here.levels.is_empty() && !grants.iter().any(|grant| grant.covers(&here)) {
            return false;
        }
        open.levels.push(Level::Any);
    }
}

impl Grant {
    /// Whether it alone has everything that a filter matches.
    pub(crate) fn covers(&self, filter: &Filter) -> bool {
        let (own, asked) = (&self.levels, &filter.levels);
        if asked.len() < own.len() || (asked.len() > own.len() || filter.open) && !self.open {
            return false;
        }
        // "#" leaves out what begins with a dollar.
        if own.is_empty() && filter.is_dollar() {
            return false;
        }
        own.iter().zip(asked).enumerate().all(|(at, (own, asked))| own.covers(asked, at == 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{filters, topics};

    fn grants(texts: &[&str]) -> Vec<Grant> {
        texts.iter().map(|text| Grant::parse(text).unwrap()).collect()
    }

    fn inside(filter: &str, texts: &[&str]) -> bool {
        is_inside(&Filter::parse(filter).unwrap(), &grants(texts))
    }

    #[test]
    fn a_union_can_have_what_none_of_its_members_has() {
        assert!(inside("a/#", &["a", "a/+/#"]));
        assert!(inside("a/#", &["+", "a/+", "a/+/+/#"]));
        assert!(inside("#", &["+/#"]) && inside("+/#", &["#"]));
        assert!(inside("#", &["+", "+/+/#"]));
        assert!(!inside("a/#", &["a", "a/+/+/#"]));
        assert!(!inside("a/#", &["+", "a/b/#"]));
    }

    #[test]
    fn a_right_is_never_a_prefix_of_a_string() {
        assert!(!inside("device1/x", &["device/#"]));
        assert!(!inside("a/bc", &["a/b"]) && !inside("a/b/", &["a/b"]));
    }

    #[test]
    fn what_begins_with_a_dollar_needs_a_grant_that_says_so() {
        assert!(!inside("$SYS/x", &["#"]) && !inside("$SYS/#", &["+/#"]));
        assert!(inside("$SYS/x", &["$SYS/#"]) && !inside("#", &["$SYS/#"]));
    }

    /// All filters of up to three levels against all pairs of them, judged by all names of up to five levels over an
    /// alphabet with a text that no filter mentions.
    #[test]
    fn the_answer_is_the_one_that_counting_names_gives() {
        let (filters, topics) = (filters(), topics());
        let matched: Vec<Vec<bool>> = filters
            .iter()
            .map(|text| {
                let filter = Grant::parse(text).unwrap();
                topics.iter().map(|topic| filter.has(topic)).collect()
            })
            .collect();
        for (asked, names) in filters.iter().zip(&matched) {
            for (first, of_first) in filters.iter().zip(&matched) {
                for (second, of_second) in filters.iter().zip(&matched) {
                    let union = of_first.iter().zip(of_second).map(|(a, b)| *a || *b);
                    let counted = names.iter().zip(union).all(|(asked, granted)| !asked || granted);
                    assert_eq!(inside(asked, &[first, second]), counted, "{asked} in {first} or {second}");
                }
            }
        }
    }
}
