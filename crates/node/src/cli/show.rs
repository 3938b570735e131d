//! `tidegate config show`

use std::process::ExitCode;

use super::UNUSABLE;
use crate::config::load::{Source, load};
use crate::config::show::show;
use crate::terminal;

pub(super) fn execute(source: &Source) -> ExitCode {
    match load(source) {
        Ok(loaded) => {
            terminal::say(show(&loaded).trim_end());
            ExitCode::SUCCESS
        }
        Err(reasons) => {
            terminal::complain(reasons);
            ExitCode::from(UNUSABLE)
        }
    }
}
