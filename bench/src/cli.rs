//! The command line, and what it makes of its options.

use crate::affinity::{Cores, Placement};
use crate::broker::{Contestant, Programs};
use crate::contest::{Contest, Run};
use crate::door::Door;
use crate::echo;
use crate::fault::Fault;
use crate::measures::Metric;
use crate::mosquitto;
use crate::priority::Priority;
use crate::report::{Machine, Report, figure};
use crate::scenario::{self, Scenario};
use crate::syscalls;
use crate::traffic::Timing;
use clap::{Args, Parser, Subcommand, ValueEnum};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{Write, stdout};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Long enough for caches and TCP windows, short beside the measured part.
const WARM_UP: Duration = Duration::from_secs(1);

/// Descriptors for the idle connections and some more; a lower hard limit is said when it hurts.
const DESCRIPTORS: u64 = 65_536;

/// Measure Tidegate against mosquitto: CPU seconds per million delivered messages, rates, memory, latency.
#[derive(Debug, Parser)]
#[command(name = "tidegate-bench", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Task>,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run the scenarios and print the comparison (the default).
    Compare,
    /// Count system calls per message with strace, one message in flight.
    Syscalls,
    /// Download and unpack Debian's mosquitto without installing it.
    UnpackMosquitto,
    /// List the scenarios.
    Scenarios,
    /// Acknowledge what is published after writing and syncing as many bytes as told; the scenarios start it.
    #[command(hide = true)]
    Echo {
        /// Where the file is written.
        #[arg(long)]
        folder: PathBuf,
        /// Bytes for each message.
        #[arg(long)]
        record_bytes: usize,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Only {
    Mosquitto,
    Tidegate,
}

#[derive(Debug, Args)]
struct Options {
    /// Scenarios to run; all when none is named.
    #[arg(long, global = true, num_args = 1.., value_name = "NAME")]
    scenario: Vec<String>,
    /// Runs of each broker in each scenario.
    #[arg(long, global = true, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Seconds measured in each run.
    #[arg(long, global = true, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// Run one broker alone.
    #[arg(long, global = true)]
    only: Option<Only>,
    /// Compare Tidegate with this many shards to Tidegate with one, neither held on a core.
    #[arg(long, global = true, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    shards: u32,
    /// Hold neither broker nor generator on a core of its own.
    #[arg(long, global = true)]
    free: bool,
    /// Measure a broker that already runs, alone.
    #[arg(long, global = true, value_name = "HOST:PORT", conflicts_with_all = ["only", "shards"])]
    target: Option<SocketAddr>,
    /// Its process, for CPU and memory.
    #[arg(long, global = true, requires = "target")]
    pid: Option<u32>,
    /// Let the clients come in by this door, in scenarios with traffic between clients, `idle` and `storm`.
    #[arg(long, global = true, value_name = "DOOR")]
    door: Option<Door>,
    /// Write everything measured to this file.
    #[arg(long, global = true, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The Tidegate binary.
    #[arg(long, global = true, value_name = "FILE", default_value = "target/release/tidegate")]
    tidegate: PathBuf,
    /// A line for the head of Tidegate's configuration; may be given several times.
    #[arg(long, global = true, value_name = "TOML")]
    tidegate_setting: Vec<String>,
    /// The folder of the unpacked mosquitto; filled when it is missing.
    #[arg(long, global = true, value_name = "DIR", default_value = "target/tools/mosquitto")]
    mosquitto: PathBuf,
    /// Niceness of broker and generator alike, to hold their own on a machine with other work.
    #[arg(long, global = true, allow_hyphen_values = true)]
    #[arg(value_parser = clap::value_parser!(i32).range(-20..=19))]
    nice: Option<i32>,
    /// Different topics that match one filter, in the scenario `filters`.
    #[arg(long, global = true, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    topics_per_filter: u32,
}

impl Cli {
    /// Does what was asked for.
    pub fn run(self) -> Result<ExitCode, Fault> {
        let options = self.options;
        raise_descriptor_limit();
        let _priority = options.nice.map(Priority::take).transpose()?;
        match self.command.unwrap_or(Task::Compare) {
            Task::Compare => options.compare(),
            Task::Syscalls => options.count_syscalls(),
            Task::UnpackMosquitto => {
                say(&format!("{}\n", mosquitto::unpack(&options.mosquitto)?.display()))?;
                Ok(ExitCode::SUCCESS)
            }
            Task::Echo { folder, record_bytes } => {
                echo::serve(&folder, record_bytes).map(|()| ExitCode::SUCCESS)
            }
            Task::Scenarios => {
                for Scenario { name, about, .. } in scenario::all(options.topics_per_filter) {
                    say(&format!("{name:<16} {about}\n"))?;
                }
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

impl Options {
    fn compare(&self) -> Result<ExitCode, Fault> {
        let contest = self.contest()?;
        let cores = Cores::of_this_process()?;
        let machine = Machine::this();
        let scenarios = self.scenarios()?;
        let verdicts = scenarios.iter().map(|scenario| {
            contest.run(scenario, &cores, |name, round, run| report_run(scenario, name, round, run))
        });
        let report = Report {
            machine,
            rounds: self.rounds,
            seconds: contest.timing.measured.as_secs_f64(),
            scenarios: verdicts.collect(),
        };
        say(&report.table())?;
        if let Some(path) = &self.json {
            report.write_json(path)?;
        }
        Ok(if report.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn count_syscalls(&self) -> Result<ExitCode, Fault> {
        let contest = self.contest()?;
        let cores = Cores::of_this_process()?;
        for contestant in [Some(&contest.measured), contest.reference.as_ref()].into_iter().flatten() {
            let counted =
                syscalls::count(contestant, &contest.programs, &cores, contest.placement, contest.timing)?;
            let name = contestant.name();
            say(&format!("{name}: {} system calls per message\n", figure(counted.per_message())))?;
            for (call, count) in counted.calls.iter().take(8) {
                let each = *count as f64 / counted.delivered.max(1) as f64;
                say(&format!("  {call:<16} {}\n", figure(Some(each))))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn contest(&self) -> Result<Contest, Fault> {
        let (measured, reference) = self.contestants();
        if measured == Contestant::Mosquitto || reference == Some(Contestant::Mosquitto) {
            mosquitto::unpack(&self.mosquitto)?;
        }
        Ok(Contest {
            measured,
            reference,
            rounds: self.rounds,
            timing: Timing { warm_up: WARM_UP, measured: Duration::from_secs(self.seconds.into()) },
            placement: if self.shards > 1 || self.free { Placement::Free } else { Placement::OneCoreEach },
            programs: Programs {
                tidegate: self.tidegate.clone(),
                tidegate_settings: self.tidegate_setting.clone(),
                mosquitto: self.mosquitto.clone(),
            },
        })
    }

    fn contestants(&self) -> (Contestant, Option<Contestant>) {
        let tidegate = Contestant::Tidegate { shards: self.shards };
        match (self.target, self.only) {
            (Some(address), _) => (Contestant::External { address, process: self.pid }, None),
            (None, Some(Only::Mosquitto)) => (Contestant::Mosquitto, None),
            (None, Some(Only::Tidegate)) => (tidegate, None),
            (None, None) if self.shards > 1 => (tidegate, Some(Contestant::Tidegate { shards: 1 })),
            (None, None) => (tidegate, Some(Contestant::Mosquitto)),
        }
    }

    fn scenarios(&self) -> Result<Vec<Scenario>, Fault> {
        let mut scenarios = scenario::all(self.topics_per_filter);
        if let Some(unknown) =
            self.scenario.iter().find(|name| scenarios.iter().all(|scenario| scenario.name != name.as_str()))
        {
            return Err(Fault::Broker(format!(
                "there is no scenario `{unknown}`. help: tidegate-bench scenarios"
            )));
        }
        if !self.scenario.is_empty() {
            scenarios.retain(|scenario| self.scenario.iter().any(|name| name == scenario.name));
        }
        Ok(match self.door {
            Some(door) => scenarios.into_iter().map(|scenario| scenario.through(door)).collect(),
            None => scenarios,
        })
    }
}

/// Progress goes to the standard error, so that the table can be redirected.
fn report_run(scenario: &Scenario, name: &str, round: u32, run: &Run) {
    let said = match run {
        Run::Void(reason) => format!("void: {reason}"),
        Run::Valid(measures) => {
            let shown = scenario.goals.iter().filter_map(|goal| {
                let value = measures.figures.get(&goal.metric)?;
                Some(format!("{} {}", figure(Some(*value)), goal.metric.label()))
            });
            let batch = measures.figures.get(&Metric::MessagesPerWrite);
            shown.chain(batch.map(|size| format!("{size:.1} a write"))).collect::<Vec<_>>().join(", ")
        }
    };
    eprintln!("{:<16} {round} {name:<12} {said}", scenario.name);
}

fn say(text: &str) -> Result<(), Fault> {
    stdout().lock().write_all(text.as_bytes()).map_err(Fault::io("writing to the terminal"))
}

/// Brokers inherit the limit. One that cannot be raised shows as a refused connection in the scenario that
/// needs it.
fn raise_descriptor_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(DESCRIPTORS, |maximum| maximum.min(DESCRIPTORS));
    if current.is_some_and(|current| current < wanted) {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum });
    }
}
