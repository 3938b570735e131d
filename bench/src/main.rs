//! The program `tidegate-bench`; everything it does is in the library.

use clap::Parser;
use std::process::ExitCode;
use tidegate_bench::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().run().unwrap_or_else(|fault| {
        eprintln!("error: {fault}");
        ExitCode::FAILURE
    })
}
