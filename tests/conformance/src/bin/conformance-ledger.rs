//! Prints what the ledger counts: per version, how many statements are tested, not ours, or excepted.
//!
//! With `--exceptions` it also lists every exception with its reason.

use std::error::Error;
use std::io::{Write, stdout};

use tidegate_conformance::ledger::{Ledger, Status, write_counts};

fn main() -> Result<(), Box<dyn Error>> {
    let ledgers = Ledger::all()?;
    let mut out = stdout().lock();
    write_counts(&ledgers, &mut out)?;
    if std::env::args().any(|argument| argument == "--exceptions") {
        let rows = ledgers.iter().flat_map(|ledger| &ledger.statements);
        for row in rows.filter(|row| row.status == Status::Exception) {
            writeln!(out, "{}: {} ({})", row.id, row.rule, row.reason.as_deref().unwrap_or("no reason"))?;
        }
    }
    Ok(())
}
