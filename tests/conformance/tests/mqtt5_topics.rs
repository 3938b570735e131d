//! MQTT 5.0 chapter 4.7: Topic Names, Topic Filters, and which of them match.

use std::time::Duration;

use tidegate_conformance::{Filter, Packet, Publish, Subscribe, Version, World};

/// Subscribes to the filter, publishes to the topic and then to a marker, and tells which came.
fn matches(world: &World, filter: &str, topic: &str) -> bool {
    eprintln!("filter {filter:?}, topic {topic:?}");
    let marker = world.topic("marker/end");
    let mut subscriber = world.client("sub");
    subscriber.subscribe(filter, 0);
    subscriber.subscribe(&marker, 0);
    let mut publisher = world.client("pub");
    publisher.publish(Publish::new(topic, "x"));
    publisher.publish(Publish::new(&marker, "end"));
    match subscriber.expect_publish().text() {
        "end" => false,
        _ => {
            subscriber.expect_message("end");
            true
        }
    }
}

#[test]
fn the_multi_level_wildcard_matches_its_parent_and_everything_below() {
    let world = World::new();
    let filter = world.topic("sport/#");
    for topic in ["sport", "sport/", "sport/tennis", "sport/tennis/1/2/3", "sport//x"] {
        // [MQTT5-3.3.2-3]
        assert!(matches(&world, &filter, &world.topic(topic)));
    }
    for topic in ["spor", "sports", "x/sport", "Sport/x"] {
        // [MQTT5-3.3.2-3]
        assert!(!matches(&world, &filter, &world.topic(topic)));
    }
}

#[test]
fn the_single_level_wildcard_matches_exactly_one_level() {
    let world = World::new();
    for (filter, topic, expected) in [
        ("sport/+", "sport/x", true),
        ("sport/+", "sport/", true),
        ("sport/+", "sport", false),
        ("sport/+", "sport/x/y", false),
        ("+/x", "sport/x", true),
        ("sport/+/x", "sport/a/x", true),
        ("sport/+/x", "sport//x", true),
        ("sport/+/x", "sport/x", false),
        ("+/+", "a/b", true),
        ("+/+", "a/b/c", false),
        ("+/b/#", "a/b", true),
        ("+/b/#", "a/b/c/d", true),
        ("+/b/#", "a/c/b", false),
    ] {
        // [MQTT5-3.3.2-3]
        assert_eq!(matches(&world, &world.topic(filter), &world.topic(topic)), expected);
    }
}

#[test]
fn a_leading_or_trailing_slash_makes_another_topic() {
    let world = World::new();
    let tag = world.tag();
    for (filter, topic, expected) in [
        (format!("/{tag}"), format!("/{tag}"), true),
        (format!("/{tag}"), tag.to_owned(), false),
        (tag.to_owned(), format!("/{tag}"), false),
        (format!("{tag}/"), tag.to_owned(), false),
        (format!("+/{tag}"), format!("/{tag}"), true),
        (format!("{tag}//x"), format!("{tag}/x"), false),
    ] {
        // [MQTT5-4.7.3-4]
        assert_eq!(matches(&world, &filter, &topic), expected);
    }
}

#[test]
fn topics_are_compared_character_by_character() {
    let world = World::new();
    for (filter, topic, expected) in [
        ("ACCOUNTS", "Accounts", false),
        ("with space", "with space", true),
        ("with space", "with  space", false),
        ("\u{e9}", "e\u{301}", false),
        ("e\u{301}", "e\u{301}", true),
        ("\u{212b}", "\u{c5}", false),
        ("a/./b", "a/b", false),
        ("a/../b", "b", false),
        ("%2f", "/", false),
        ("\u{10fffd}", "\u{10fffd}", true),
    ] {
        // [MQTT5-4.7.3-4]
        assert_eq!(matches(&world, &world.topic(filter), &world.topic(topic)), expected);
    }
}

#[test]
fn leading_wildcards_do_not_match_topics_that_begin_with_a_dollar() {
    let world = World::new();
    let dollar = format!("${}/x", world.tag());
    let mut subscriber = world.client("sub");
    let wildcards = [format!("+/{}", "x"), "+/x/#".to_owned(), "#".to_owned()];
    for filter in &wildcards {
        subscriber.subscribe(filter, 1);
    }
    let mut publisher = world.client("pub");
    publisher.send_publish(&Publish::new(&dollar, "dollar").qos(1).id(1));
    // A server may refuse such a topic to clients; then there is nothing to match.
    publisher.expect_puback(1);
    let plain = world.topic("x");
    publisher.publish(Publish::new(&plain, "plain"));
    for _ in 0..1_000 {
        let publish = subscriber.expect_publish();
        // [MQTT5-4.7.2-1] Other tests publish too, and `#` sees them.
        assert!(!publish.topic().starts_with('$'), "{publish:?}");
        if publish.topic == plain.as_bytes() {
            return;
        }
        subscriber.acknowledge(&publish);
    }
    panic!("a thousand messages and not the expected one");
}

#[test]
fn the_topics_of_the_server_are_not_matched_by_leading_wildcards() {
    let world = World::new();
    let mut explicit = world.client("explicit");
    explicit.subscribe("$SYS/#", 0);
    let published = explicit.expect_publish();
    assert!(published.topic().starts_with("$SYS/"), "{published:?}");
    let below = published.topic().split_once('/').expect("a level below $SYS").1.to_owned();
    let mut wild = world.client("wild");
    wild.subscribe(&format!("+/{below}"), 0);
    // [MQTT5-4.7.2-1] The message is retained: it would come with the subscription.
    wild.expect_nothing_before_ping();
}

#[test]
fn topic_names_and_filters_have_at_least_one_character() {
    let world = World::new();
    // [MQTT5-4.7.3-1]
    world.violates("an empty Topic Name", &Publish::new("", "x").bytes(Version::V5), &[0x82, 0x90]);
    let slash = Publish::new("/", "x").qos(1);
    // [MQTT5-4.7.3-1] A slash alone is one character, and two empty levels.
    assert!(world.client("c").publish(slash) < 0x80);
}

#[test]
fn the_null_character_is_in_no_topic() {
    let world = World::new();
    // [MQTT5-4.7.3-2]
    world.violates("NUL in a Topic Name", &Publish::new("a/\0", "x").bytes(Version::V5), &[0x81, 0x90]);
    let subscribe = Subscribe::one(Filter::new("a/\0", 0)).bytes(1, Version::V5);
    // [MQTT5-4.7.3-2]
    world.violates("NUL in a Topic Filter", &subscribe, &[0x81, 0x8f]);
}

#[test]
fn the_longest_topic_has_65535_bytes() {
    let world = World::new();
    let longest = format!("{}/{}", world.tag(), "x".repeat(65_535 - world.tag().len() - 1));
    let mut client = world.client("c");
    client.send(&Subscribe::one(Filter::new(&longest, 0)).bytes(1, Version::V5));
    let suback = match client.receive_within(Duration::from_secs(5)) {
        Some(Packet::Suback(suback)) => suback,
        // A server may bound what it serves, by a reason of its own.
        other => return assert!(other.is_some(), "no answer to a filter of 65,535 bytes"),
    };
    if suback.reasons[0] < 0x80 {
        client.publish(Publish::new(&longest, "x"));
        assert_eq!(client.expect_message("x").topic.len(), 65_535);
    }
}

#[test]
fn many_levels_are_served_or_refused_but_harm_nobody() {
    let world = World::new();
    let mut other = world.client("other");
    for topic in ["/".repeat(30_000), format!("{}#", "+/".repeat(15_000))] {
        let mut client = world.client("c");
        client.send(&Subscribe::one(Filter::new(&topic, 0)).bytes(1, Version::V5));
        match client.receive() {
            // [MQTT5-3.8.4-7]
            Packet::Suback(suback) => {
                assert!([0x00, 0x80, 0x8f, 0x97].contains(&suback.reasons[0]), "{suback:?}")
            }
            // [MQTT5-4.13.1-1]
            Packet::Disconnect { reason, .. } => {
                assert!([0x81, 0x8f, 0x95, 0x97].contains(&reason), "{reason:#04x}")
            }
            other => panic!("expected SUBACK or DISCONNECT, got {other:?}"),
        }
    }
    other.expect_nothing_before_ping();
}
