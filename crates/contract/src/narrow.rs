//! What a right leaves of a subscription.
//!
//! A filter and a grant have at most one filter in common for each choice of members out of the grant's sets. Few
//! intersections are worth an entry each in the index; for many, the whole filter is indexed once and each topic that
//! comes is held against the right.

use crate::filter::{Filter, Level};
use crate::grant::{Grant, GrantLevel, Members};
use crate::subset;

/// How a subscription is indexed under a right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Narrowed {
    /// The right has all of it.
    Whole,
    /// These filters are what is left; none is inside another.
    Entries(Vec<Filter>),
    /// Too many: index the filter itself, and ask the right about each topic.
    Gated,
    /// Nothing is left now.
    Nothing {
        /// A set on which the filter has a wildcard may get members, and then something is.
        may_grow: bool,
    },
}

pub(crate) fn narrow(filter: &Filter, grants: &[Grant], entries_max: usize) -> Narrowed {
    if subset::is_inside(filter, grants) {
        return Narrowed::Whole;
    }
    let (mut entries, mut may_grow) = (Vec::new(), false);
    for grant in grants {
        match grant.cut(filter, entries_max - entries.len()) {
            Cut::Filters(more) => entries.extend(more),
            Cut::TooMany => return Narrowed::Gated,
            Cut::NothingYet => may_grow = true,
            Cut::Nothing => {}
        }
    }
    if entries.is_empty() {
        return Narrowed::Nothing { may_grow };
    }
    Narrowed::Entries(without_inner(entries))
}

/// What one grant leaves of a filter.
enum Cut {
    Filters(Vec<Filter>),
    /// More than there is room for.
    TooMany,
    /// Nothing, because a set is empty.
    NothingYet,
    Nothing,
}

impl Grant {
    fn cut(&self, filter: &Filter, room: usize) -> Cut {
        let (own, asked) = (&self.levels, &filter.levels);
        if own.len() < asked.len() && !self.open || asked.len() < own.len() && !filter.open {
            return Cut::Nothing;
        }
        let has_dollar = |level: Option<&GrantLevel>| matches!(level, Some(GrantLevel::Literal(text)) if text.starts_with('$'));
        if own.is_empty() && filter.is_dollar() || asked.is_empty() && has_dollar(own.first()) {
            return Cut::Nothing;
        }
        let open = self.open && filter.open;
        let mut filters = vec![Filter { levels: Vec::new(), open }];
        for at in 0..own.len().max(asked.len()) {
            match (own.get(at), asked.get(at).unwrap_or(&Level::Any)) {
                (None, level) => push(&mut filters, level),
                (Some(own), Level::Literal(text)) => match own.covers(&Level::Literal(text.clone()), at == 0)
                {
                    true => push(&mut filters, &Level::Literal(text.clone())),
                    false => return Cut::Nothing,
                },
                (Some(GrantLevel::Literal(text)), Level::Any) if at == 0 && text.starts_with('$') => {
                    return Cut::Nothing;
                }
                (Some(GrantLevel::Literal(text)), Level::Any) => {
                    push(&mut filters, &Level::Literal(text.clone()));
                }
                (Some(GrantLevel::Any | GrantLevel::OneOf(Members::All)), Level::Any) => {
                    push(&mut filters, &Level::Any);
                }
                (Some(GrantLevel::One), Level::Any) => return Cut::Nothing,
                // Which texts match is not known before they come.
                (Some(GrantLevel::Matching(_)), Level::Any) => return Cut::TooMany,
                (Some(GrantLevel::OneOf(Members::Some(members))), Level::Any) => {
                    if members.is_empty() {
                        return Cut::NothingYet;
                    }
                    if filters.len().saturating_mul(members.len()) > room {
                        return Cut::TooMany;
                    }
                    filters = filters
                        .iter()
                        .flat_map(|before| members.iter().map(|text| before.with(text)))
                        .collect();
                }
            }
        }
        if filters.len() > room { Cut::TooMany } else { Cut::Filters(filters) }
    }
}

fn push(filters: &mut [Filter], level: &Level) {
    for filter in filters {
        filter.levels.push(level.clone());
    }
}

impl Filter {
    fn with(&self, text: &str) -> Self {
        let mut longer = self.clone();
        longer.levels.push(Level::Literal(text.into()));
        longer
    }
}

/// The same union without filters that another one has whole: a subscriber gets one copy whatever is in it, but each
/// entry costs.
fn without_inner(mut entries: Vec<Filter>) -> Vec<Filter> {
    entries.sort();
    entries.dedup();
    let grants: Vec<Grant> = entries.iter().cloned().map(Grant::from).collect();
    let is_inner = |at: usize| {
        let others = grants.iter().enumerate().filter(|(other, _)| *other != at);
        // Of two that have each other, "#" and "+/#", the first stays.
        others.into_iter().any(|(other, grant)| {
            grant.covers(&entries[at]) && (other < at || !grants[at].covers(&entries[other]))
        })
    };
    let kept: Vec<bool> = (0..entries.len()).map(|at| !is_inner(at)).collect();
    let mut kept = kept.into_iter();
    entries.retain(|_| kept.next().unwrap_or(true));
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{filters, topics};

    fn narrowed(filter: &str, grants: &[Grant], max: usize) -> Narrowed {
        narrow(&Filter::parse(filter).unwrap(), grants, max)
    }

    fn texts(narrowed: Narrowed) -> Vec<String> {
        match narrowed {
            Narrowed::Entries(entries) => entries.iter().map(Filter::to_string).collect(),
            other => panic!("{other:?}"),
        }
    }

    fn devices(names: &[&str]) -> Grant {
        Grant::parse("f/+/#").unwrap().with_level(1, Members::of(names.iter().copied()).unwrap())
    }

    #[test]
    fn a_wildcard_over_a_set_becomes_its_members() {
        let grants = [devices(&["d1", "d2", "d3"]), devices(&["g"])];
        assert_eq!(texts(narrowed("f/#", &grants, 64)), ["f/d1/#", "f/d2/#", "f/d3/#", "f/g/#"]);
        assert_eq!(texts(narrowed("#", &grants[1..], 64)), ["f/g/#"]);
        assert_eq!(texts(narrowed("f/+/v/bat", &grants[1..], 64)), ["f/g/v/bat"]);
        assert_eq!(narrowed("f/d2/v", &grants, 64), Narrowed::Whole);
    }

    #[test]
    fn more_entries_than_allowed_are_one_that_is_gated() {
        let grants = [devices(&["d1", "d2", "d3"])];
        assert_eq!(narrowed("f/#", &grants, 2), Narrowed::Gated);
        assert_eq!(narrowed("f/#", &[devices(&["d1", "d2"]), devices(&["d3"])], 2), Narrowed::Gated);
    }

    #[test]
    fn nothing_is_left_for_good_unless_an_empty_set_may_get_members() {
        assert_eq!(narrowed("f/#", &[devices(&[])], 64), Narrowed::Nothing { may_grow: true });
        assert_eq!(narrowed("f/d9/x", &[devices(&["d1"])], 64), Narrowed::Nothing { may_grow: false });
        assert_eq!(narrowed("g/#", &[devices(&["d1"])], 64), Narrowed::Nothing { may_grow: false });
    }

    /// All filters of up to three levels under all pairs of them as rights: what is left matches exactly the names that
    /// the filter matches and the right has.
    #[test]
    fn what_is_left_is_the_filter_and_the_right() {
        let (filters, topics) = (filters(), topics());
        let names = |filter: &Grant| -> Vec<bool> { topics.iter().map(|topic| filter.has(topic)).collect() };
        let all: Vec<_> = filters.iter().map(|text| Grant::parse(text).unwrap()).collect();
        let matched: Vec<_> = all.iter().map(names).collect();
        for (text, asked) in filters.iter().zip(&matched) {
            for (first, of_first) in all.iter().zip(&matched) {
                for (second, of_second) in all.iter().zip(&matched).step_by(5) {
                    let rights = [first.clone(), second.clone()];
                    let left: Vec<Grant> = match narrowed(text, &rights, 64) {
                        Narrowed::Whole => vec![Grant::parse(text).unwrap()],
                        Narrowed::Entries(entries) => entries.into_iter().map(Grant::from).collect(),
                        Narrowed::Nothing { may_grow: false } => Vec::new(),
                        other => panic!("{text}: {other:?}"),
                    };
                    for (at, topic) in topics.iter().enumerate() {
                        let expected = asked[at] && (of_first[at] || of_second[at]);
                        let got = left.iter().any(|filter| filter.has(topic));
                        assert_eq!(got, expected, "{topic}: {text} under {rights:?} leaves {left:?}");
                    }
                }
            }
        }
    }
}
