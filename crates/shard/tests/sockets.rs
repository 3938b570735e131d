//! Shards with real sockets: what a peer on the network sees.

mod support;

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::{Client, start, start_with, stopwatch};
use tidegate_core::{AuthenticationRequest, Principal};
use tidegate_shard::{Answer, Authenticate, Reply};

#[test]
fn a_shutdown_tells_5_0_clients_why_and_ends_as_soon_as_they_are_gone() {
    for shards in [1, 2] {
        let (broker, address) = start(shards, 20);
        let mut new: Vec<_> =
            (0..4).map(|number| Client::connect(address, &format!("n{number}"), 5)).collect();
        let mut old = Client::connect(address, "old", 4);
        let elapsed = stopwatch();
        let stopping = std::thread::spawn(move || broker.shut_down());
        for client in &mut new {
            let (first, body) = client.receive();
            assert_eq!((first, body[0]), (0xE0, 0x8B));
            client.expect_end();
        }
        old.expect_end();
        drop((new, old));
        stopping.join().unwrap();
        assert!(elapsed() < Duration::from_secs(10), "{:?}", elapsed());
        assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
    }
}

#[test]
fn a_shutdown_does_not_wait_longer_than_the_grace_for_clients_that_stay() {
    for shards in [1, 2] {
        let (broker, address) = start(shards, 1);
        let staying: Vec<_> =
            (0..4).map(|number| Client::connect(address, &format!("s{number}"), 5)).collect();
        let elapsed = stopwatch();
        broker.shut_down();
        assert!(elapsed() < Duration::from_secs(5), "{:?}", elapsed());
        drop(staying);
    }
}

#[test]
fn a_message_of_eight_megabytes_arrives_whole() {
    for shards in [1, 2] {
        let (broker, address) = start(shards, 1);
        let payload: Vec<u8> = (0..8 * 1024 * 1024u32).map(|number| (number % 251) as u8).collect();
        let mut subscribers: Vec<_> = (0..3)
            .map(|number| {
                let mut client = Client::connect(address, &format!("s{number}"), 4);
                client.subscribe("large");
                client
            })
            .collect();
        Client::connect(address, "p", 4).publish("large", &payload);
        for client in &mut subscribers {
            let (first, body) = client.receive();
            assert_eq!(first, 0x30);
            assert!(body[7..] == payload, "the payload is another one");
        }
        drop(subscribers);
        broker.shut_down();
    }
}

#[test]
fn a_subscriber_that_does_not_read_holds_up_nobody() {
    for shards in [1, 2] {
        let (broker, address) = start(shards, 1);
        let mut slow = Client::connect(address, "slow", 4);
        slow.subscribe("t");
        let mut fast = Client::connect(address, "fast", 4);
        fast.subscribe("t");
        let mut publisher = Client::connect(address, "p", 4);
        // 40 MB: far more than the kernel's buffers and the broker's for one connection.
        for _ in 0..400 {
            for _ in 0..10 {
                publisher.publish("t", &[b'x'; 10_000]);
            }
            for _ in 0..10 {
                assert_eq!(fast.receive().1.len(), 10_003);
            }
        }
        publisher.ping();
        drop((slow, fast, publisher));
        broker.shut_down();
    }
}

#[test]
fn a_connection_whose_client_sends_no_more_is_answered_and_ends() {
    let (broker, address) = start(1, 1);
    let mut silent = Client::connect(address, "silent", 4);
    silent.0.shutdown(Shutdown::Write).unwrap();
    silent.expect_end();
    let mut last = Client::connect(address, "last", 4);
    let mut subscriber = Client::connect(address, "s", 4);
    subscriber.subscribe("t");
    last.publish("t", b"last words");
    last.0.shutdown(Shutdown::Write).unwrap();
    assert_eq!(subscriber.receive().1, b"\0\x01tlast words");
    last.expect_end();
    let mut before_connack = Client::begin(address, "unheard", 4);
    before_connack.0.shutdown(Shutdown::Write).unwrap();
    before_connack.expect_connack();
    before_connack.expect_end();
    drop(subscriber);
    broker.shut_down();
}

/// Lets everybody in; before the next one, the client that is to leave says DISCONNECT.
#[derive(Default)]
struct LetsLeave(Mutex<Option<TcpStream>>);

impl Authenticate for LetsLeave {
    fn authenticate(&self, request: AuthenticationRequest, _reply: Reply) -> Option<Answer> {
        let leaving = self.0.lock().ok().and_then(|mut leaving| leaving.take());
        if let Some(mut leaving) = leaving {
            leaving.write_all(&[0xE0, 0]).ok()?;
        }
        Some(Answer { request, verdict: Ok(Principal::anonymous(None)) })
    }
}

#[test]
fn a_disconnect_that_waits_in_the_socket_is_heard_before_another_connection_takes_over() {
    for shards in [1, 2] {
        let authenticator = Arc::new(LetsLeave::default());
        let (broker, address) = start_with(shards, 1, |config| config.authenticator = authenticator.clone());
        let mut watcher = Client::connect(address, "watcher", 4);
        watcher.subscribe("w");
        for _ in 0..4 {
            let old = Client::connect_with_will(address, "c", "w");
            *authenticator.0.lock().unwrap() = old.0.try_clone().ok();
            let mut new = Client::connect(address, "c", 4);
            new.publish("w", b"end");
            // [MQTT5-3.14.4-3] [MQTT3-3.14.4-3]
            assert_eq!(watcher.receive(), (0x30, b"\0\x01wend".to_vec()), "{shards} shards");
        }
        drop(watcher);
        broker.shut_down();
    }
}
