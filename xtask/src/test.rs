//! `cargo xtask test`: everything that must hold before a change lands. Continuous integration calls this and
//! nothing else.

use std::io::IsTerminal;

use crate::program::{Stream, cargo, run, run_reading};
use crate::step::{Outcome, say, step};
use crate::tally::Tally;
use crate::tools;

/// Installs what is missing, checks, builds, tests, and counts.
pub(crate) fn test() -> Outcome {
    // What cannot be installed here is said before anything is built.
    step("system packages", tools::system_packages)?;
    let nextest = step("test runner", || Ok(tools::nextest()))?;
    step("client libraries", || tools::python_clients().and_then(|()| tools::node_clients()))?;

    let mut failed = Vec::new();
    let mut attempt = |name: &'static str, work: &mut dyn FnMut() -> Outcome| {
        if step(name, work).is_err() {
            failed.push(name);
        }
    };
    attempt("formatting", &mut || run(&mut cargo(&["fmt", "--all", "--check"])));
    attempt("lints", &mut || {
        run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    });
    // Tests start the programs, so these are built first; without them no test says anything.
    step("build", || run(&mut cargo(&["build", "--workspace"])))?;

    let mut tally = Tally::default();
    attempt("tests", &mut || if nextest { with_nextest(&mut tally) } else { with_cargo_test(&mut tally) });
    attempt("documentation tests", &mut || {
        let mut tests = cargo(&["test", "--workspace", "--doc", "--no-fail-fast"]);
        run_reading(&mut tests, Stream::Output, |line| tally.read(line))
    });

    if !failed.is_empty() {
        say(format!("failed: {}", failed.join(", ")));
    }
    say(tally);
    match (failed.as_slice(), tally) {
        ([], Tally { passed: 1.., failed: 0, .. }) => Ok(()),
        ([], Tally { passed: 0, .. }) => Err("no test was run".into()),
        _ => Err("not everything holds; see above".into()),
    }
}

fn with_nextest(tally: &mut Tally) -> Outcome {
    let colour = if std::io::stderr().is_terminal() { "always" } else { "never" };
    let mut tests = cargo(&["nextest", "run", "--workspace", "--no-fail-fast", "--color", colour]);
    run_reading(&mut tests, Stream::Error, |line| tally.read(line))
}

fn with_cargo_test(tally: &mut Tally) -> Outcome {
    let mut tests = cargo(&["test", "--workspace", "--all-targets", "--no-fail-fast"]);
    run_reading(&mut tests, Stream::Output, |line| tally.read(line))
}
