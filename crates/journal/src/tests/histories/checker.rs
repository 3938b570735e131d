//! What must hold after a restart, checked with nothing of the journal's own code but what it says.

use std::fmt;

use crate::*;

use super::owner::Saying;

/// What is known of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Not answered.
    Pending,
    /// Acknowledged: its first record stands there.
    Acknowledged(Position),
    /// Refused.
    Failed,
}

#[derive(Clone, Debug)]
pub(super) struct Submitted {
    pub(super) stream: u16,
    pub(super) ticket: Ticket,
    pub(super) sayings: Vec<Saying>,
    pub(super) records: Vec<Vec<u8>>,
    pub(super) fate: Fate,
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Violation(pub(super) String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub(super) fn violation<T>(what: impl Into<String>) -> Result<T, Violation> {
    Err(Violation(what.into()))
}

type Told = (Position, Stream, Kind, Vec<u8>);

/// Compares what was told since `start` with everything that was ever submitted, in that order. Returns the position of
/// each submission that was told; acknowledged ones from before `start` need not be.
pub(super) fn compare(
    log: &[Submitted],
    told: &[Told],
    start: Position,
    damage_is_known: bool,
) -> Result<Vec<Option<Position>>, Violation> {
    let mut found = Vec::new();
    let mut at = 0;
    let mut gap: Option<usize> = None;
    for (index, submitted) in log.iter().enumerate() {
        let matching =
            told[at..].iter().zip(&submitted.records).take_while(|(told, r)| told.3 == **r).count();
        let whole = matching == submitted.records.len();
        if matching > 0 && !whole && !damage_is_known {
            return violation(format!("submission {index} {submitted:?} is there in part ({matching})"));
        }
        let position = (matching > 0).then(|| told[at].0);
        if told[at..at + matching].iter().any(|told| told.1 != Stream(submitted.stream)) {
            return violation(format!("submission {index} came back in another stream"));
        }
        at += matching;
        match submitted.fate {
            Fate::Acknowledged(stood) if position.is_some_and(|position| position != stood) && whole => {
                return violation(format!("submission {index} stood at {stood} and is at {position:?}"));
            }
            Fate::Acknowledged(stood) if stood >= start && !whole && !damage_is_known => {
                return violation(format!(
                    "submission {index} {submitted:?} was acknowledged and is missing"
                ));
            }
            Fate::Pending if whole && gap.is_some_and(|gap| log[gap].stream == submitted.stream) => {
                return violation(format!(
                    "submission {index} is there, the unanswered {gap:?} before it is not"
                ));
            }
            Fate::Pending if !whole => gap = Some(index),
            Fate::Failed if whole => {
                let later = |other: &Submitted| matches!(other.fate, Fate::Acknowledged(_));
                if log[index + 1..].iter().any(later) {
                    return violation(format!(
                        "submission {index} failed and came back after a later success"
                    ));
                }
            }
            _ => {}
        }
        found.push(position.filter(|_| whole));
    }
    if at < told.len() && !damage_is_known {
        return violation(format!(
            "{} records were told that nobody wrote there: {:?}",
            told.len() - at,
            told[at]
        ));
    }
    if at < told.len() && !told[at..].iter().all(|told| log.iter().any(|s| s.records.contains(&told.3))) {
        return violation(format!("a record that nobody ever wrote: {:?}", told[at]));
    }
    Ok(found)
}
