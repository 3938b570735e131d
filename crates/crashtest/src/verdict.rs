//! What is said at the end.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::ledger::{Findings, Tally};

/// How a test ended.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub(crate) kills: u32,
    pub(crate) seed: u64,
    pub(crate) tally: Tally,
    pub(crate) findings: Findings,
    pub(crate) restarts: Restarts,
    pub(crate) took: Duration,
    pub(crate) folder: PathBuf,
}

/// How long starts took until the broker was ready.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Restarts {
    count: u32,
    sum: Duration,
    longest: Duration,
}

impl Restarts {
    pub(crate) fn add(&mut self, took: Duration) {
        self.count += 1;
        self.sum += took;
        self.longest = self.longest.max(took);
    }
}

impl Verdict {
    /// Nothing was wrong.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.findings.total == 0
    }

    /// How often the broker was killed.
    #[must_use]
    pub fn kills(&self) -> u32 {
        self.kills
    }

    /// How many messages the broker has acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.tally.acknowledged
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, seed, tally, findings, restarts, took, folder } = self;
        if self.is_good() {
            writeln!(f, "HELD: after {kills} kills nothing that was acknowledged is missing.")?;
        } else {
            writeln!(f, "BROKEN: after {kills} kills {} things are wrong.", findings.total)?;
            for finding in &findings.first {
                writeln!(f, "  ! {finding}")?;
            }
            let more = findings.total - findings.first.len() as u64;
            if more > 0 {
                writeln!(f, "  ! and {more} more")?;
            }
        }
        let mean = restarts.sum.checked_div(restarts.count).unwrap_or_default();
        writeln!(f, "  messages acknowledged      {}", tally.acknowledged)?;
        writeln!(f, "  copies delivered           {}", tally.delivered)?;
        writeln!(f, "  once more, which QoS 1 may {}", tally.repeated)?;
        writeln!(f, "  sent again by publishers   {}", tally.sent_again)?;
        writeln!(f, "  unknown: unacknowledged by clean sessions at a kill {}", tally.abandoned)?;
        writeln!(
            f,
            "  starts, mean and longest   {} ms, {} ms",
            mean.as_millis(),
            restarts.longest.as_millis()
        )?;
        writeln!(f, "  seed and time              {seed}, {:.1} s", took.as_secs_f64())?;
        if self.is_good() {
            writeln!(
                f,
                "Checked: acknowledged QoS 1 and 2 is there; QoS 2 has neither gap nor double; each publisher's"
            )?;
            writeln!(
                f,
                "messages to one topic came in order; every durable session was there (session_present)."
            )?;
        } else {
            writeln!(f, "The broker's data, configuration and log are in {}.", folder.display())?;
        }
        writeln!(
            f,
            "This is about processes that are killed. It proves nothing about power cuts: the operating system went on"
        )?;
        write!(f, "and still had everything that was written, on the disk or not.")
    }
}
