//! What is said at the end.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::ledger::{Findings, Tally};

/// How a test ended.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub(crate) kills: Kills,
    pub(crate) seed: u64,
    pub(crate) tally: Tally,
    pub(crate) findings: Findings,
    pub(crate) restarts: Restarts,
    pub(crate) took: Duration,
    pub(crate) folder: PathBuf,
}

/// What the test has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Most kills hit a broker at work, and nothing was wrong.
    Held,
    /// Something was wrong.
    Broken,
    /// Nothing was wrong, but too many kills hit a broker that had nothing to lose.
    Inconclusive,
}

/// What the broker was doing when it was killed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Kills {
    pub(crate) total: u32,
    /// It had acknowledged something since its start, and owed acknowledgements.
    pub(crate) in_traffic: u32,
    /// It was starting, or clients were connecting: nothing was acknowledged yet.
    at_start: u32,
    /// Among those in traffic: a subscriber was taking a long backlog while new messages came.
    catching_up: u32,
    /// Acknowledgements that were owed at kills in traffic.
    outstanding: u64,
}

impl Kills {
    pub(crate) fn add(&mut self, early: bool, acknowledged: bool, outstanding: u64, catching_up: bool) {
        self.total += 1;
        if early && !acknowledged {
            self.at_start += 1;
        } else if acknowledged && outstanding > 0 {
            self.in_traffic += 1;
            self.outstanding += outstanding;
            self.catching_up += u32::from(catching_up);
        }
    }

    fn idle(&self) -> u32 {
        self.total - self.in_traffic - self.at_start
    }

    /// Enough of them hit a broker at work for the test to mean something.
    fn are_conclusive(&self) -> bool {
        2 * self.in_traffic > self.total
    }
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

    pub(crate) fn mean(&self) -> Duration {
        self.sum.checked_div(self.count).unwrap_or_default()
    }
}

impl Verdict {
    /// What the test has shown.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        if self.findings.total > 0 {
            Outcome::Broken
        } else if self.kills.are_conclusive() {
            Outcome::Held
        } else {
            Outcome::Inconclusive
        }
    }

    /// How often the broker was killed.
    #[must_use]
    pub fn kills(&self) -> u32 {
        self.kills.total
    }

    /// How many of these came while it owed acknowledgements, after it had given some.
    #[must_use]
    pub fn kills_in_traffic(&self) -> u32 {
        self.kills.in_traffic
    }

    /// How many messages the broker has acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.tally.acknowledged
    }

    fn write_outcome(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills: Kills { total, in_traffic, .. }, findings, .. } = self;
        match self.outcome() {
            Outcome::Held => {
                writeln!(f, "HELD: after {total} kills nothing that was acknowledged is missing.")
            }
            Outcome::Inconclusive => writeln!(
                f,
                "INCONCLUSIVE: nothing was found to be wrong, but only {in_traffic} of {total} kills hit a broker that was at \
                 work. help: more publishers or a larger --backlog; a machine that is less busy"
            ),
            Outcome::Broken => {
                writeln!(f, "BROKEN: after {total} kills {} things are wrong.", findings.total)?;
                for finding in &findings.first {
                    writeln!(f, "  ! {finding}")?;
                }
                match findings.total - findings.first.len() as u64 {
                    0 => Ok(()),
                    more => writeln!(f, "  ! and {more} more"),
                }
            }
        }
    }

    fn write_figures(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, seed, tally, restarts, took, .. } = self;
        let mean = kills.outstanding.checked_div(u64::from(kills.in_traffic)).unwrap_or_default();
        let Kills { in_traffic, at_start, catching_up, .. } = kills;
        writeln!(
            f,
            "  kills in traffic           {in_traffic}, each with {mean} acknowledgements owed (mean)"
        )?;
        writeln!(f, "    while a backlog was taken {catching_up}")?;
        writeln!(f, "  kills at the start         {at_start}")?;
        writeln!(f, "  kills of an idle broker    {}", kills.idle())?;
        writeln!(f, "  messages acknowledged      {}", tally.acknowledged)?;
        writeln!(f, "  copies delivered           {}", tally.delivered)?;
        writeln!(f, "  once more, which may be    {}", tally.repeated)?;
        writeln!(f, "  retained messages seen     {}", tally.retained)?;
        writeln!(f, "  sent again by publishers   {}", tally.sent_again)?;
        writeln!(f, "  unknown: unacknowledged by clean sessions at a kill {}", tally.abandoned)?;
        let (mean, longest) = (restarts.mean().as_millis(), restarts.longest.as_millis());
        writeln!(f, "  starts, mean and longest   {mean} ms, {longest} ms")?;
        writeln!(f, "  seed and time              {seed}, {:.1} s", took.as_secs_f64())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_outcome(f)?;
        self.write_figures(f)?;
        if self.outcome() == Outcome::Broken {
            writeln!(f, "The broker's data, configuration and log are in {}.", self.folder.display())?;
        } else {
            f.write_str(CHECKED)?;
        }
        f.write_str(NOT_SHOWN)
    }
}

const CHECKED: &str = "\
Checked: acknowledged QoS 1 and 2 is there; QoS 2 has neither gap nor double; each publisher's messages to one topic
came in order; every durable session was there (session_present); the members of a shared subscription got everything
between them; retained messages are the last that were acknowledged.
";
const NOT_SHOWN: &str = "\
This is about processes that are killed. It proves nothing about power cuts: the operating system went on and still had
everything that was written, on the disk or not.";

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(in_traffic: u32, idle: u32) -> Verdict {
        let mut kills = Kills::default();
        (0..in_traffic).for_each(|_| kills.add(false, true, 3, false));
        (0..idle).for_each(|_| kills.add(false, true, 0, false));
        Verdict {
            kills,
            seed: 1,
            tally: Tally::default(),
            findings: Findings::default(),
            restarts: Restarts::default(),
            took: Duration::ZERO,
            folder: PathBuf::new(),
        }
    }

    #[test]
    fn kills_that_mostly_hit_an_idle_broker_show_nothing() {
        assert_eq!(verdict(6, 4).outcome(), Outcome::Held);
        assert_eq!(verdict(5, 5).outcome(), Outcome::Inconclusive);
        assert!(verdict(1, 9).to_string().starts_with("INCONCLUSIVE: "));
        let mut wrong = verdict(1, 9);
        wrong.findings.add("a message is missing".into());
        assert_eq!(wrong.outcome(), Outcome::Broken);
    }
}
