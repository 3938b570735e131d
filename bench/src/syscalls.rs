//! Counts the system calls a broker makes per message, with strace attached while traffic flows.
//!
//! A run of its own: a traced broker is many times slower, so nothing else is read off it. Attaching after
//! the warm-up leaves start and connecting out of the count.

use crate::affinity::{Cores, Placement};
use crate::broker::{Broker, Contestant, Programs};
use crate::door::{Door, Doors};
use crate::fault::Fault;
use crate::scenario::{self, Work};
use crate::statistics;
use crate::traffic::{self, Plan, Timing};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};

/// The scenario that is traced: one message at a time leaves nothing to share a system call with.
const TRACED: &str = "pairs-single";

/// What was counted.
#[derive(Debug)]
pub struct Count {
    /// System calls while messages were counted, by name, the most frequent first.
    pub calls: Vec<(String, u64)>,
    /// Messages that reached a subscriber meanwhile.
    pub delivered: u64,
}

impl Count {
    /// The figure.
    pub fn per_message(&self) -> Option<f64> {
        let total: u64 = self.calls.iter().map(|(_, count)| count).sum();
        statistics::ratio(total as f64, self.delivered as f64)
    }
}

/// Traces `contestant` under the scenario with one message in flight.
pub fn count(
    contestant: &Contestant,
    programs: &Programs,
    cores: &Cores,
    placement: Placement,
    timing: Timing,
) -> Result<Count, Fault> {
    let plan = traced_plan()?;
    let broker = Broker::start(contestant, programs, cores, placement, Doors::TcpOnly)?;
    let pid = broker.process.ok_or_else(|| {
        Fault::Broker("without the broker's process there is nothing to trace. help: --pid".into())
    })?;
    let mut tracer = None;
    let mut calls = Vec::new();
    let outcome = traffic::run(&plan, &broker, broker.entrance(Door::Tcp)?, timing, || {
        match tracer.take() {
            None => tracer = Some(Tracer::attach(pid)?),
            Some(attached) => calls = Tracer::detach(attached)?,
        }
        Ok(())
    })?;
    Ok(Count { calls, delivered: outcome.tally.delivered })
}

fn traced_plan() -> Result<Plan, Fault> {
    scenario::all(1)
        .into_iter()
        .find_map(|scenario| match scenario.work {
            Work::Traffic(plan) if scenario.name == TRACED => Some(plan),
            _ => None,
        })
        .ok_or_else(|| Fault::Broker(format!("there is no scenario {TRACED}")))
}

struct Tracer {
    strace: Child,
    summary: PathBuf,
    /// Held open: strace says on it that it detaches, and would die of a closed pipe before its summary.
    _said: BufReader<ChildStderr>,
    _folder: tempfile::TempDir,
}

impl Tracer {
    fn attach(pid: u32) -> Result<Self, Fault> {
        let folder = tempfile::tempdir().map_err(Fault::io("creating a folder for strace"))?;
        let summary = folder.path().join("summary");
        let mut strace = Command::new("strace")
            .args(["-f", "-c", "-p", &pid.to_string(), "-o"])
            .arg(&summary)
            .stderr(Stdio::piped())
            .spawn()
            .map_err(Fault::io("starting strace"))?;
        let mut said =
            BufReader::new(strace.stderr.take().ok_or_else(|| Fault::Broker("strace is mute".into()))?);
        let mut line = String::new();
        said.read_line(&mut line).map_err(Fault::io("listening to strace"))?;
        if !line.contains("attached") {
            let _ = strace.kill();
            let _ = strace.wait();
            return Err(Fault::Broker(format!("strace did not attach: {line}")));
        }
        Ok(Self { strace, summary, _said: said, _folder: folder })
    }

    /// SIGINT makes strace let go of the broker and write its summary.
    fn detach(mut self) -> Result<Vec<(String, u64)>, Fault> {
        if let Some(pid) = i32::try_from(self.strace.id()).ok().and_then(Pid::from_raw) {
            kill_process(pid, Signal::INT).map_err(|error| Fault::io("stopping strace")(error.into()))?;
        }
        self.strace.wait().map_err(Fault::io("waiting for strace"))?;
        let text = fs::read_to_string(&self.summary).map_err(Fault::io("reading the summary of strace"))?;
        Ok(parse_summary(&text))
    }
}

/// Rows are `% time, seconds, usecs/call, calls, [errors,] name`, between two rules of dashes.
fn parse_summary(text: &str) -> Vec<(String, u64)> {
    let mut calls: Vec<_> = text
        .lines()
        .skip_while(|line| !line.starts_with("---"))
        .skip(1)
        .take_while(|line| !line.starts_with("---"))
        .filter_map(|line| {
            let words: Vec<_> = line.split_ascii_whitespace().collect();
            Some(((*words.last()?).to_owned(), words.get(3)?.parse().ok()?))
        })
        .collect();
    calls.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_of_strace_is_read() {
        let text = "% time     seconds  usecs/call     calls    errors syscall\n\
                    ------ ----------- ----------- --------- --------- ----------------\n \
                    60.00    0.060000           3     20000           write\n \
                    40.00    0.040000           1     40000     10000 read\n\
                    ------ ----------- ----------- --------- --------- ----------------\n\
                    100.00    0.100000                 60000     10000 total\n";
        let calls = parse_summary(text);
        assert_eq!(calls, [("read".to_owned(), 40_000), ("write".to_owned(), 20_000)]);
        assert_eq!(Count { calls, delivered: 20_000 }.per_message(), Some(3.0));
    }
}
