//! The broker under test: one that runs already, or one that this test process starts and stops.
//!
//! `TIDEGATE_CONFORMANCE_TARGET=HOST:PORT` names a running one. Otherwise the program beside the test binary is started
//! (or the one `TIDEGATE_BROKER` names) on a port the system chooses, with a data directory that vanishes with it. All
//! tests of a process share it; it ends with the last of them.

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::time::Stopwatch;

/// Where the broker is, and the process to end when nobody needs it any more.
#[derive(Debug)]
pub struct Target {
    address: SocketAddr,
    broker: Option<Broker>,
}

#[derive(Debug)]
struct Broker {
    child: Child,
    /// Held for its end only: the directory goes when the broker is gone.
    _data_dir: TempDir,
}

impl Target {
    /// The broker of this test process.
    pub fn shared() -> Arc<Self> {
        // A test that failed to start the broker poisons the lock; the next one may try again.
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(target) = shared.upgrade() {
            return target;
        }
        let target = Arc::new(Self::find_or_start(""));
        *shared = Arc::downgrade(&target);
        target
    }

    /// A broker of one test alone with these further lines of configuration, or nothing where the target is given from
    /// outside and cannot be configured.
    pub fn configured(toml: &str) -> Option<Self> {
        env::var_os(TARGET_VARIABLE).is_none().then(|| Self::find_or_start(toml))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process id of the broker when this process started it.
    pub fn process_id(&self) -> Option<u32> {
        self.broker.as_ref().map(|broker| broker.child.id())
    }

    /// Asks a broker that this process started to stop, by SIGTERM.
    pub fn terminate(&self) {
        let id = self.process_id().expect("only a broker of this test's own is stopped");
        // The standard library can only send SIGKILL; `kill` is in every system's base.
        let status = Command::new("kill").args(["-TERM", &id.to_string()]).status().expect("kill can be run");
        assert!(status.success(), "kill -TERM {id}: {status}");
    }

    fn find_or_start(toml: &str) -> Self {
        match env::var(TARGET_VARIABLE) {
            Ok(given) => {
                let mut addresses =
                    given.to_socket_addrs().unwrap_or_else(|e| panic!("{TARGET_VARIABLE}={given}: {e}"));
                let address = addresses.next().expect("a host that resolves has an address");
                Self { address, broker: None }
            }
            Err(_) => Self::start(toml),
        }
    }

    fn start(toml: &str) -> Self {
        let data_dir = TempDir::new().expect("a temporary directory can be made");
        let config = data_dir.path().join("tidegate.toml");
        let data = data_dir.path().join("data");
        let text = format!("data_dir = {data:?}\n{toml}\n[[listener]]\naddress = \"127.0.0.1:0\"\n");
        std::fs::write(&config, text).expect("the configuration can be written");
        let program = program();
        let mut child = Command::new(&program)
            .args(["serve", "--config"])
            .arg(&config)
            // It is ours; the broker would take it for a mistyped key of its own and not start.
            .env_remove(BROKER_VARIABLE)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| {
                panic!("{}: {e}\nhelp: cargo build -p tidegate, or set {TARGET_VARIABLE}", program.display())
            });
        let (lines, incoming) = sync_channel(LINES_KEPT);
        forward(child.stdout.take(), lines.clone());
        forward(child.stderr.take(), lines);
        let broker = Broker { child, _data_dir: data_dir };
        let (since, mut seen) = (Stopwatch::new(), Vec::new());
        while let Some(left) = since.left_of(START_MAX) {
            let Ok(line) = incoming.recv_timeout(left) else { break };
            if let Some(address) = listening_address(&line) {
                return Self { address, broker: Some(broker) };
            }
            seen.push(line);
        }
        panic!("{} did not say where it is listening; it said:\n{}", program.display(), seen.join("\n"));
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill and only its status to collect.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program to start: target/<profile>/deps/<this test> has it two folders up.
fn program() -> PathBuf {
    if let Some(given) = env::var_os(BROKER_VARIABLE) {
        return PathBuf::from(given);
    }
    let test = env::current_exe().expect("a running program has a path");
    let profile = test.ancestors().nth(2).expect("a test binary lies in target/<profile>/deps");
    profile.join("tidegate")
}

/// Reads a stream to its end, so that the broker never blocks on it; lines beyond the start are let go.
fn forward(stream: Option<impl Read + Send + 'static>, lines: SyncSender<String>) {
    let stream = stream.expect("the stream was asked for as a pipe");
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            // A full queue or a gone receiver means that the start is over.
            let _ = lines.try_send(line);
        }
    });
}

/// The socket address in a line that says `listening`.
fn listening_address(line: &str) -> Option<SocketAddr> {
    if !line.contains("listening") {
        return None;
    }
    let start = line.find("127.0.0.1:")?;
    let address: String =
        line[start..].chars().take_while(|c| c.is_ascii_digit() || matches!(c, '.' | ':')).collect();
    address.trim_end_matches(['.', ':']).parse().ok()
}

static SHARED: Mutex<Weak<Target>> = Mutex::new(Weak::new());
const TARGET_VARIABLE: &str = "TIDEGATE_CONFORMANCE_TARGET";
const BROKER_VARIABLE: &str = "TIDEGATE_BROKER";
/// A debug build on a busy machine starts within a second; more is a failure.
const START_MAX: Duration = Duration::from_secs(20);
/// The lines of a failed start that are shown.
const LINES_KEPT: usize = 200;

#[cfg(test)]
mod tests {
    use super::listening_address;

    #[test]
    fn the_address_is_found_in_any_line_that_says_listening() {
        let port = |line| listening_address(line).map(|a| a.port());
        assert_eq!(port("listening on 127.0.0.1:40001"), Some(40_001));
        assert_eq!(port("INFO mqtt listening address=127.0.0.1:1883, shards=2."), Some(1883));
        assert_eq!(port("mqtt listening on mqtt://127.0.0.1:7."), Some(7));
        assert_eq!(port("connected 127.0.0.1:7"), None);
    }
}
