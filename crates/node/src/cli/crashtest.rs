//! `tidegate crashtest`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use tidegate_crashtest::{Outcome, Plan, fresh_seed, run};

use crate::terminal;

#[derive(Args)]
pub(super) struct Crashtest {
    /// Where the data goes: an empty folder, or one of an earlier crashtest
    #[arg(long, value_name = "DIR", default_value = "./tidegate-crashtest")]
    data: PathBuf,
    /// How often the broker is killed
    #[arg(long, value_name = "N", default_value_t = 50)]
    kills: u32,
    /// Repeat the choices of an earlier test; without it they are new each time
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// How many clients publish
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=500))]
    publishers: u16,
    /// How many messages may wait for one subscriber; more make longer queues, and a longer test
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(100..=10_000_000))]
    backlog: u64,
    /// What an acknowledgement shall promise, as in `journal.level`
    #[arg(long, value_enum, default_value_t = Level::Fsync)]
    level: Level,
}

#[derive(Clone, Copy, ValueEnum)]
enum Level {
    /// It is on the disk
    Fsync,
    /// The operating system has it
    Os,
}

pub(super) const HELP: &str = "\
What it does:
  Starts this program as a broker of its own, on a free port of 127.0.0.1 and in the folder of --data. Many clients
  publish with QoS 1 and 2 and several messages in flight, half of them with durable sessions. Nine clients with
  durable sessions subscribe, three of them to a shared subscription: some acknowledge at once, some slowly, some are
  away until much waits for them, and take it while more comes. At random moments, also while it starts, the broker
  is killed with SIGKILL and started again, and everybody comes back.

What must hold:
  Nothing that was acknowledged is missing. What has QoS 2 comes once. Messages of one publisher to one topic come in
  order. Every durable session is still there (session_present). The members of the shared subscription get everything
  between them. A retained message is the last that was acknowledged, or a later one.

What it does not show:
  Power cuts. When a process is killed, the operating system goes on and has all that was written.

Exit codes: 0 everything held; 1 something did not, or the test could not be carried out; 3 inconclusive: most kills
hit a broker that was idle.";

const INCONCLUSIVE: u8 = 3;

pub(super) fn execute(arguments: Crashtest) -> ExitCode {
    let Crashtest { data, kills, seed, publishers, backlog, level } = arguments;
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => {
            terminal::complain(format!("this program cannot be found, to be started once more: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let level = match level {
        Level::Fsync => "fsync",
        Level::Os => "os",
    };
    let seed = seed.unwrap_or_else(fresh_seed);
    terminal::say(format!(
        "{kills} kills, {publishers} publishers, level {level}, seed {seed}; data in {}",
        data.display()
    ));
    let plan = Plan { program, folder: data, kills, seed, publishers, backlog, level: level.into() };
    match run(&plan, &mut |line| terminal::say(line)) {
        Ok(verdict) => {
            terminal::say(&verdict);
            match verdict.outcome() {
                Outcome::Held => ExitCode::SUCCESS,
                Outcome::Broken => ExitCode::FAILURE,
                Outcome::Inconclusive => ExitCode::from(INCONCLUSIVE),
            }
        }
        Err(trouble) => {
            terminal::complain(format!("the crashtest could not be carried out: {trouble}"));
            ExitCode::FAILURE
        }
    }
}
