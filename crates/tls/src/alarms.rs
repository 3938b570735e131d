//! What is wrong with certificates right now. An alarm begins with a line in the log, stands until it is mended, and ends
//! with a line in the log; between them it can be asked for, to be published.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::trouble::Trouble;

/// All alarms of one broker's certificates.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    /// By whoever found them; each has one at most.
    standing: Mutex<BTreeMap<String, Trouble>>,
}

impl Alarms {
    /// `owner` has this trouble now, or none. Only a change is logged.
    pub(crate) fn set(&self, owner: &str, trouble: Option<Trouble>) {
        let mut standing = self.lock();
        match trouble {
            Some(trouble) => {
                let told = standing.values().any(|other| *other == trouble);
                if !told {
                    let Trouble { file, what, help } = &trouble;
                    tracing::error!(file = %file.display(), help, "TLS: {} {what}", file.display());
                }
                standing.insert(owner.to_owned(), trouble);
            }
            None => {
                let Some(ended) = standing.remove(owner) else { return };
                if !standing.values().any(|other| *other == ended) {
                    tracing::info!(file = %ended.file.display(), "TLS: {} is in order again", ended.file.display());
                }
            }
        }
    }

    /// Each once, in the order of the files.
    pub(crate) fn standing(&self) -> Vec<Trouble> {
        let mut all: Vec<Trouble> = self.lock().values().cloned().collect();
        all.sort_by(|a, b| (&a.file, &a.what).cmp(&(&b.file, &b.what)));
        all.dedup();
        all
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Trouble>> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn an_alarm_of_two_owners_is_one_until_both_are_mended() {
        let alarms = Alarms::default();
        let trouble = || Some(Trouble::new(Path::new("a.pem"), "is bad", "mend it"));
        alarms.set("one", trouble());
        alarms.set("two", trouble());
        assert_eq!(alarms.standing().len(), 1);
        alarms.set("one", None);
        assert_eq!(alarms.standing().len(), 1);
        alarms.set("two", None);
        assert!(alarms.standing().is_empty());
    }
}
