//! Where the client programs are, and what to say when one is missing.
//!
//! `cargo xtask test` installs all of them. A missing one fails the test with the command to run: a test that is
//! skipped in silence proves nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The broker's program, beside the test's own program in the build directory.
pub fn broker() -> PathBuf {
    let program = build_dir().join("tidegate");
    present(&program, "the broker is not built", "cargo xtask test` or `cargo build -p tidegate");
    program
}

/// The interpreter that has paho-mqtt.
pub fn python() -> PathBuf {
    let python = target_dir().join("tools/venv/bin/python");
    present(&python, "paho-mqtt for Python is not installed", INSTALL);
    python
}

/// Node.js, once MQTT.js is known to be installed.
pub fn node() -> PathBuf {
    present(&package_dir().join("node/node_modules/mqtt/package.json"), "MQTT.js is not installed", INSTALL);
    on_path("node")
}

/// One of mosquitto's command line clients, such as `mosquitto_sub`.
pub fn mosquitto(program: &str) -> PathBuf {
    on_path(program)
}

/// The folder with the scripts that drive paho-mqtt and MQTT.js.
pub fn package_dir() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn on_path(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("{program} is not installed. help: run `{INSTALL}`, which installs it"))
}

fn present(file: &Path, missing: &str, command: &str) {
    assert!(file.is_file(), "{missing}: no {}. help: run `{command}`", file.display());
}

/// `target/<profile>`: the test program lies in its folder `deps`.
fn build_dir() -> PathBuf {
    let test = std::env::current_exe().unwrap_or_else(|e| panic!("the test's own path is unknown: {e}"));
    match test.ancestors().nth(2) {
        Some(folder) => folder.to_owned(),
        None => panic!("{} is not inside a build directory", test.display()),
    }
}

fn target_dir() -> PathBuf {
    build_dir().parent().map(Path::to_owned).unwrap_or_default()
}

/// A command with the line buffering that lets a test await single lines of programs that print in blocks.
pub fn line_buffered(program: &Path) -> Command {
    let mut command = Command::new("stdbuf");
    command.arg("-oL").arg(program);
    command
}

const INSTALL: &str = "cargo xtask test";
