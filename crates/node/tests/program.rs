//! The program from outside: exit codes, and what goes to standard output and standard error.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

fn tidegate(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    command(arguments).envs(variables.iter().copied()).output().expect("the program starts")
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    let ours = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TIDEGATE_"));
    for (name, _) in ours {
        command.env_remove(name);
    }
    command.args(arguments);
    command
}

/// A broker that is ended with the test, whatever becomes of it.
struct Serving(Child);

impl Serving {
    fn start(file: &Path) -> Self {
        let mut command = command(&["serve", "--config"]);
        let command = command.arg(file).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().expect("the program starts"))
    }

    fn signal(&self, name: &str) {
        let sent =
            Command::new("kill").args([name, &self.0.id().to_string()]).status().expect("kill can be run");
        assert!(sent.success());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _status = self.0.wait();
    }
}

/// Reads lines until one holds `expected`.
fn await_line(lines: &mut impl BufRead, expected: &str) -> String {
    let mut seen = String::new();
    while lines.read_line(&mut seen).expect("the program writes UTF-8") > 0 {
        let line = seen.lines().last().unwrap_or_default();
        if line.contains(expected) {
            return line.to_owned();
        }
    }
    panic!("no line with {expected:?} in:\n{seen}");
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

#[test]
fn sighup_reloads_what_it_can_and_sigterm_ends_in_good_order() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tidegate.toml");
    let data = folder.path().join("data");
    let write = |head: &str, tail: &str| {
        let text = format!(
            "data_dir = '{}'\n{head}\n[[listener]]\naddress = '127.0.0.1:0'\n{tail}\n",
            data.display()
        );
        std::fs::write(&file, text).unwrap();
    };
    write("shards = 1", "");
    let mut serving = Serving::start(&file);
    let mut out = BufReader::new(serving.0.stdout.take().unwrap());
    let mut log = BufReader::new(serving.0.stderr.take().unwrap());
    let line = await_line(&mut out, "listening");
    assert!(!line.ends_with(":0"), "the real port is shown: {line}");
    assert!(data.is_dir());

    write("shards = 2", "[limits]\ninflight_max = 7");
    serving.signal("-HUP");
    await_line(&mut log, "limits.inflight_max: 1024 -> 7");
    await_line(&mut log, "waits for a restart: shards: 1 -> 2");

    write("shards = 2", "[limit]");
    serving.signal("-HUP");
    await_line(&mut log, "nothing changed");

    serving.signal("-TERM");
    assert_eq!(serving.0.wait().unwrap().code(), Some(0));
    let mut rest = String::new();
    log.read_to_string(&mut rest).unwrap();
    assert!(!rest.contains("panic"), "{rest}");
}

#[test]
fn peers_that_misbehave_in_numbers_do_not_fill_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let (file, data) = (folder.path().join("tidegate.toml"), folder.path().join("data"));
    let listener = "[[listener]]\naddress = '127.0.0.1:0'";
    std::fs::write(&file, format!("data_dir = '{}'\nshards = 1\n{listener}\n", data.display())).unwrap();
    let mut serving = Serving::start(&file);
    let mut out = BufReader::new(serving.0.stdout.take().unwrap());
    let mut log = BufReader::new(serving.0.stderr.take().unwrap());
    let line = await_line(&mut out, "listening");
    let address = line.rsplit(' ').next().unwrap();

    const PEERS: usize = 100;
    for _ in 0..PEERS {
        let mut peer = TcpStream::connect(address).unwrap();
        peer.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let _reset_or_closed = peer.read_to_end(&mut Vec::new());
    }
    let (mut said, mut left_out) = (0, 0);
    while said + left_out < PEERS {
        let line = await_line(&mut log, "the first packet is not a CONNECT");
        match line.split_once(" more lines like this were left out") {
            None => said += 1,
            Some((head, _)) => left_out += head.rsplit(' ').next().unwrap().parse::<usize>().unwrap(),
        }
    }
    assert_eq!(said + left_out, PEERS, "each is counted once");
    // Ten in a second; a slow machine may need several.
    assert!((10..=60).contains(&said), "{said} lines");
}
