//! `tidegate config check`

use std::process::ExitCode;

use super::UNUSABLE;
use crate::config::load::{Source, load};
use crate::terminal;

pub(super) fn execute(source: &Source) -> ExitCode {
    match load(source) {
        Ok(loaded) => {
            let of = source.file.as_ref().map_or("the defaults".into(), |file| file.display().to_string());
            let set = match loaded.origins.len() {
                1 => "1 key set".into(),
                keys => format!("{keys} keys set"),
            };
            terminal::say(format!("{of}: no errors; {set}, the rest have their defaults"));
            ExitCode::SUCCESS
        }
        Err(reasons) => {
            terminal::complain(reasons);
            ExitCode::from(UNUSABLE)
        }
    }
}
