//! The command line. Each subcommand is one file below this one; here is only what they are called.

mod cert;
mod check;
mod crashtest;
mod reference;
mod serve;
mod show;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::load::Source;
use crate::config::reference::summary;

#[derive(Parser)]
#[command(
    name = "tidegate",
    version,
    about = "Tidegate, a broker for MQTT 3.1, 3.1.1 and 5.0",
    after_long_help = EXAMPLES,
    after_help = "`tidegate --help` shows examples.",
    disable_help_subcommand = true,
    max_term_width = 100
)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start the broker, and serve clients until SIGTERM or Ctrl-C
    #[command(after_help = SERVE_HELP)]
    Serve(ConfigFile),
    /// Check, show and explain the configuration
    #[command(subcommand, after_long_help = format!("Keys and their defaults:\n{}", summary()))]
    Config(ConfigCommand),
    /// Make, show and revoke certificates of the local CA, for development
    #[command(subcommand, after_help = cert::HELP)]
    Cert(cert::Cert),
    /// Kill a broker of its own again and again, and check that nothing acknowledged is lost
    #[command(after_help = crashtest::HELP)]
    Crashtest(crashtest::Crashtest),
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Say everything that is wrong with the configuration; start nothing
    Check(ConfigFile),
    /// Show the value in force of every key, and whether it is the default, from the file or the environment
    Show(ConfigFile),
    /// Print the reference of all keys, in Markdown
    Reference,
}

#[derive(Args)]
struct ConfigFile {
    /// The configuration file (TOML); without it the defaults hold
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigFile {
    fn source(self) -> Source {
        Source::of_process(self.config)
    }
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    match CommandLine::parse().command {
        Command::Serve(file) => serve::execute(file.source()),
        Command::Config(ConfigCommand::Check(file)) => check::execute(&file.source()),
        Command::Config(ConfigCommand::Show(file)) => show::execute(&file.source()),
        Command::Config(ConfigCommand::Reference) => reference::execute(),
        Command::Cert(command) => cert::execute(command),
        Command::Crashtest(arguments) => crashtest::execute(arguments),
    }
}

/// The exit code of a command line or a configuration that cannot be used, as shells have it.
const UNUSABLE: u8 = 2;

const EXAMPLES: &str = "\
Examples:
  tidegate serve
      Start on the defaults: MQTT on 127.0.0.1:1883, data in ./tidegate-data.
  TIDEGATE_LISTENER=127.0.0.1:1884 tidegate serve
      The same on another port. Every key has such a variable.
  tidegate serve --config /etc/tidegate.toml
      Start with a configuration file.
  tidegate config check --config /etc/tidegate.toml
      Say everything that is wrong with a file, before it is used.
  tidegate config show
      Show every value in force and where it came from.

Exit codes: 0 done, 1 the broker could not start or go on, 2 the command line or the configuration is wrong.";

const SERVE_HELP: &str = "\
Signals:
  SIGTERM, SIGINT  accept no more clients, tell the connected ones, and end
  SIGHUP           read the configuration again, and say what changed and what needs a restart";
