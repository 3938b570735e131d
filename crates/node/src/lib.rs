//! The parts of the `tidegate` program: configuration, command line, start and stop. No broker logic.
//!
//! [`cli`] reads the command line and calls one file per subcommand; [`config`] is what the operator decided;
//! [`serve`] puts the broker together from it. What the parts refuse, they refuse as a [`refusal::Refusal`].

pub mod cli;
pub mod config;
pub mod data_dir;
pub mod journal;
pub mod limits;
pub mod logging;
pub mod net;
pub mod refusal;
pub mod serve;
pub mod signals;
pub mod terminal;
pub mod welcome;
