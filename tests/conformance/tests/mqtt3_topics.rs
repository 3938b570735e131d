//! MQTT 3.1.1 chapter 4.7: Topic Names, Topic Filters and how they match.

use std::sync::Arc;
use std::time::Duration;

use tidegate_conformance::{Filter, Packet, Publish, RawClient, Subscribe, Target, Version, World, pingreq};

/// Whether the server takes a subscription to this filter; a refusal may be a return code or the end of the connection.
fn is_taken(world: &World, filter: &str) -> bool {
    let mut client = world.connect(&world.v311("c"));
    client.send(&Subscribe::one(Filter::new(filter, 0)).bytes(1, Version::V311));
    match client.receive_within(Duration::from_secs(5)) {
        Some(Packet::Suback(suback)) => suback.reasons != [0x80],
        Some(other) => panic!("expected SUBACK, got {other:?}"),
        None => {
            client.expect_closed();
            false
        }
    }
}

/// Subscribes to the filter, publishes to the name, and says whether the message arrived. Both lie under the tag.
fn arrives(world: &World, filter: &str, name: &str) -> bool {
    let (filter, name) = (world.topic(filter), world.topic(name));
    let mut client = world.connect(&world.v311("c"));
    client.subscribe(&filter, 0);
    client.publish(Publish::new(&name, "x"));
    client.send(&pingreq());
    match client.receive() {
        Packet::Publish(publish) => {
            assert_eq!(publish.topic(), name);
            client.expect_pingresp();
            true
        }
        Packet::Pingresp => false,
        other => panic!("expected PUBLISH or PINGRESP, got {other:?}"),
    }
}

#[test]
fn the_multi_level_wildcard_stands_last_and_alone_in_its_level() {
    let world = World::new();
    for rest in ["a/#/b", "a#", "#a", "a/#b", "##", "#/"] {
        // [MQTT3-4.7.1-2]
        assert!(!is_taken(&world, &world.topic(rest)), "{rest}");
    }
    for rest in ["#", "a/#", "/#", "+/#"] {
        // [MQTT3-4.7.1-2]
        assert!(is_taken(&world, &world.topic(rest)), "{rest}");
    }
}

#[test]
fn the_single_level_wildcard_fills_its_level() {
    let world = World::new();
    for rest in ["a+", "+a", "a/b+", "a/+b/c", "++", "+#"] {
        // [MQTT3-4.7.1-3]
        assert!(!is_taken(&world, &world.topic(rest)), "{rest}");
    }
    for rest in ["+", "+/a", "a/+", "a/+/b", "+/+", "/+"] {
        // [MQTT3-4.7.1-3]
        assert!(is_taken(&world, &world.topic(rest)), "{rest}");
    }
}

#[test]
fn wildcards_match_the_levels_they_stand_for() {
    let world = World::new();
    let cases = [
        ("sport/#", "sport", true),
        ("sport/#", "sport/tennis/player", true),
        ("sport/#", "sports", false),
        ("sport/+", "sport", false),
        ("sport/+", "sport/", true),
        ("sport/+", "sport/tennis", true),
        ("sport/+", "sport/tennis/player", false),
        ("+/tennis/#", "sport/tennis", true),
        ("+/tennis/#", "sport/golf", false),
        ("+/+", "/finance", true),
        ("/+", "/finance", true),
        ("+", "/finance", false),
        ("a/+/b", "a//b", true),
        ("a/+/b", "a/b", false),
    ];
    for (filter, name, matches) in cases {
        // [MQTT3-4.7.1-1] A wildcard in a filter stands for other characters than itself.
        assert_eq!(arrives(&world, filter, name), matches, "filter {filter}, name {name}");
    }
}

/// Retained messages of this test under the same lower levels as a topic of the server, enough of them to be kept in
/// every place where the server keeps any.
fn retains_markers(world: &World, below: &str) {
    let mut client = world.connect(&world.v311("markers"));
    for number in 0..MARKERS {
        client.publish(Publish::new(format!("{}-{number}/{below}", world.tag()), "marker").qos(1).retained());
    }
}

/// Reads until all markers have come, and demands that no topic of the server is among them.
#[track_caller]
fn hears_markers_and_no_dollar(world: &World, client: &mut RawClient) {
    let mut markers = 0;
    for _ in 0..OTHERS_MAX {
        let publish = client.expect_publish();
        assert!(!publish.topic().starts_with('$'), "{}", publish.topic());
        markers += usize::from(publish.topic().starts_with(world.tag()));
        if markers == MARKERS {
            return;
        }
    }
    panic!("{markers} of {MARKERS} markers came among {OTHERS_MAX} messages");
}

#[test]
fn a_leading_wildcard_does_not_match_a_dollar() {
    let world = World::new();
    let mut exact = world.connect(&world.v311("exact"));
    exact.subscribe("$SYS/broker/version", 0);
    exact.expect_publish();
    retains_markers(&world, "broker/version");
    for filter in ["+/broker/version", "+/broker/#", "+/+/version", "#"] {
        let mut client = world.connect(&world.v311("c"));
        client.subscribe(filter, 0);
        // [MQTT3-4.7.2-1]
        hears_markers_and_no_dollar(&world, &mut client);
    }
}

#[test]
fn a_leading_wildcard_does_not_match_a_dollar_while_messages_come_in() {
    // A broker that cannot be configured has an interval of its own: mosquitto's is ten seconds.
    let configured = Target::configured("[sys]\ninterval_secs = 1");
    let world = configured.map_or_else(World::new, |target| World::at(Arc::new(target)));
    let mut wild = world.connect(&world.v311("wild"));
    for filter in ["#", "+/broker/uptime", "+/+/uptime", "+/broker/#"] {
        wild.subscribe(filter, 0);
    }
    let mut exact = world.connect(&world.v311("exact"));
    exact.subscribe("$SYS/broker/uptime", 0);
    // Two live ones, so that the first has gone wherever it goes. A retained one may come before.
    let mut live = 0;
    while live < 2 {
        live += u32::from(!exact.expect_publish_within(Duration::from_secs(15)).retain);
    }
    wild.send(&pingreq());
    // Other tests may publish under such levels of their own.
    while let Packet::Publish(publish) = wild.receive() {
        // [MQTT3-4.7.2-1]
        assert!(!publish.topic().starts_with('$'), "{}", publish.topic());
    }
}

#[test]
fn a_topic_has_at_least_one_character() {
    let world = World::new();
    let mut client = world.connect(&world.v311("c"));
    client.send_publish(&Publish::new("", "x"));
    // [MQTT3-4.7.3-1]
    client.expect_closed();
    // [MQTT3-4.7.3-1]
    assert!(!is_taken(&world, ""));
}

#[test]
fn a_topic_does_not_contain_the_null_character() {
    let world = World::new();
    let topic = world.topic("a\0b");
    let mut client = world.connect(&world.v311("c"));
    client.send_publish(&Publish::new(&topic, "x"));
    // [MQTT3-4.7.3-2]
    client.expect_closed();
    // [MQTT3-4.7.3-2]
    assert!(!is_taken(&world, &topic));
}

#[test]
fn topics_are_compared_as_they_are_written() {
    let world = World::new();
    let pairs = [
        // Case, empty levels, spaces, and the two ways of Unicode to write one letter.
        ("Accounts", "accounts"),
        ("a", "/a"),
        ("a", "a/"),
        ("a/b", "a//b"),
        ("a b", "ab"),
        (" a", "a"),
        ("\u{e9}", "e\u{301}"),
        ("a/./b", "a/b"),
        ("%61", "a"),
    ];
    for (one, other) in pairs {
        // [MQTT3-4.7.3-4]
        assert!(arrives(&world, one, one), "{one:?} matches itself");
        // [MQTT3-4.7.3-4]
        assert!(!arrives(&world, one, other), "filter {one:?}, name {other:?}");
        // [MQTT3-4.7.3-4]
        assert!(!arrives(&world, other, one), "filter {other:?}, name {one:?}");
    }
}

const MARKERS: usize = 16;
/// More messages than all tests of a run leave behind or send meanwhile.
const OTHERS_MAX: usize = 100_000;
