//! CPU time and memory of a running broker, as Linux counts them.
//!
//! CPU comes from the scheduler's run time of each thread in nanoseconds (`/proc/PID/task/*/schedstat`),
//! which is far finer than the 10 ms ticks of `/proc/PID/stat`. Threads that ended are not in it; brokers
//! keep theirs. Kernel memory of sockets belongs to no process and is not counted.

mod writes;

pub use writes::Writes;

use crate::fault::Fault;
use crate::measures::ThreadShare;
use std::collections::BTreeMap;
use std::fs;

/// Run time of one thread.
#[derive(Clone, Debug)]
pub struct Thread {
    /// The name the broker gave it.
    pub name: String,
    /// Nanoseconds on a core since it began.
    pub cpu_nanos: u64,
}

/// Run time of all threads at one moment, by thread identifier.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    threads: BTreeMap<u32, Thread>,
}

impl Usage {
    /// Reads the counters of process `pid`.
    pub fn of(pid: u32) -> Result<Self, Fault> {
        let tasks = format!("/proc/{pid}/task");
        let entries = fs::read_dir(&tasks).map_err(Fault::io(format!("observing the broker in {tasks}")))?;
        let threads = entries
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            // A thread may end between the listing and the reading.
            .filter_map(|tid: u32| Some((tid, read_thread(&format!("{tasks}/{tid}"))?)))
            .collect();
        Ok(Self { threads })
    }

    /// Nanoseconds used between `earlier` and this moment.
    pub fn nanos_since(&self, earlier: &Self) -> u64 {
        self.threads_since(earlier).iter().map(|thread| thread.cpu_nanos).sum()
    }

    /// The threads that ran between `earlier` and this moment, the busiest first.
    pub fn threads_since(&self, earlier: &Self) -> Vec<Thread> {
        let before = |tid| earlier.threads.get(tid).map_or(0, |thread| thread.cpu_nanos);
        let mut threads: Vec<_> = self
            .threads
            .iter()
            .map(|(tid, thread)| Thread {
                name: thread.name.clone(),
                cpu_nanos: thread.cpu_nanos.saturating_sub(before(tid)),
            })
            .filter(|thread| thread.cpu_nanos > 0)
            .collect();
        threads.sort_by_key(|thread| std::cmp::Reverse(thread.cpu_nanos));
        threads
    }

    /// Their parts of all that was used.
    pub fn shares_since(&self, earlier: &Self) -> Vec<ThreadShare> {
        let total = self.nanos_since(earlier) as f64;
        let share = |thread: Thread| ThreadShare {
            name: thread.name,
            percent: 100.0 * thread.cpu_nanos as f64 / total,
        };
        self.threads_since(earlier).into_iter().map(share).collect()
    }
}

fn read_thread(path: &str) -> Option<Thread> {
    let run_time = fs::read_to_string(format!("{path}/schedstat")).ok()?;
    let name = fs::read_to_string(format!("{path}/comm")).ok()?;
    let cpu_nanos = run_time.split_ascii_whitespace().next()?.parse().ok()?;
    Some(Thread { name: name.trim_end().to_owned(), cpu_nanos })
}

/// Resident bytes of process `pid`, exact: the counters of `/proc/PID/status` lag behind by pages per core.
pub fn resident_bytes(pid: u32) -> Result<u64, Fault> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).map_err(Fault::io(format!("observing the broker in {path}")))?;
    parse_resident(&text).ok_or_else(|| Fault::Broker(format!("{path} holds no `Rss:` line")))
}

/// CPU time that all processes of the machine have used, and that its host has taken away.
///
/// It comes in ticks of 10 ms: enough to tell whether a run of seconds was disturbed.
pub fn machine_nanos() -> Result<u64, Fault> {
    let text = fs::read_to_string("/proc/stat").map_err(Fault::io("observing the machine in /proc/stat"))?;
    parse_machine(&text).ok_or_else(|| Fault::Broker("/proc/stat holds no `cpu` line".into()))
}

/// The columns are user, nice, system, idle, iowait, irq, softirq and steal; guests are part of user.
fn parse_machine(stat: &str) -> Option<u64> {
    const NANOS_PER_TICK: u64 = 10_000_000;
    let columns: Vec<u64> = stat
        .strip_prefix("cpu ")?
        .lines()
        .next()?
        .split_ascii_whitespace()
        .map_while(|word| word.parse().ok())
        .collect();
    let busy = [0, 1, 2, 5, 6, 7].iter().map(|&column| columns.get(column)).sum::<Option<u64>>()?;
    Some(busy * NANOS_PER_TICK)
}

fn parse_resident(smaps: &str) -> Option<u64> {
    let line = smaps.lines().find_map(|line| line.strip_prefix("Rss:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_in_bytes() {
        assert_eq!(
            parse_resident("5590-7ffe [rollup]\nRss:                2048 kB\nPss: 1 kB\n"),
            Some(2 << 20)
        );
        assert_eq!(parse_resident("Pss: 1 kB\n"), None);
    }

    #[test]
    fn idle_time_is_no_work_of_the_machine() {
        let stat = "cpu  1 2 3 1000 2000 4 5 6 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n";
        assert_eq!(parse_machine(stat), Some(210_000_000));
        assert_eq!(parse_machine("cpu  1 2 3\n"), None);
    }

    #[test]
    fn the_time_of_a_thread_is_counted_once() {
        let pid = std::process::id();
        let before = Usage::of(pid).unwrap();
        let mut spun = 0_u64;
        while Usage::of(pid).unwrap().nanos_since(&before) < 5_000_000 {
            spun += 1;
            assert!(spun < 10_000_000, "the run time of a busy thread has to grow");
        }
        let after = Usage::of(pid).unwrap();
        let threads = after.threads_since(&before);
        assert!(threads.windows(2).all(|pair| pair[0].cpu_nanos >= pair[1].cpu_nanos));
        assert_eq!(after.nanos_since(&after), 0);
    }
}
