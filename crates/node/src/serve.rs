//! `tidegate serve`: the order in which the broker starts and stops. No logic of its own.
//!
//! Log → descriptors → data directory → listeners → broker → welcome → signals until one asks to stop.

use std::net::TcpListener;
use std::process::ExitCode;

use crate::config::Config;
use crate::config::load::reason;
use crate::config::reload::Reloader;
use crate::limits::descriptors;
use crate::logging::{self, Logging};
use crate::refusal::{Code, Place, Refusal, Refusals};
use crate::{data_dir, net, terminal};

/// Serves until a signal asks to stop. 0 after a stop in good order, 1 when the broker could not start or go on.
pub fn run(config: Config, reloader: &Reloader) -> ExitCode {
    match prepare(&config) {
        Ok(prepared) => serve(config, reloader, prepared),
        Err(reasons) => {
            terminal::complain(format!("{reasons}; the broker was not started"));
            ExitCode::FAILURE
        }
    }
}

/// What must stand before the broker can.
struct Prepared {
    logging: Logging,
    listeners: Vec<TcpListener>,
}

fn prepare(config: &Config) -> Result<Prepared, Refusals> {
    let logging = logging::start(config.log).map_err(|error| denied("the log", &error.to_string()))?;
    let descriptors = descriptors::raise();
    tracing::debug!(before = descriptors.before, now = descriptors.now, "descriptors");
    let data = data_dir::prepare(&config.data_dir)?;
    if data.open_to_others {
        tracing::warn!(path = %config.data_dir.display(), "other users may read the data directory; chmod 700 closes it");
    }
    let listeners = net::listen::listen(&config.listeners)?;
    Ok(Prepared { logging, listeners })
}

/// The broker itself is not in this program yet, and nothing here pretends that it were.
fn serve(_config: Config, _reloader: &Reloader, prepared: Prepared) -> ExitCode {
    for listener in &prepared.listeners {
        match listener.local_addr() {
            Ok(address) => tracing::debug!(%address, "the address is free"),
            Err(error) => tracing::debug!(reason = reason(&error), "the address is unknown"),
        }
    }
    tracing::debug!(lost = prepared.logging.lost_messages(), "log");
    terminal::complain(Refusal {
        code: Code::OperatingSystem,
        place: Place::Nowhere,
        message: "this build has no broker in it".into(),
        help: "`tidegate config` works; `tidegate serve` comes with the next build".into(),
    });
    ExitCode::FAILURE
}

fn denied(what: &str, why: &str) -> Refusal {
    Refusal {
        code: Code::OperatingSystem,
        place: Place::Nowhere,
        message: format!("{what} cannot be started: {why}"),
        help: "see the message of the system above".into(),
    }
}
