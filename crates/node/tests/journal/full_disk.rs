//! The running program on a disk that is full, and has room again.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::client::{Client, Message, PUBACK, PUBREC};
use crate::serving::{Serving, set_up};

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "a test outside the broker has a clock of its own")]
    Instant::now()
}

/// A broker with a file system of its own, that nobody else sees and that ends with it.
fn on_a_small_disk(data: &Path) -> Serving {
    let mut command = Command::new("unshare");
    command.arg("--mount");
    if !rustix::process::geteuid().is_root() {
        // Who is root in a namespace of his own may mount there.
        command.args(["--user", "--map-root-user"]);
    }
    let script = r#"mount -t tmpfs -o size=512m tidegate-test "$1" && exec "$2" serve"#;
    command.args(["sh", "-c", script, "sh"]).arg(data).arg(env!("CARGO_BIN_EXE_tidegate"));
    set_up(&mut command, data);
    Serving::spawn(&mut command)
}

/// The folder as the broker sees it.
fn seen_by(serving: &Serving, data: &Path) -> PathBuf {
    let inside = data.strip_prefix("/").expect("temporary folders have absolute paths");
    Path::new("/proc").join(serving.pid().to_string()).join("root").join(inside)
}

/// Takes all room that is left.
fn fill(path: &Path) {
    let mut file = File::create(path).expect("the mount can be reached");
    let piece = vec![1; 1 << 20];
    for size in [1 << 20, 1 << 12] {
        let error = loop {
            if let Err(error) = file.write_all(&piece[..size]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::StorageFull);
    }
}

/// Publishes retained messages of this size, each in place of the one before, until one is taken, or refused; returns the last
/// Reason Code and how many messages there were.
fn publish_until(taken: bool, bytes: usize, publisher: &mut Client) -> (u8, u32) {
    let payload = vec![7; bytes];
    let deadline = now() + Duration::from_secs(60);
    let mut count = 0;
    loop {
        publisher.publish_only(&Message { topic: "big", payload: &payload, qos: 1, retain: true });
        let (first, reason) = publisher.answer();
        assert_eq!(first, PUBACK);
        count += 1;
        if (reason < FAILURE) == taken {
            return (reason, count);
        }
        assert!(now() < deadline, "{count} messages were answered, the last with {reason:#x}");
    }
}

/// Reads what is said about the journal until it is this.
fn await_health(watcher: &mut Client, wanted: &str) {
    let mut heard = Vec::new();
    while !heard.last().is_some_and(|said: &String| said.starts_with(wanted)) {
        heard.push(watcher.payload());
        assert!(heard.len() < 100, "{heard:?}");
    }
}

/// From here on a Reason Code is one. Below is also 0x10: nobody has subscribed.
const FAILURE: u8 = 0x80;
const NO_SPACE: u8 = 0x97;
const UNSPECIFIED: u8 = 0x80;

#[test]
fn a_full_disk_is_told_and_survived_and_forgotten_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let serving = on_a_small_disk(folder.path());
    let filler = seen_by(&serving, folder.path()).join("filler");
    let mut watcher = serving.client("watcher", true);
    watcher.subscribe("$SYS/broker/journal/health");
    await_health(&mut watcher, "good");
    let mut live = serving.client("live", true);
    live.subscribe("light");
    let mut publisher = serving.client_v5("p5");
    publish_until(true, 100, &mut publisher);
    fill(&filler);

    // 5.0 hears it.
    let (reason, count) = publish_until(false, 1 << 20, &mut publisher);
    assert_eq!(reason, NO_SPACE, "after {count} messages");
    await_health(&mut watcher, "failing");
    let message = |qos| Message { topic: "t", payload: b"to be kept", qos, retain: true };
    publisher.publish_only(&message(2));
    let (first, reason) = publisher.answer();
    assert!(first == PUBREC && [NO_SPACE, UNSPECIFIED].contains(&reason), "{first:#x} {reason:#x}");

    // 3.1.1 hears no lie.
    let mut old = serving.client("p311", true);
    let asked = now();
    old.publish_only(&message(1));

    // What needs no disk goes on meanwhile, with QoS 0 and 1.
    for (qos, payload) in [(0, "a"), (1, "b")] {
        publisher.publish_only(&Message { topic: "light", payload: payload.as_bytes(), qos, retain: false });
        assert_eq!(live.payload(), payload);
    }
    assert_eq!(publisher.answer(), (PUBACK, 0));

    let end = old.try_packet().expect("the broker closes the connection");
    assert_eq!(end, None, "a message that was not kept was acknowledged");
    assert!(asked.elapsed() > Duration::from_secs(5), "held for {:?} only", asked.elapsed());

    // It recovers by itself.
    fs::remove_file(filler).unwrap();
    publish_until(true, 100, &mut publisher);
    await_health(&mut watcher, "good");
    serving.client("p311", true).publish("t", "kept", true);
    let mut late = serving.client("late", true);
    late.subscribe("t");
    assert_eq!(late.payload(), "kept");
}
