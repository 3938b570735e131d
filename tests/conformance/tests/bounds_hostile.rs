//! Hostile peers against the whole program, over sockets: each is ended with its reason or put up with, the broker
//! serves the others meanwhile, and its memory stays where it was.

use std::time::Duration;

use tidegate_conformance::{Filter, Packet, Publish, RawClient, Stopwatch, Subscribe, Version, World, frame};

/// A pair of clients that is not concerned is served, and soon.
#[track_caller]
fn others_are_served(world: &World) {
    let since = Stopwatch::new();
    let mut subscriber = world.client("other1");
    subscriber.subscribe(&world.topic("others"), 1);
    let mut publisher = world.client("other2");
    assert_eq!(publisher.publish(Publish::new(world.topic("others"), "served").qos(1)), 0);
    let message = subscriber.expect_message("served");
    subscriber.acknowledge(&message);
    assert!(since.elapsed() < Duration::from_secs(2), "it took {:?}", since.elapsed());
}

fn connect_packet(world: &World, name: &str) -> Vec<u8> {
    world.v311(name).bytes()
}

#[test]
fn a_connect_that_arrives_a_byte_at_a_time_is_served_like_any_other() {
    let world = World::new();
    let mut client = world.open(Version::V311);
    for byte in connect_packet(&world, "c") {
        client.send(&[byte]);
    }
    assert_eq!(client.expect_connack().reason, 0);
    others_are_served(&world);
}

#[test]
fn two_hundred_slowloris_connections_hold_up_nobody_and_are_closed_in_time() {
    let Some(world) = World::configured("[limits]\nconnect_timeout_secs = 2") else { return };
    let packet = connect_packet(&world, "slow");
    let mut slow: Vec<RawClient> = (0..200).map(|_| world.attempt_bytes(&packet[..3])).collect();
    others_are_served(&world);
    for client in &mut slow {
        client.send(&packet[3..4]);
    }
    for client in &mut slow {
        client.expect_not_connected();
    }
}

#[test]
fn lengths_that_cannot_be_are_refused_by_their_header() {
    let world = World::new();
    // A fifth length byte; 256 MB announced before and after CONNECT.
    world.refuses("a length of five bytes", &[0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], &[0x81]);
    world.refuses("256 MB of CONNECT", &[0x10, 0xFF, 0xFF, 0xFF, 0x7F], &[0x95]);
    world.violates("a length of five bytes", &[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], &[0x81]);
    world.violates("256 MB of PUBLISH", &[0x30, 0xFF, 0xFF, 0xFF, 0x7F], &[0x95]);
    others_are_served(&world);
}

#[test]
fn thirty_thousand_levels_end_the_publisher_and_refuse_the_filter() {
    let world = World::new();
    let deep = format!("{}{}", world.tag(), "/a".repeat(30_000));
    let mut subscriber = world.client("s");
    let suback = subscriber.subscribe_with(&Subscribe::one(Filter::new(&deep, 0)));
    assert_eq!(suback.reasons, [0x8F]);
    let mut publisher = world.client("p");
    publisher.send_publish(&Publish::new(&deep, ""));
    publisher.expect_disconnect(0x90);
    others_are_served(&world);
}

#[test]
fn a_hundred_thousand_filters_of_one_session_are_served_and_gone_without_a_stall() {
    let world = World::new();
    let mut many = world.client("many");
    for chunk in 0..10 {
        let filters: Vec<_> =
            (0..10_000).map(|number| Filter::new(world.topic(&format!("{chunk}/{number}/+")), 0)).collect();
        let suback = many.subscribe_with(&Subscribe::new(filters));
        assert!(suback.reasons.iter().all(|&reason| reason == 0));
    }
    let suback = many.subscribe_with(&Subscribe::one(Filter::new(world.topic("more"), 0)));
    assert_eq!(suback.reasons, [0x97]);
    let mut publisher = world.client("p");
    publisher.publish(Publish::new(world.topic("9/9999/x"), "found"));
    many.expect_message("found");
    many.drop_connection();
    others_are_served(&world);
}

#[test]
fn all_identifiers_of_qos_2_left_unreleased_are_put_up_with_from_3_1_1() {
    let world = World::new();
    let mut client = world.connect(&world.v311("c"));
    let topic = world.topic("t");
    for first in (1..=u16::MAX).step_by(1000) {
        let last = first.saturating_add(999);
        let batch: Vec<u8> = (first..=last)
            .flat_map(|id| Publish::new(&topic, "").qos(2).id(id).bytes(Version::V311))
            .collect();
        client.send(&batch);
        for id in first..=last {
            client.expect_pubrec(id);
        }
    }
    client.send(&tidegate_conformance::pubrel(1));
    client.expect_pubcomp(1);
    others_are_served(&world);
}

#[test]
fn a_subscriber_that_never_reads_costs_others_nothing_and_the_broker_little_memory() {
    let Some(world) = World::configured("[limits]\nqueue_bytes_max = 1048576") else { return };
    let mut silent = world.client("silent");
    silent.subscribe(&world.topic("t"), 1);
    let mut reads = world.client("reads");
    reads.subscribe(&world.topic("t"), 0);
    let mut publisher = world.client("p");
    let payload = vec![b'x'; 10_000];
    let mut resident_at_first = None;
    // 60 MB: whatever the kernel and the bounds hold back is full after the first third.
    for round in 0..60 {
        for _ in 0..100 {
            publisher.send_publish(&Publish::new(world.topic("t"), &payload));
        }
        for _ in 0..100 {
            assert_eq!(reads.expect_publish().payload.len(), payload.len());
        }
        if round == 20 {
            resident_at_first = resident_bytes(&world);
        }
    }
    if let (Some(first), Some(last)) = (resident_at_first, resident_bytes(&world)) {
        assert!(last < first + 8_000_000, "from {first} to {last} bytes");
    }
    others_are_served(&world);
}

#[test]
fn clients_that_take_a_session_from_each_other_end_with_one_of_them() {
    let world = World::new();
    let mut last = world.client("same");
    for _ in 0..200 {
        let next = world.client("same");
        last.expect_disconnect(0x8E);
        last = next;
    }
    last.expect_nothing_before_ping();
    others_are_served(&world);
}

#[test]
fn random_bytes_after_connect_end_only_their_own_connection() {
    let world = World::new();
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    for round in 0..300 {
        let mut client = world.client("random");
        let bytes: Vec<u8> = (0..64)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state as u8
            })
            .collect();
        client.send(&frame(bytes[0], &bytes[1..]));
        client.send(&bytes);
        // Whatever they mean, the client is answered in packets that are well formed, or closed.
        while let Some(packet) = client.receive_within(Duration::from_millis(1)) {
            assert!(!matches!(packet, Packet::Connack(_)), "round {round}");
        }
        client.drop_connection();
    }
    others_are_served(&world);
}

/// What the broker has in memory; nothing where it is not a process of this machine.
fn resident_bytes(world: &World) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", world.target().process_id()?)).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
}
