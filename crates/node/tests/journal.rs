//! The program and its journal: what survives a kill, who may have the folder, what damage does.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A broker on a data folder, killed with the test.
struct Serving {
    child: Child,
    address: SocketAddr,
}

impl Serving {
    fn start(data: &Path) -> Self {
        let mut child =
            command(data).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program starts");
        let out = BufReader::new(child.stdout.take().expect("the system allows it"));
        let address = out.lines().map_while(Result::ok).find_map(|line| {
            line.split_once("listening on ").and_then(|(_, address)| address.trim().parse().ok())
        });
        Self { child, address: address.expect("the program says where it listens") }
    }

    fn kill(mut self) {
        self.child.kill().expect("the system allows it");
        self.child.wait().expect("the system allows it");
    }

    fn client(&self, identifier: &str, clean: bool) -> Client {
        let mut stream = TcpStream::connect(self.address).expect("the system allows it");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("the system allows it");
        let mut body = b"\0\x04MQTT\x04".to_vec();
        body.extend([u8::from(clean) << 1, 0, 0, 0, identifier.len() as u8]);
        body.extend(identifier.bytes());
        stream.write_all(&[&[0x10, body.len() as u8][..], &body].concat()).expect("the system allows it");
        let mut client = Client { stream, session_present: false };
        let (first, connack) = client.packet();
        assert_eq!((first, connack[1]), (0x20, 0));
        client.session_present = connack[0] == 1;
        client
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _status = self.child.wait();
    }
}

fn command(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    let ours = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TIDEGATE_"));
    for (name, _) in ours {
        command.env_remove(name);
    }
    command.arg("serve").env("TIDEGATE_DATA_DIR", data).env("TIDEGATE_LISTENER", "127.0.0.1:0");
    command
}

/// A client of 3.1.1 with small packets.
struct Client {
    stream: TcpStream,
    session_present: bool,
}

impl Client {
    /// The next packet: its first byte and its body.
    fn packet(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).expect("a packet comes");
        assert!(head[1] < 0x80, "packets of these tests are small");
        let mut body = vec![0; usize::from(head[1])];
        self.stream.read_exact(&mut body).expect("the system allows it");
        (head[0], body)
    }

    fn send(&mut self, first: u8, body: &[u8]) {
        self.stream
            .write_all(&[&[first, body.len() as u8][..], body].concat())
            .expect("the system allows it");
    }

    fn subscribe(&mut self, filter: &str) {
        let body = [&[0, 1, 0, filter.len() as u8][..], filter.as_bytes(), &[1]].concat();
        self.send(0x82, &body);
        assert_eq!(self.packet(), (0x90, vec![0, 1, 1]));
    }

    /// QoS 1; returns when it is acknowledged.
    fn publish(&mut self, topic: &str, payload: &str, retain: bool) {
        let head = [&[0, topic.len() as u8][..], topic.as_bytes(), &[0, 7]].concat();
        self.send(0x32 | u8::from(retain), &[&head[..], payload.as_bytes()].concat());
        assert_eq!(self.packet(), (0x40, vec![0, 7]));
    }

    /// The payload of the next PUBLISH, which is acknowledged if it wants to be.
    fn payload(&mut self) -> String {
        let (first, body) = self.packet();
        assert_eq!(first & 0xF0, 0x30);
        let mut rest = &body[2 + usize::from(body[1])..];
        if first & 0x06 != 0 {
            let (identifier, payload) = rest.split_at(2);
            self.send(0x40, identifier);
            rest = payload;
        }
        String::from_utf8(rest.to_vec()).expect("the system allows it")
    }
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(folder.path());
    serving.client("keeps", false).subscribe("t/#");
    let mut publisher = serving.client("p", true);
    for number in 0..50 {
        publisher.publish("t/1", &number.to_string(), false);
    }
    publisher.publish("state", "on", true);
    serving.kill();

    let serving = Serving::start(folder.path());
    let mut keeps = serving.client("keeps", false);
    assert!(keeps.session_present);
    for number in 0..50 {
        assert_eq!(keeps.payload(), number.to_string());
    }
    keeps.subscribe("state");
    assert_eq!(keeps.payload(), "on");
    keeps.subscribe("$SYS/broker/journal/health");
    assert_eq!(keeps.payload(), "good");
}

#[test]
fn a_second_broker_on_the_same_data_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(folder.path());
    let output = command(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8(output.stderr).unwrap();
    let pid = serving.child.id();
    assert!(complaint.contains("N0204") && complaint.contains(&format!("process {pid}")), "{complaint}");
    assert!(complaint.contains("TIDEGATE_DATA_DIR"), "{complaint}");
    serving.client("c", true).publish("t", "it goes on", false);
}

#[test]
fn the_level_memory_writes_no_journal() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = command(folder.path())
        .env("TIDEGATE_JOURNAL__LEVEL", "memory")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("listening")));
    let written = folder.path().join("journal").exists();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!written);
}

#[test]
fn damage_is_told_and_kept_and_the_rest_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(folder.path());
    serving.client("keeps", false).subscribe("t");
    let mut publisher = serving.client("p", true);
    for payload in ["first", "the damaged one", "last"] {
        publisher.publish("t", payload, false);
    }
    serving.kill();
    let segment = segments(folder.path()).remove(0);
    damage(&segment, b"the damaged one");

    let serving = Serving::start(folder.path());
    let mut keeps = serving.client("keeps", false);
    assert_eq!((keeps.payload(), keeps.payload()), ("first".to_owned(), "last".to_owned()));
    keeps.subscribe("$SYS/broker/journal/damaged");
    assert_ne!(keeps.payload(), "0");
    let quarantine = folder.path().join("journal/quarantine");
    assert!(fs::read_dir(quarantine).unwrap().count() > 0, "the evidence is kept");
}

#[test]
fn what_a_newer_program_has_written_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    Serving::start(folder.path()).kill();
    assert_eq!(fs::read_to_string(folder.path().join("version")).unwrap(), "1\n");
    fs::write(folder.path().join("version"), "2\n").unwrap();
    let before = fs::read(segments(folder.path()).remove(0)).unwrap();
    let output = command(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("has version 2") && complaint.contains("newer program"), "{complaint}");
    assert!(fs::read(segments(folder.path()).remove(0)).unwrap() == before);
}

fn segments(data: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(data.join("journal"))
        .expect("the system allows it")
        .map(|entry| entry.expect("the system allows it").path());
    let mut segments: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|it| it == "log")).collect();
    segments.sort();
    segments
}

/// Flips a bit in the first place that holds `what`.
fn damage(file: &Path, what: &[u8]) {
    let mut file = OpenOptions::new().read(true).write(true).open(file).expect("the system allows it");
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).expect("the system allows it");
    let at = bytes.windows(what.len()).position(|window| window == what).expect("it was written");
    file.seek(SeekFrom::Start(at as u64)).expect("the system allows it");
    file.write_all(&[bytes[at] ^ 1]).expect("the system allows it");
}
