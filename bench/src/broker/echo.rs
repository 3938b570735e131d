//! How the program [`crate::echo`] is started, and how it says where it listens.

use crate::fault::Fault;
use std::env;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

/// This program itself, told to echo.
pub(super) fn command(folder: &Path, record_bytes: usize) -> Result<Command, Fault> {
    let mut command = Command::new(env::current_exe().map_err(Fault::io("finding this program"))?);
    command.arg("echo").arg("--folder").arg(folder).arg("--record-bytes").arg(record_bytes.to_string());
    Ok(command)
}

/// The address in a line like `listening on 127.0.0.1:41883`.
pub(super) fn listening_address(line: &str) -> Option<SocketAddr> {
    line.strip_prefix("listening on ")?.parse().ok()
}
