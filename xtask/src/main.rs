//! The habits of this repository as commands: `cargo xtask {run, test, conformance, bench, fuzz}`.
//!
//! One file for each command. `program` runs other programs, `step` shows what is going on, `tools` installs what
//! the tests need, `tally` counts tests.

mod bench;
mod conformance;
mod fuzz;
mod program;
mod run;
mod step;
mod tally;
mod test;
mod tools;

use std::process::ExitCode;

use step::say;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next();
    // What follows `--` is for the program that the command starts.
    let arguments: Vec<String> =
        arguments.enumerate().filter(|(i, a)| *i > 0 || a != "--").map(|(_, a)| a).collect();
    let done = match command.as_deref() {
        Some("run") => run::run(&arguments),
        Some("test") if arguments.is_empty() => test::test(),
        Some("conformance") => conformance::conformance(&arguments),
        Some("bench") => bench::bench(&arguments),
        Some("fuzz") => fuzz::fuzz(&arguments),
        Some("help" | "--help" | "-h") => {
            say(HELP);
            Ok(())
        }
        _ => Err(HELP.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

const HELP: &str = "\
cargo xtask COMMAND

  run [-- ARGUMENTS]        build in release and start the broker: `tidegate serve ARGUMENTS`
  test                      install what is missing, then check formatting and lints and run every test
  conformance [HOST:PORT]   count the ledger and run the black-box tests, against our broker or the one named
  bench [ARGUMENTS]         build in release and compare with mosquitto; `cargo xtask bench --help` lists what
  fuzz [TARGET] [--minutes N]
                            fuzz one decoder or all of them, N minutes each (default 30)";
