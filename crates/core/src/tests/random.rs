//! Random clients: whatever they send, in whatever order, nothing panics, and nothing of them is left when they and
//! their sessions are gone.

use proptest::prelude::*;
use tidegate_mqtt::{Acknowledgement, Packet, PropertyBuf, PropertyId, QoS, SubscriptionOptions, Version};

use super::residue::Residue;
use super::world::{ConnectOptions, World};
use crate::Limits;

/// One step of one client.
#[derive(Clone, Debug)]
enum Step {
    Connect {
        slot: usize,
        version: Version,
        clean: bool,
        expiry: u32,
        receive_maximum: u32,
        packet_max: u32,
        aliases: u32,
        will_delay: Option<u32>,
    },
    Subscribe {
        slot: usize,
        filters: Vec<(usize, u8)>,
        identifier: u32,
    },
    Unsubscribe {
        slot: usize,
        filter: usize,
    },
    Publish {
        slot: usize,
        topic: usize,
        qos: u8,
        retain: bool,
        payload: usize,
        expiry: Option<u32>,
        alias: u32,
    },
    Ack {
        slot: usize,
        id: u16,
        kind: usize,
    },
    Disconnect {
        slot: usize,
    },
    Break {
        slot: usize,
    },
    Stall {
        slot: usize,
        stalled: bool,
    },
    Bytes {
        slot: usize,
        bytes: Vec<u8>,
    },
    Mutated {
        slot: usize,
        topic: usize,
        at: usize,
        with: u8,
    },
    Journal {
        stalls: bool,
    },
    Mail {
        stalls: bool,
    },
    Time {
        ms: u64,
    },
    Sys,
}

const SLOTS: usize = 4;
const FILTERS: [&str; 9] =
    ["#", "a/+", "a/b", "+/+/c", "$share/g/a/+", "$share/h/#", "$share/g/a/b", "$SYS/#", "a/#"];
const TOPICS: [&str; 6] = ["a/b", "a", "a/b/c", "x/y/c", "a/long level of more than fourteen bytes", "/"];

fn step() -> impl Strategy<Value = Step> {
    let slot = 0..SLOTS;
    let version = prop_oneof![Just(Version::V31), Just(Version::V311), Just(Version::V5)];
    let expiry = prop_oneof![Just(0), Just(1), Just(30), Just(u32::MAX - 1)];
    let maximum = prop_oneof![Just(1u32), Just(2), Just(65_535)];
    let packet_max = prop_oneof![1 => 1u32..64, 3 => Just(1_000_000u32)];
    let delay = prop::option::of(prop_oneof![Just(0u32), Just(2), Just(100)]);
    prop_oneof![
        6 => (slot.clone(), version, any::<bool>(), expiry, maximum, packet_max, 0u32..3, delay).prop_map(
            |(slot, version, clean, expiry, receive_maximum, packet_max, aliases, will_delay)| {
                Step::Connect { slot, version, clean, expiry, receive_maximum, packet_max, aliases, will_delay }
            }
        ),
        6 => (slot.clone(), prop::collection::vec((0..FILTERS.len(), 0u8..0x30), 1..4), 0u32..3)
            .prop_map(|(slot, filters, identifier)| Step::Subscribe { slot, filters, identifier }),
        2 => (slot.clone(), 0..FILTERS.len()).prop_map(|(slot, filter)| Step::Unsubscribe { slot, filter }),
        12 => (slot.clone(), 0..TOPICS.len(), 0u8..3, any::<bool>(), prop_oneof![Just(0usize), Just(5), Just(3000)],
              prop::option::of(0u32..3), 0u32..3)
            .prop_map(|(slot, topic, qos, retain, payload, expiry, alias)| {
                Step::Publish { slot, topic, qos, retain, payload, expiry, alias }
            }),
        8 => (slot.clone(), 1u16..12, 0usize..4).prop_map(|(slot, id, kind)| Step::Ack { slot, id, kind }),
        2 => slot.clone().prop_map(|slot| Step::Disconnect { slot }),
        3 => slot.clone().prop_map(|slot| Step::Break { slot }),
        4 => (slot.clone(), any::<bool>()).prop_map(|(slot, stalled)| Step::Stall { slot, stalled }),
        1 => (slot.clone(), prop::collection::vec(any::<u8>(), 1..20)).prop_map(|(slot, bytes)| Step::Bytes { slot, bytes }),
        1 => (slot, 0..TOPICS.len(), 0usize..40, any::<u8>())
            .prop_map(|(slot, topic, at, with)| Step::Mutated { slot, topic, at, with }),
        2 => any::<bool>().prop_map(|stalls| Step::Journal { stalls }),
        3 => any::<bool>().prop_map(|stalls| Step::Mail { stalls }),
        2 => prop_oneof![Just(100u64), Just(2_000), Just(40_000)].prop_map(|ms| Step::Time { ms }),
        1 => Just(Step::Sys),
    ]
}

/// The names of the connections: a slot is a Client Identifier, each CONNECT is a new connection of it.
struct Names {
    current: [Option<String>; SLOTS],
    made: Vec<String>,
}

impl Names {
    fn of(&self, slot: usize) -> Option<&str> {
        self.current[slot].as_deref()
    }
}

fn qos(qos: u8) -> QoS {
    QoS::from_u8(qos).unwrap()
}

fn options(bits: u8) -> SubscriptionOptions {
    let mut options = SubscriptionOptions::of_qos(qos(bits % 3));
    options.no_local = bits & 4 != 0;
    options.retain_as_published = bits & 8 != 0;
    options
}

fn take(world: &mut World, names: &mut Names, step: &Step) {
    match step {
        Step::Connect { slot, version, clean, expiry, receive_maximum, packet_max, aliases, will_delay } => {
            let name = format!("{slot}.{}", names.made.len());
            let mut properties = PropertyBuf::new();
            let mut will = PropertyBuf::new();
            if version.is_v5() {
                properties.number(PropertyId::SessionExpiryInterval, *expiry);
                properties.number(PropertyId::ReceiveMaximum, *receive_maximum);
                properties.number(PropertyId::MaximumPacketSize, *packet_max);
                properties.number(PropertyId::TopicAliasMaximum, *aliases);
                will.number(PropertyId::WillDelayInterval, will_delay.unwrap_or_default());
            }
            let will = will_delay.map(|_| ("a/b", &b"will"[..], QoS::AtLeastOnce, true, will));
            let options =
                ConnectOptions { version: *version, clean: *clean, keep_alive: 60, properties, will };
            world.begin_connect(&name, &format!("c{slot}"), &options);
            names.made.push(name.clone());
            names.current[*slot] = Some(name);
        }
        Step::Subscribe { slot, filters, identifier } => {
            let Some(name) = names.of(*slot) else { return };
            let filters: Vec<_> =
                filters.iter().map(|&(filter, bits)| (FILTERS[filter], options(bits))).collect();
            let mut properties = PropertyBuf::new();
            if *identifier > 0 && world.is_v5(name) {
                properties.number(PropertyId::SubscriptionIdentifier, *identifier);
            }
            world.subscribe_with(name, &filters, &properties);
        }
        Step::Unsubscribe { slot, filter } => {
            let Some(name) = names.of(*slot) else { return };
            world.begin_unsubscribe(name, FILTERS[*filter]);
        }
        Step::Publish { slot, topic, qos: level, retain, payload, expiry, alias } => {
            let Some(name) = names.of(*slot) else { return };
            let mut properties = PropertyBuf::new();
            if world.is_v5(name) {
                if let Some(expiry) = expiry {
                    properties.number(PropertyId::MessageExpiryInterval, *expiry);
                }
                if *alias > 0 {
                    properties.number(PropertyId::TopicAlias, *alias);
                }
            }
            world.publish_with(
                name,
                TOPICS[*topic],
                &vec![b'x'; *payload],
                qos(*level),
                *retain,
                &properties,
            );
        }
        Step::Ack { slot, id, kind } => {
            let Some(name) = names.of(*slot) else { return };
            let kinds: [fn(Acknowledgement<'static>) -> Packet<'static>; 4] =
                [Packet::PubAck, Packet::PubRec, Packet::PubRel, Packet::PubComp];
            world.ack(name, *id, kinds[*kind]);
        }
        Step::Disconnect { slot } => {
            let Some(name) = names.of(*slot) else { return };
            world.disconnect(name);
        }
        Step::Break { slot } => {
            if let Some(name) = names.current[*slot].take()
                && world.is_open(&name)
            {
                world.break_connection(&name);
            }
        }
        Step::Stall { slot, stalled } => {
            let Some(name) = names.of(*slot) else { return };
            world.stall(name, *stalled);
        }
        Step::Bytes { slot, bytes } => {
            let Some(name) = names.of(*slot) else { return };
            world.send_bytes(name, bytes);
        }
        Step::Mutated { slot, topic, at, with } => {
            let Some(name) = names.of(*slot) else { return };
            let mut bytes = vec![0x3D, 0, 0, TOPICS[*topic].len() as u8];
            bytes.extend_from_slice(TOPICS[*topic].as_bytes());
            bytes.extend_from_slice(&[0, 1, 0, b'm']);
            bytes[1] = (bytes.len() - 2) as u8;
            let at = at % bytes.len();
            bytes[at] = *with;
            world.send_bytes(name, &bytes);
        }
        Step::Journal { stalls: true } => world.journal_stalls(),
        Step::Journal { stalls: false } => world.journal_goes_on(),
        Step::Mail { stalls: true } => world.delay_shards(true),
        Step::Mail { stalls: false } => world.delay_shards(false),
        Step::Time { ms } => world.advance_ms(*ms),
        Step::Sys => world.publish_sys(),
    }
}

fn limits() -> Limits {
    Limits {
        outbound_bytes_max: 4096,
        queue_messages_max: 20,
        inflight_max: 4,
        topic_alias_maximum: 2,
        user_properties_max: 4,
        retained_messages_max: 4,
        sessions_per_organisation_max: 3,
        subscriptions_per_organisation_max: 8,
        queued_bytes_per_organisation_max: 4000,
        queued_message_age_max_secs: 30,
        share_names_per_organisation_max: 2,
        session_expiry_max_secs: 1000,
        session_expiry_v3_secs: 1000,
        ..Limits::default()
    }
}

proptest! {
    #[test]
    fn nothing_that_clients_send_panics_or_leaves_anything_behind(
        shards in 1u8..=3,
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut world = World::with_limits(shards, limits());
        let mut names = Names { current: Default::default(), made: Vec::new() };
        for step in &steps {
            take(&mut world, &mut names, step);
            world.check_gauges();
        }
        world.delay_shards(false);
        world.journal_goes_on();
        for name in &names.made {
            world.stall(name, false);
            if world.is_open(name) {
                world.break_connection(name);
            }
        }
        // Every session and every Will delay is over.
        world.advance_ms(200_000);
        world.skip_secs(2_000);
        world.advance_ms(200_000);
        prop_assert_eq!(world.residue(), Residue::default());
        let counters = world.counters();
        prop_assert_eq!((counters.subscriptions, counters.queued, counters.queued_bytes), (0, 0, 0));
        prop_assert_eq!((counters.sessions, counters.clients_connected), (0, 0));
        // What is retained can be found, and nothing else keeps nodes.
        prop_assert!(counters.retained > 0 || world.retained_nodes() == 0);
    }
}
