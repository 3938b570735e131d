//! `cargo xtask conformance [HOST:PORT]`: how much of the specifications is tested, and the tests of it from outside.

use crate::program::{cargo, run, succeeds};
use crate::step::{Outcome, step};

/// Counts the ledger, then runs the black-box tests.
pub(crate) fn conformance(arguments: &[String]) -> Outcome {
    let target = match arguments {
        [] => None,
        [target] if target.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) => {
            Some(target)
        }
        _ => return Err("cargo xtask conformance [HOST:PORT]".into()),
    };
    step("ledger", || {
        run(&mut cargo(&["run", "--quiet", "--package", PACKAGE, "--bin", "conformance-ledger"]))
    })?;
    if target.is_none() {
        step("build the broker", || run(&mut cargo(&["build", "--package", "tidegate"])))?;
    }
    let runner: &[&str] = match succeeds(&mut cargo(&["nextest", "--version"])) {
        true => &["nextest", "run", "--no-fail-fast", "--package", PACKAGE],
        false => &["test", "--no-fail-fast", "--package", PACKAGE],
    };
    let mut tests = cargo(runner);
    if let Some(target) = target {
        tests.env("TIDEGATE_CONFORMANCE_TARGET", target);
    }
    step("black-box tests", || run(&mut tests))
}

const PACKAGE: &str = "tidegate-conformance";
