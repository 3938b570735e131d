//! Debian's mosquitto: fetched and unpacked without being installed, and configured not to drop.

use crate::certificate::Files;
use crate::door::Entrance;
use crate::fault::Fault;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const BROKER: &str = "usr/sbin/mosquitto";
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

/// The broker, and the libraries it links that a small Debian lacks. [`unpack`] checks that nothing is
/// missing.
const PACKAGES: &[&str] = &["mosquitto", "libdlt2", "libwrap0"];

/// Makes sure that `folder` holds a mosquitto that starts, downloading the packages if it does not.
pub fn unpack(folder: &Path) -> Result<PathBuf, Fault> {
    let broker = folder.join(BROKER);
    if !broker.is_file() {
        fs::create_dir_all(folder).map_err(Fault::io(format!("creating {}", folder.display())))?;
        let downloads = tempfile::tempdir().map_err(Fault::io("creating a folder for packages"))?;
        succeed(Command::new("apt-get").arg("download").args(PACKAGES).current_dir(downloads.path()))?;
        let packages = fs::read_dir(downloads.path()).map_err(Fault::io("listing the packages"))?;
        for package in packages.filter_map(|entry| Some(entry.ok()?.path())) {
            succeed(Command::new("dpkg").arg("-x").arg(package).arg(folder))?;
        }
    }
    let linked = succeed(Command::new("ldd").arg(&broker).env("LD_LIBRARY_PATH", folder.join(LIBRARIES)))?;
    let missing: Vec<_> = linked.lines().filter(|line| line.contains("not found")).map(str::trim).collect();
    if missing.is_empty() {
        return Ok(broker);
    }
    Err(Fault::Broker(format!("{} lacks libraries: {}", broker.display(), missing.join(", "))))
}

/// Runs to the end and returns the standard output, or the reason why it failed.
fn succeed(command: &mut Command) -> Result<String, Fault> {
    let program = command.get_program().display().to_string();
    let Output { status, stdout, stderr } =
        command.output().map_err(Fault::io(format!("starting {program}")))?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).into_owned());
    }
    Err(Fault::Broker(format!("{program} ended with {status}: {}", String::from_utf8_lossy(&stderr).trim())))
}

/// mosquitto with these listeners, with its configuration in `configuration`.
pub fn command(
    folder: &Path,
    configuration: &Path,
    entrances: &[Entrance],
    files: Option<&Files>,
) -> Result<Command, Fault> {
    let broker = folder.join(BROKER);
    if !broker.is_file() {
        let path = broker.display();
        return Err(Fault::Broker(format!("{path} does not exist. help: tidegate-bench unpack-mosquitto")));
    }
    let file = configuration.join("mosquitto.conf");
    let text =
        entrances.iter().fold(NOT_DROPPING.to_owned(), |text, entrance| text + &listener(entrance, files));
    fs::write(&file, text).map_err(Fault::io("writing the configuration of mosquitto"))?;
    let mut command = Command::new(broker);
    command.arg("-c").arg(file).env("LD_LIBRARY_PATH", folder.join(LIBRARIES));
    Ok(command)
}

/// Zero queue limits mean none. `user` keeps a root's mosquitto from looking for an account that only the
/// installed package creates.
const NOT_DROPPING: &str = "allow_anonymous true\n\
    user root\n\
    persistence false\n\
    max_queued_messages 0\n\
    max_queued_bytes 0\n\
    max_inflight_messages 65535\n\
    set_tcp_nodelay true\n\
    log_dest none\n";

fn listener(entrance: &Entrance, files: Option<&Files>) -> String {
    let Entrance { address, door, .. } = entrance;
    let mut text = format!("listener {} {}\n", address.port(), address.ip());
    if door.is_websocket() {
        text += "protocol websockets\nsocket_domain ipv4\n";
    }
    if let Some(Files { certificate, key, .. }) = files.filter(|_| door.is_tls()) {
        text += &format!("certfile {}\nkeyfile {}\n", certificate.display(), key.display());
    }
    text
}
