//! Opening the journal: the operator's choice in the journal's terms, and its words in the operator's.

use tidegate_shard::{Level, OpenError, OpenedJournal, open_journal};

use crate::config::{Config, JournalLevel};
use crate::refusal::{Code, Place, Refusal};

/// The folder of the journal in the data directory.
pub const FOLDER: &str = "journal";

/// Opens the journal, unless nothing is to be written.
///
/// # Errors
/// When another process has it, when a newer program has written it, or when the disk fails.
pub fn open(config: &Config, seed: u64) -> Result<Option<OpenedJournal>, Refusal> {
    let level = match config.journal_level {
        JournalLevel::Fsync => Level::Fsync,
        JournalLevel::Os => Level::Os,
        JournalLevel::Memory => return Ok(None),
    };
    let folder = config.data_dir.join(FOLDER);
    let shards = u8::try_from(config.shard_count()).unwrap_or(u8::MAX);
    let opened = open_journal(&folder, level, seed, shards).map_err(|error| refusal(config, &error))?;
    tell(&opened);
    Ok(Some(opened))
}

fn tell(opened: &OpenedJournal) {
    let report = &opened.report;
    let took_ms = u64::try_from(report.took.as_millis()).unwrap_or(u64::MAX);
    if report.records > 0 {
        tracing::info!(
            sessions = opened.sessions,
            retained = opened.retained,
            records = report.records,
            bytes = report.bytes,
            took_ms,
            "the journal was read"
        );
    }
    if report.torn_bytes > 0 {
        let saved = report.torn_saved.as_deref().unwrap_or("nowhere");
        tracing::warn!(
            bytes = report.torn_bytes,
            saved,
            "the last write was not finished when the process or the machine ended; nobody was told that it was"
        );
    }
    if report.damages_total > 0 || opened.lost > 0 {
        tracing::error!(
            places = report.damages_total,
            records_lost = opened.lost,
            "the journal was damaged; copies of the damaged places are beside it, everything else is served"
        );
    }
}

fn refusal(config: &Config, error: &OpenError) -> Refusal {
    let help = match error {
        OpenError::Locked { .. } => {
            "stop the other broker, or give this one a `data_dir` of its own (TIDEGATE_DATA_DIR)"
        }
        OpenError::Newer { .. } => "start the newer program, or use another `data_dir`; nothing was changed",
        OpenError::Io { .. } => {
            "see the message of the system above; `journal.level = \"memory\"` writes nothing"
        }
    };
    Refusal {
        code: Code::Journal,
        place: Place::Nowhere,
        message: format!("the journal in {} cannot be opened: {error}", config.data_dir.display()),
        help: help.into(),
    }
}
