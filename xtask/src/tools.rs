//! What the tests need besides cargo: Debian packages, a test runner, and the client libraries of two languages.
//!
//! Without root nothing is installed for the system: the command to type is said, before anything is built.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::program::{cargo, output, program, root, run, succeeds, target};
use crate::step::{Outcome, say};

/// Installs the Debian packages whose programs are missing, or says how.
pub(crate) fn system_packages() -> Outcome {
    let missing: Vec<&str> = PACKAGES
        .iter()
        .filter(|(_, check)| !succeeds(&mut program(check[0], &check[1..])))
        .map(|(package, _)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let install = [&["apt-get", "install", "-y", "--no-install-recommends"][..], &missing].concat();
    let is_root = output(&mut program("id", &["-u"])).is_ok_and(|id| id.trim() == "0");
    if !is_root || !succeeds(&mut program("apt-get", &["--version"])) {
        return Err(needs(&install));
    }
    say(install.join(" "));
    let mut apt = program(install[0], &install[1..]);
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    // The lists of packages may be older than the packages.
    run(&mut apt).or_else(|_| run(&mut program("apt-get", &["update"])).and_then(|()| run(&mut apt)))
}

fn needs(install: &[&str]) -> String {
    format!("the tests need programs that are not installed. help: sudo {}", install.join(" "))
}

/// The faster test runner, when it is there or can be had.
pub(crate) fn nextest() -> bool {
    let there = || succeeds(&mut cargo(&["nextest", "--version"]));
    there() || (run(&mut cargo(&["install", "cargo-nextest", "--locked"])).is_ok() && there())
}

/// paho-mqtt for Python in an environment of its own.
pub(crate) fn python_clients() -> Outcome {
    let wanted = root().join("tests/clients/python/requirements.txt");
    let environment = target().join("tools/venv");
    once(&wanted, &environment.join("installed.txt"), || {
        let python = environment.join("bin/python");
        run(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
        run(Command::new(python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
            .arg(&wanted))
    })
}

/// MQTT.js.
pub(crate) fn node_clients() -> Outcome {
    let package = root().join("tests/clients/node");
    once(&package.join("package-lock.json"), &package.join("node_modules/installed.json"), || {
        run(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&package))
    })
}

/// Installs what `wanted` lists, unless `installed` says that it was done for this very list.
fn once(wanted: &Path, installed: &Path, install: impl FnOnce() -> Outcome) -> Outcome {
    let list = fs::read(wanted).map_err(|error| format!("{} cannot be read: {error}", wanted.display()))?;
    if fs::read(installed).is_ok_and(|installed| installed == list) {
        return Ok(());
    }
    install()?;
    fs::write(installed, list).map_err(|error| format!("{} cannot be written: {error}", installed.display()))
}

/// A package, and a command that works once it is installed.
const PACKAGES: &[(&str, &[&str])] = &[
    ("mosquitto-clients", &["sh", "-c", "command -v mosquitto_pub && command -v mosquitto_sub"]),
    ("openssl", &["openssl", "version"]),
    ("pebble", &["sh", "-c", "command -v pebble && command -v pebble-challtestsrv"]),
    ("python3-venv", &["python3", "-c", "import ensurepip, venv"]),
    ("nodejs", &["node", "--version"]),
    ("npm", &["npm", "--version"]),
    // The order of the program's system calls is looked at.
    ("strace", &["strace", "--version"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_root_the_line_to_type_is_said_whole() {
        assert_eq!(
            needs(&["apt-get", "install", "-y", "npm"]),
            "the tests need programs that are not installed. help: sudo apt-get install -y npm"
        );
    }

    #[test]
    fn a_list_is_installed_once_and_again_when_it_changes() {
        let folder = target().join(format!("once-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (wanted, installed) = (folder.join("wanted"), folder.join("installed"));
        let mut installs = 0;
        for list in ["a", "a", "b"] {
            fs::write(&wanted, list).unwrap();
            once(&wanted, &installed, || {
                installs += 1;
                Ok(())
            })
            .unwrap();
        }
        let failed = once(&folder.join("none"), &installed, || Ok(()));
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(installs, 2);
        assert!(failed.is_err());
    }
}
