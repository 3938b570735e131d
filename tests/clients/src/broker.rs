//! The broker under test, one child per test process.
//!
//! Tests that run side by side in one process share the child; the last one to let go ends it. With
//! `TIDEGATE_CLIENTS_TARGET=HOST:PORT` the tests use a broker that is already running and start none: that is how
//! the tests themselves are checked against another broker.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tempfile::TempDir;

use crate::process::Process;
use crate::tools;

/// A broker that accepts connections.
pub struct Broker {
    /// The host to connect to.
    pub host: String,
    /// The port to connect to.
    pub port: u16,
    /// Kept for their `Drop`: the child is killed first, then its data goes. Nothing locks it; tests on several
    /// threads share the broker, and a child by itself belongs to one.
    _child: Option<Mutex<(Process, TempDir)>>,
}

impl Broker {
    /// The broker of this test process, started when no other test holds it.
    pub fn shared() -> Arc<Self> {
        // A test that failed while it held the lock leaves nothing half done: the slot is written in one step.
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(broker) = running.upgrade() {
            return broker;
        }
        let broker = Arc::new(match std::env::var(TARGET) {
            Ok(target) => Self::at(&target),
            Err(_) => Self::start(),
        });
        *running = Arc::downgrade(&broker);
        broker
    }

    fn at(target: &str) -> Self {
        let Some((host, port)) = address(target) else { panic!("{TARGET}={target} is not HOST:PORT") };
        Self { host, port, _child: None }
    }

    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap_or_else(|e| panic!("no temporary folder: {e}"));
        let file = folder.path().join("tidegate.toml");
        std::fs::write(&file, configuration(folder.path()))
            .unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let mut command = Command::new(tools::broker());
        command.arg("serve").arg("--config").arg(&file);
        let mut child = Process::start("tidegate", &mut command);
        let (host, port) = child.wait_for("it said `listening`", |line| {
            if line.to_ascii_lowercase().contains("listening") { address(line) } else { None }
        });
        child.drain_in_background();
        Self { host, port, _child: Some(Mutex::new((child, folder))) }
    }
}

/// Two shards, so that what crosses from one thread to another is part of every test.
fn configuration(folder: &Path) -> String {
    let data = folder.join("data");
    format!(
        "data_dir = {:?}\nshards = 2\n\n[[listener]]\naddress = \"127.0.0.1:0\"\n",
        data.display().to_string()
    )
}

/// The first `host:port` in a line.
fn address(line: &str) -> Option<(String, u16)> {
    line.split(|c: char| !(c.is_ascii_alphanumeric() || ".:-".contains(c))).find_map(|word| {
        let (host, port) = word.trim_end_matches('.').split_once(':')?;
        let named = host.contains('.') || host == "localhost";
        port.parse().ok().filter(|port| named && *port != 0).map(|port| (host.to_owned(), port))
    })
}

static RUNNING: Mutex<Weak<Broker>> = Mutex::new(Weak::new());
const TARGET: &str = "TIDEGATE_CLIENTS_TARGET";

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn an_address_is_found_inside_a_line_of_the_log() {
        let expected = Some(("127.0.0.1".to_owned(), 41883));
        assert_eq!(address("2026-01-01T00:00:00Z INFO listening address=127.0.0.1:41883 mqtt"), expected);
        assert_eq!(address("12:34:56 MQTT listening on 127.0.0.1:41883."), expected);
        assert_eq!(address("listening"), None);
    }
}
