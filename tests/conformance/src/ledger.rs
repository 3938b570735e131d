//! The ledger: which normative statements there are, and what becomes of each.
//!
//! The rows are data in `ledger/*.toml`, one file per version. This module reads and counts them; that a row called
//! `tested` has a test is shown by `tests/ledger`. It knows nothing of brokers and packets.

use std::fmt;
use std::io::{self, Write};

use serde::Deserialize;

/// The rows of one version.
#[derive(Debug)]
pub struct Ledger {
    /// The version, as people write it.
    pub version: &'static str,
    /// What every id of this ledger begins with: statement numbers repeat between versions.
    pub prefix: &'static str,
    /// Where the rows are written, seen from this crate.
    pub file: &'static str,
    /// One row per statement, in the order of the specification.
    pub statements: Vec<Statement>,
}

/// One normative statement.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The prefix of the ledger and the statement's number: `MQTT5-3.3.4-7`.
    pub id: String,
    /// Our paraphrase.
    pub rule: String,
    /// Whom it obliges.
    pub binds: Side,
    /// What becomes of it here.
    pub status: Status,
    /// Why it has no test; for every status but [`Status::Tested`].
    pub reason: Option<String>,
}

/// Whom a statement obliges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the variants say it")]
pub enum Side {
    Server,
    Client,
    Both,
}

/// What becomes of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// A test turns red when it is broken.
    Tested,
    /// It obliges somebody else, or its condition cannot arise here.
    NotOurs,
    /// It obliges this server and is not kept, or not shown.
    Exception,
}

/// A ledger file that cannot be read. The files are part of the program, so only an edit can cause it.
#[derive(Debug)]
pub struct Unreadable {
    file: &'static str,
    cause: toml::de::Error,
}

impl Ledger {
    /// The ledgers of all versions.
    pub fn all() -> Result<Vec<Self>, Unreadable> {
        [
            ("3.1", "MQTT31-", "ledger/mqtt31.toml", include_str!("../ledger/mqtt31.toml")),
            ("3.1.1", "MQTT3-", "ledger/mqtt3.toml", include_str!("../ledger/mqtt3.toml")),
            ("5.0", "MQTT5-", "ledger/mqtt5.toml", include_str!("../ledger/mqtt5.toml")),
        ]
        .into_iter()
        .map(|(version, prefix, file, text)| {
            let File { statement } = toml::from_str(text).map_err(|cause| Unreadable { file, cause })?;
            Ok(Self { version, prefix, file, statements: statement })
        })
        .collect()
    }

    /// How many statements have this status.
    pub fn count(&self, status: Status) -> usize {
        self.statements.iter().filter(|statement| statement.status == status).count()
    }

    /// How many statements that oblige the server, alone or too, have this status.
    pub fn count_for_server(&self, status: Status) -> usize {
        let counts = |s: &&Statement| s.status == status && s.binds != Side::Client;
        self.statements.iter().filter(counts).count()
    }
}

/// Writes how many statements each version has, and what becomes of them, as a table that Markdown reads too.
pub fn write_counts(ledgers: &[Ledger], out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "| MQTT  | statements | tested | not ours | exceptions | of those that bind a server, tested |"
    )?;
    writeln!(
        out,
        "|-------|-----------:|-------:|---------:|-----------:|-------------------------------------:|"
    )?;
    for ledger in ledgers {
        let [tested, not_ours, exceptions] =
            [Status::Tested, Status::NotOurs, Status::Exception].map(|status| ledger.count(status));
        let server_tested = ledger.count_for_server(Status::Tested);
        let server_open = ledger.count_for_server(Status::Exception);
        writeln!(
            out,
            "| {:<5} | {:>10} | {tested:>6} | {not_ours:>8} | {exceptions:>10} | {:>36} |",
            ledger.version,
            ledger.statements.len(),
            format!("{server_tested} of {}", server_tested + server_open),
        )?;
    }
    Ok(())
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.cause)
    }
}

impl std::error::Error for Unreadable {}

#[derive(Deserialize)]
struct File {
    statement: Vec<Statement>,
}
