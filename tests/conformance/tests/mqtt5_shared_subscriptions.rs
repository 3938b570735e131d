//! MQTT 5.0 chapter 4.8.2: Shared Subscriptions.

use tidegate_conformance::{
    Filter, Packet, Property, Publish, RawClient, Subscribe, World, ack, pubcomp, pubrec, pubrel,
};

fn shared(topic: &str) -> String {
    format!("$share/group/{topic}")
}

/// Members of one group, each also subscribed to a marker that ends a round.
struct Group {
    members: Vec<RawClient>,
    publisher: RawClient,
    topic: String,
    marker: String,
}

impl Group {
    fn new(world: &World, qos: &[u8]) -> Self {
        let (topic, marker) = (world.topic("t"), world.topic("end"));
        let member = |(n, &qos): (usize, &u8)| {
            let mut member = world.connect(&world.v5(&format!("m{n}")).session_expiry(60));
            member.subscribe(&shared(&topic), qos);
            member.subscribe(&marker, 0);
            member
        };
        let members = qos.iter().enumerate().map(member).collect();
        Self { members, publisher: world.client("pub"), topic, marker }
    }

    /// Ends the round and returns what each member has received and acknowledged, in order.
    fn collect(&mut self) -> Vec<Vec<Publish>> {
        self.publisher.publish(Publish::new(&self.marker, "end"));
        let until_end = |member: &mut RawClient| {
            let mut received = Vec::new();
            loop {
                let publish = member.expect_publish();
                if publish.payload == b"end" {
                    return received;
                }
                member.acknowledge(&publish);
                received.push(publish);
                assert!(received.len() < 10_000, "no end in sight");
            }
        };
        self.members.iter_mut().map(until_end).collect()
    }
}

#[test]
fn each_message_goes_to_one_member_of_the_group() {
    let world = World::new();
    let mut group = Group::new(&world, &[0, 1, 2]);
    for n in 0..60u8 {
        group.publisher.publish(Publish::new(&group.topic, n.to_string()).qos(n % 3));
    }
    let mut all: Vec<u8> =
        group.collect().iter().flatten().map(|p| p.text().parse().expect("a number")).collect();
    all.sort_unstable();
    assert_eq!(all, (0..60).collect::<Vec<u8>>());
}

#[test]
fn the_work_is_shared_among_the_members() {
    let world = World::new();
    let mut group = Group::new(&world, &[1, 1, 1]);
    for n in 0..60 {
        group.publisher.publish(Publish::new(&group.topic, n.to_string()).qos(1));
    }
    let counts: Vec<usize> = group.collect().iter().map(Vec::len).collect();
    assert_eq!(counts.iter().sum::<usize>(), 60);
    assert!(counts.iter().all(|&count| count > 0), "one member received nothing: {counts:?}");
}

#[test]
fn each_member_receives_with_the_qos_it_was_granted() {
    let world = World::new();
    let mut group = Group::new(&world, &[0, 1, 2]);
    for n in 0..30 {
        group.publisher.publish(Publish::new(&group.topic, n.to_string()).qos(2));
    }
    for (granted, received) in (0..).zip(group.collect()) {
        // [MQTT5-4.8.2-3]
        assert!(received.iter().all(|p| p.qos == granted), "granted {granted}: {received:?}");
    }
}

#[test]
fn groups_are_independent_of_each_other_and_of_plain_subscriptions() {
    let world = World::new();
    let topic = world.topic("t");
    let mut clients: Vec<RawClient> = ["a", "b", "c"].iter().map(|name| world.client(name)).collect();
    let filters = [format!("$share/one/{topic}"), format!("$share/two/{topic}"), topic.clone()];
    for (client, filter) in clients.iter_mut().zip(&filters) {
        client.subscribe(filter, 0);
    }
    world.client("pub").publish(Publish::new(&topic, "x"));
    for mut client in clients {
        client.expect_message("x");
        client.expect_nothing_before_ping();
    }
}

#[test]
fn a_shared_filter_has_wildcards_and_empty_levels_like_any_other() {
    let world = World::new();
    let tag = world.tag();
    let mut client = world.client("c");
    client.subscribe(&format!("$share/group//{tag}/+/#"), 0);
    world.client("pub").publish(Publish::new(format!("/{tag}/a/b/c"), "x"));
    client.expect_message("x");
}

#[test]
fn a_shared_subscription_receives_no_retained_messages() {
    let world = World::new();
    let topic = world.topic("r");
    let mut publisher = world.client("pub");
    publisher.publish(Publish::new(&topic, "kept").qos(1).retained());
    let mut client = world.client("c");
    client.subscribe(&shared(&topic), 0);
    publisher.publish(Publish::new(&topic, "live").qos(1));
    client.expect_message("live");
}

#[test]
fn a_shared_subscription_has_its_identifier() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.client("c");
    client.subscribe_with(&Subscribe::one(Filter::new(shared(&topic), 0)).identifier(33));
    world.client("pub").publish(Publish::new(&topic, "x"));
    // [MQTT5-3.3.4-3]
    assert_eq!(client.expect_message("x").properties.subscription_identifiers(), [33]);
}

#[test]
fn a_member_leaves_with_its_first_unsubscribe() {
    let world = World::new();
    let mut group = Group::new(&world, &[1, 1]);
    let filter = shared(&group.topic);
    group.members[0].subscribe(&filter, 0);
    // [MQTT5-3.10.4-1]
    assert_eq!(group.members[0].unsubscribe(&[&group.topic]).reasons, [0x11]);
    // [MQTT5-3.10.4-1]
    assert_eq!(group.members[0].unsubscribe(&[&filter]).reasons, [0x00]);
    for n in 0..10 {
        group.publisher.publish(Publish::new(&group.topic, n.to_string()).qos(1));
    }
    let counts: Vec<usize> = group.collect().iter().map(Vec::len).collect();
    // [MQTT5-3.10.4-2]
    assert_eq!(counts, [0, 10]);
}

#[test]
fn a_member_that_is_away_is_passed_over() {
    let world = World::new();
    let mut group = Group::new(&world, &[1, 1]);
    group.members.remove(0).disconnect();
    for n in 0..10 {
        group.publisher.publish(Publish::new(&group.topic, n.to_string()).qos(1));
    }
    assert_eq!(group.collect()[0].len(), 10);
}

#[test]
fn messages_wait_when_every_member_is_away() {
    let world = World::new();
    let mut group = Group::new(&world, &[1]);
    group.members.remove(0).disconnect();
    group.publisher.publish(Publish::new(&group.topic, "waiting").qos(1));
    let mut back = world.connect(&world.v5("m0").resume());
    // [MQTT5-4.5.0-1]
    back.expect_message("waiting");
}

/// A group whose first member holds an unacknowledged message of this QoS; the second has joined afterwards.
fn one_in_flight(world: &World, qos: u8) -> (RawClient, RawClient, RawClient, Publish) {
    let topic = world.topic("t");
    let mut first = world.connect(&world.v5("m0").session_expiry(60));
    first.subscribe(&shared(&topic), qos);
    let mut publisher = world.client("pub");
    publisher.publish(Publish::new(&topic, "x").qos(qos));
    let publish = first.expect_message("x");
    let mut second = world.connect(&world.v5("m1"));
    second.subscribe(&shared(&topic), qos);
    (first, second, publisher, publish)
}

#[test]
fn unacknowledged_qos_1_goes_to_another_member_when_the_session_ends() {
    let world = World::new();
    let (first, mut second, _, _) = one_in_flight(&world, 1);
    first.disconnect();
    // Clean Start ends the session that holds the message.
    world.client("m0").disconnect();
    let publish = second.expect_message("x");
    assert_eq!(publish.qos, 1);
    second.acknowledge(&publish);
}

#[test]
fn unacknowledged_qos_1_goes_to_another_member_when_a_session_without_expiry_ends() {
    let world = World::new();
    let topic = world.topic("t");
    let mut first = world.client("m0");
    first.subscribe(&shared(&topic), 1);
    world.client("pub").publish(Publish::new(&topic, "x").qos(1));
    first.expect_message("x");
    let mut second = world.client("m1");
    second.subscribe(&shared(&topic), 1);
    first.drop_connection();
    second.expect_message("x");
}

#[test]
fn qos_2_is_completed_with_its_member_after_reconnecting() {
    let world = World::new();
    let (mut first, mut second, _, publish) = one_in_flight(&world, 2);
    first.send(&pubrec(publish.packet_id()));
    first.expect_pubrel(publish.packet_id());
    first.disconnect();
    let mut back = world.connect(&world.v5("m0").resume().session_expiry(60));
    // [MQTT5-4.8.2-4]
    back.expect_pubrel(publish.packet_id());
    back.send(&pubcomp(publish.packet_id()));
    back.expect_nothing_before_ping();
    second.expect_nothing_before_ping();
}

#[test]
fn a_qos_2_message_without_pubrec_is_sent_again_to_its_member() {
    let world = World::new();
    let (first, mut second, _, publish) = one_in_flight(&world, 2);
    first.disconnect();
    let mut back = world.connect(&world.v5("m0").resume().session_expiry(60));
    // [MQTT5-4.8.2-4]
    assert_eq!(back.expect_message("x").packet_id(), publish.packet_id());
    second.expect_nothing_before_ping();
}

#[test]
fn qos_2_in_flight_never_goes_to_another_member() {
    let world = World::new();
    let (first, mut second, mut publisher, _) = one_in_flight(&world, 2);
    first.disconnect();
    world.client("m0").disconnect();
    publisher.publish(Publish::new(world.topic("t"), "end").qos(2));
    // [MQTT5-4.8.2-5]
    second.expect_message("end");
}

#[test]
fn a_refused_message_goes_to_nobody_else() {
    let world = World::new();
    for (qos, first_byte) in [(1, 0x40), (2, 0x50)] {
        let (mut first, mut second, mut publisher, publish) = one_in_flight(&world, qos);
        first.send(&ack(first_byte, publish.packet_id(), 0x80, &[]));
        first.expect_nothing_before_ping();
        first.disconnect();
        world.client("m0").disconnect();
        publisher.publish(Publish::new(world.topic("t"), "end").qos(qos));
        // [MQTT5-4.8.2-6]
        second.expect_message("end");
        second.disconnect();
    }
}

#[test]
fn a_member_that_is_full_is_passed_over() {
    let world = World::new();
    let topic = world.topic("t");
    let mut full = world.connect(&world.v5("full").property(Property::ReceiveMaximum(1)));
    full.subscribe(&shared(&topic), 1);
    let mut publisher = world.client("pub");
    publisher.publish(Publish::new(&topic, "first").qos(1));
    full.expect_message("first");
    let mut free = world.client("free");
    free.subscribe(&shared(&topic), 1);
    for n in 0..10 {
        publisher.publish(Publish::new(&topic, n.to_string()).qos(1));
    }
    assert_eq!(free.expect_publishes(10).len(), 10);
}

#[test]
fn a_client_with_both_kinds_of_subscription_receives_both_copies() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.client("c");
    client.subscribe(&topic, 0);
    client.subscribe(&shared(&topic), 0);
    world.client("pub").publish(Publish::new(&topic, "x"));
    client.expect_message("x");
    client.expect_message("x");
    client.expect_nothing_before_ping();
}

#[test]
fn shared_filters_belong_to_version_5_and_share_is_no_topic() {
    let world = World::new();
    let topic = world.topic("t");
    let mut client = world.client("c");
    client.subscribe(&shared(&topic), 1);
    let mut publisher = world.client("pub");
    publisher.send_publish(&Publish::new(shared(&topic), "literal").qos(1).id(1));
    // [MQTT5-3.3.2-3] The name of the group is no part of what is matched.
    assert!(matches!(publisher.receive(), Packet::Puback(_) | Packet::Disconnect { .. }));
    world.client("again").publish(Publish::new(&topic, "end").qos(1));
    // [MQTT5-3.3.2-3]
    client.expect_message("end");
}

#[test]
fn the_acknowledgement_of_a_publisher_does_not_wait_for_a_member() {
    let world = World::new();
    let topic = world.topic("t");
    let mut member = world.client("m");
    member.subscribe(&shared(&topic), 2);
    let mut publisher = world.client("pub");
    publisher.send_publish(&Publish::new(&topic, "x").qos(2).id(1));
    // [MQTT5-4.3.3-8]
    publisher.expect_pubrec(1);
    publisher.send(&pubrel(1));
    publisher.expect_pubcomp(1);
    member.expect_message("x");
}
