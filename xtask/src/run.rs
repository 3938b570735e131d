//! `cargo xtask run`: the broker as users get it.

use std::os::unix::process::CommandExt;

use crate::program::{cargo, program, run as run_program, target};
use crate::step::Outcome;

/// Builds in release, then becomes the broker, so that signals and the exit code are its own.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    run_program(&mut cargo(&["build", "--release", "--package", "tidegate"]))?;
    let broker = target().join("release/tidegate");
    let mut serve = program(&broker.to_string_lossy(), &["serve"]);
    // Paths on its command line, and the data of the defaults, are relative to where the person is.
    if let Ok(here) = std::env::current_dir() {
        serve.current_dir(here);
    }
    let error = serve.args(arguments).exec();
    Err(format!("{} cannot be run: {error}", broker.display()))
}
