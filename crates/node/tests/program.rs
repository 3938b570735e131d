//! The program from outside: exit codes, and what goes to standard output and standard error.

use std::net::TcpListener;
use std::process::{Command, Output};

fn tidegate(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    let ours = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TIDEGATE_"));
    for (name, _) in ours {
        command.env_remove(name);
    }
    command.args(arguments).envs(variables.iter().copied()).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the program writes UTF-8")
}

#[test]
fn help_and_version_are_for_strangers() {
    let help = tidegate(&["--help"], &[]);
    assert_eq!(help.status.code(), Some(0));
    for expected in ["serve", "config", "Examples:", "tidegate config show", "Exit codes:"] {
        assert!(text(&help.stdout).contains(expected), "{expected}: {}", text(&help.stdout));
    }
    let keys = text(&tidegate(&["config", "--help"], &[]).stdout);
    assert!(keys.contains("limits.packet_bytes_max") && keys.contains("10485760"), "{keys}");
    let version = tidegate(&["--version"], &[]);
    assert_eq!(text(&version.stdout), format!("tidegate {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(tidegate(&["sevre"], &[]).status.code(), Some(2));
}

#[test]
fn a_good_configuration_is_checked_and_shown_with_exit_code_0() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.toml");
    std::fs::write(&file, "shards = 1\n").unwrap();
    let file = file.to_str().unwrap();
    let check = tidegate(&["config", "check", "--config", file], &[]);
    assert_eq!(check.status.code(), Some(0));
    assert_eq!(text(&check.stdout), format!("{file}: no errors; 1 key set, the rest have their defaults\n"));
    let show = tidegate(&["config", "show", "--config", file], &[("TIDEGATE_SYS__INTERVAL_SECS", "0")]);
    assert_eq!(show.status.code(), Some(0));
    let shown = text(&show.stdout);
    assert!(shown.contains("# environment TIDEGATE_SYS__INTERVAL_SECS"), "{shown}");
    assert!(shown.contains(&format!("# {file}:1")), "{shown}");
}

#[test]
fn a_wrong_configuration_stops_every_command_that_reads_it_with_exit_code_2() {
    for command in [&["serve"][..], &["config", "check"], &["config", "show"]] {
        let output = tidegate(command, &[("TIDEGATE_SHARD", "1"), ("TIDEGATE_LISTENER", "0.0.0.0:0")]);
        assert_eq!(output.status.code(), Some(2), "{command:?}");
        let (out, complaint) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(out, "", "{command:?}");
        assert!(complaint.contains("did you mean `TIDEGATE_SHARDS`?"), "{complaint}");
        assert!(complaint.contains("N0110") && complaint.contains("2 errors"), "{complaint}");
    }
}

#[test]
fn a_taken_port_stops_the_start_and_names_its_holder() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let variables = [("TIDEGATE_LISTENER", address.as_str()), ("TIDEGATE_DATA_DIR", data.to_str().unwrap())];
    let output = tidegate(&["serve"], &variables);
    assert_eq!(output.status.code(), Some(1));
    let complaint = text(&output.stderr);
    assert!(complaint.contains(&format!("N0201 {address} is held by ")), "{complaint}");
    assert!(complaint.contains(&format!("(pid {})", std::process::id())), "{complaint}");
    assert!(complaint.contains("TIDEGATE_LISTENER="), "{complaint}");
}
