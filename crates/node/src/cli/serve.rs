//! `tidegate serve`

use std::process::ExitCode;

use super::UNUSABLE;
use crate::config::load::{Source, load};
use crate::config::reload::Reloader;
use crate::{serve, terminal};

pub(super) fn execute(source: Source) -> ExitCode {
    match load(&source) {
        Ok(loaded) => serve::run(loaded.config, &Reloader::new(source)),
        Err(reasons) => {
            terminal::complain(format!("{reasons}; the broker was not started"));
            ExitCode::from(UNUSABLE)
        }
    }
}
