//! How often an order failed in a row, and when the next may be made. On the disk, because a broker that is started again
//! and again must not ask again and again.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::folder;
use crate::trouble::Trouble;
use crate::whole_file::{self, Secrecy};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Attempts {
    /// Of the settings that failed. Others are a new beginning.
    settings: String,
    failures: u32,
    next_unix_secs: Option<i64>,
}

impl Attempts {
    pub(super) fn none(settings: &str) -> Self {
        Self { settings: settings.to_owned(), failures: 0, next_unix_secs: None }
    }

    /// What is not there, or not ours, is no failure.
    pub(super) fn read(folder: &Path, settings: &str) -> Self {
        let text = std::fs::read(file(folder)).unwrap_or_default();
        let found = serde_json::from_slice::<Self>(&text).ok().filter(|found| found.settings == settings);
        found.unwrap_or_else(|| Self::none(settings))
    }

    pub(super) fn write(&self, folder: &Path) -> Result<(), Trouble> {
        let text = serde_json::to_string(self).unwrap_or_default();
        whole_file::write(&file(folder), &text, Secrecy::Secret)
    }

    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    pub(super) fn failed(&self, now: OffsetDateTime, pause: Duration) -> Self {
        Self {
            settings: self.settings.clone(),
            failures: self.failures.saturating_add(1),
            next_unix_secs: Some((now + pause).unix_timestamp()),
        }
    }

    pub(super) fn not_before(&self) -> Option<OffsetDateTime> {
        OffsetDateTime::from_unix_timestamp(self.next_unix_secs?).ok()
    }
}

fn file(folder: &Path) -> PathBuf {
    folder::acme(folder).join("attempts.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_outlive_the_process_and_end_with_other_settings() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder::acme(folder.path())).unwrap();
        let now = OffsetDateTime::UNIX_EPOCH;
        let twice = Attempts::none("a").failed(now, Duration::HOUR).failed(now, Duration::HOUR);
        twice.write(folder.path()).unwrap();
        let read = Attempts::read(folder.path(), "a");
        assert_eq!((read.failures(), read.not_before()), (2, Some(now + Duration::HOUR)));
        assert_eq!(Attempts::read(folder.path(), "b"), Attempts::none("b"));
        std::fs::write(file(folder.path()), "{").unwrap();
        assert_eq!(Attempts::read(folder.path(), "a"), Attempts::none("a"));
    }
}
