//! `tidegate config reference`

use std::process::ExitCode;

use crate::config::reference::reference;
use crate::terminal;

pub(super) fn execute() -> ExitCode {
    terminal::say(reference().trim_end());
    ExitCode::SUCCESS
}
