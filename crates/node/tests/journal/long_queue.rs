//! A queue that is much longer than what may wait in memory.

use std::fs;

use crate::client::{Client, Message};
use crate::serving::{Serving, command};

/// With hardly any cache, and room for the whole queue.
fn start(data: &std::path::Path) -> Serving {
    Serving::spawn(
        command(data)
            .env("TIDEGATE_LIMITS__QUEUE_CACHE_BYTES", (1 << 20).to_string())
            .env("TIDEGATE_LIMITS__QUEUE_MESSAGES_MAX", MESSAGES.to_string())
            .env("TIDEGATE_LIMITS__QUEUE_BYTES_MAX", (1 << 30).to_string())
            .env("TIDEGATE_LIMITS__SESSION_EXPIRY_V5_DEFAULT_SECS", "1000"),
    )
}

/// Publishes many, each acknowledged.
fn publish(publisher: &mut Client, from: usize, to: usize) {
    for begin in (from..to).step_by(AT_ONCE) {
        let end = to.min(begin + AT_ONCE);
        for number in begin..end {
            let payload = format!("{number:0256}");
            let message = Message { topic: "t/1", payload: payload.as_bytes(), qos: 1, retain: false };
            publisher.publish_only(&message);
        }
        (begin..end).for_each(|_| assert_eq!(publisher.answer().1, 0));
    }
}

/// Memory that is the process's own, in bytes.
fn memory(serving: &Serving) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", serving.pid())).expect("the system tells it");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("Linux");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

#[test]
fn a_long_queue_takes_little_memory_and_is_there_after_a_kill_in_order_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let serving = start(folder.path());
    for (name, level) in SESSIONS {
        serving.client_of(name, level, false).subscribe("t/#");
    }
    let mut publisher = serving.client("p", true);
    // By then buffers have grown to what they will be.
    publish(&mut publisher, 0, MESSAGES / 4);
    let before = memory(&serving);
    publish(&mut publisher, MESSAGES / 4, MESSAGES);
    let grown = memory(&serving).saturating_sub(before);
    let waiting = (MESSAGES / 4 * 3 * SESSIONS.len()) as u64;
    assert!(grown <= 64 * waiting, "{} bytes for each waiting message", grown / waiting);
    serving.kill();

    let serving = start(folder.path());
    assert!(memory(&serving) < 64 * (MESSAGES * SESSIONS.len()) as u64 + (16 << 20));
    for (name, level) in SESSIONS {
        let mut client = serving.client_of(name, level, false);
        assert!(client.session_present);
        for number in 0..MESSAGES {
            assert_eq!(client.payload().parse(), Ok(number), "{name}");
        }
        publisher = serving.client("p", true);
        publisher.publish("t/1", "last", false);
        assert_eq!(client.payload(), "last");
        drop(client);
    }
}

const SESSIONS: [(&str, u8); 2] = [("of 3.1.1", 4), ("of 5.0", 5)];
const MESSAGES: usize = 200_000;
/// Published before the first of them is acknowledged.
const AT_ONCE: usize = 500;
