//! `cargo xtask bench`: the comparison with mosquitto.

use crate::program::{cargo, program, run, target};
use crate::step::{Outcome, step};

/// Builds broker and load generator in release and runs the latter with these arguments.
pub(crate) fn bench(arguments: &[String]) -> Outcome {
    step("build", || {
        run(&mut cargo(&["build", "--release", "--package", "tidegate", "--package", "tidegate-bench"]))
    })?;
    let bench = target().join("release/tidegate-bench");
    run(program(&bench.to_string_lossy(), &[]).args(arguments))
}
