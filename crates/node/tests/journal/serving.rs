//! The program as a child process.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::client::Client;

/// A broker on a data folder, killed with the test.
pub(crate) struct Serving {
    child: Child,
    address: SocketAddr,
}

impl Serving {
    pub(crate) fn start(data: &Path) -> Self {
        Self::spawn(&mut command(data))
    }

    /// Starts what becomes a broker: the process may do something else before.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program starts");
        let out = BufReader::new(child.stdout.take().expect("the system allows it"));
        let address = out.lines().map_while(Result::ok).find_map(|line| {
            line.split_once("listening on ").and_then(|(_, address)| address.trim().parse().ok())
        });
        let Some(address) = address else {
            let _ended_already = child.kill();
            panic!("{command:?} does not say where it listens: {:?}", child.wait());
        };
        Self { child, address }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().expect("the system allows it");
        self.child.wait().expect("the system allows it");
    }

    /// A client of 3.1.1.
    pub(crate) fn client(&self, identifier: &str, clean: bool) -> Client {
        Client::connect(self.address, 4, identifier, clean)
    }

    /// A client of the version with this protocol level.
    pub(crate) fn client_of(&self, identifier: &str, level: u8, clean: bool) -> Client {
        Client::connect(self.address, level, identifier, clean)
    }

    /// A client of 5.0 with a session that ends with its connection.
    pub(crate) fn client_v5(&self, identifier: &str) -> Client {
        Client::connect(self.address, 5, identifier, true)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _status = self.child.wait();
    }
}

/// `tidegate serve` on a data folder and a free port.
pub(crate) fn command(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.arg("serve");
    set_up(&mut command, data);
    command
}

/// The settings of a broker, for a command that starts one.
pub(crate) fn set_up(command: &mut Command, data: &Path) {
    let ours = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TIDEGATE_"));
    for (name, _) in ours {
        command.env_remove(name);
    }
    command.env("TIDEGATE_DATA_DIR", data).env("TIDEGATE_LISTENER", "127.0.0.1:0");
}
