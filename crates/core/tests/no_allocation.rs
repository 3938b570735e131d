//! "No allocation per message on the steady path", counted: once the buffers have grown, a PUBLISH passes through the
//! core without asking for memory.
//!
//! Alone in its file because it counts for the whole program; the count is kept per thread, so that the test harness
//! beside it does not show.

#![allow(
    unsafe_code,
    reason = "a global allocator cannot be written without it; this one only counts and forwards"
)]
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::IoSlice;

use tidegate_core::{
    ConnectionId, Core, CoreConfig, Effects, Input, Limits, Now, Principal, ShardId, SharedUsage,
};
use tidegate_mqtt::{
    Connect, Packet, PacketIdentifier, Properties, PropertyBuf, PropertyId, Publish, QoS, Subscribe,
    SubscribeFilters, SubscriptionOptions, TopicName, Version,
};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    ALLOCATIONS.with(|allocations| allocations.set(allocations.get() + 1));
}

// SAFETY: every call is forwarded unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise, passed on.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One core, and a shell that writes everything at once.
struct Shell {
    core: Core,
    effects: Effects,
    now: Now,
    next_index: u32,
    writing: Vec<ConnectionId>,
    delivered: u64,
}

impl Shell {
    fn new() -> Self {
        let now = Now { mono_ms: 1, unix_ms: 1_700_000_000_000 };
        let config = CoreConfig {
            shard: ShardId(0),
            shards: 1,
            limits: Limits::default(),
            usage: SharedUsage::default(),
            seed: 7,
            started: now,
            records: true,
        };
        let (core, effects) = (Core::new(config), Effects::new(1));
        Self { core, effects, now, next_index: 0, writing: Vec::new(), delivered: 0 }
    }

    fn handle(&mut self, input: Input<'_>) {
        self.core.handle(self.now, input, &mut self.effects);
        for request in std::mem::take(&mut self.effects.authenticate) {
            let verdict = Ok(Principal::anonymous(None));
            self.core.handle(self.now, Input::Authenticated { request, verdict }, &mut self.effects);
        }
        if let Some(up_to) = self.effects.persist.take() {
            self.core.handle(self.now, Input::Persisted { up_to }, &mut self.effects);
        }
        self.effects.resume.clear();
        self.effects.facts.clear();
        assert!(self.effects.close.is_empty(), "a connection was closed");
        std::mem::swap(&mut self.writing, &mut self.effects.write);
        for at in 0..self.writing.len() {
            let connection = self.writing[at];
            self.core.begin_write(connection);
            let mut slices = [IoSlice::new(&[]); 4];
            let used = self.core.outbound(connection).unwrap().fill(&mut slices);
            let bytes = slices[..used].iter().map(|slice| slice.len()).sum();
            self.delivered += 1;
            self.core.handle(self.now, Input::Written { connection, bytes }, &mut self.effects);
        }
        self.writing.clear();
    }

    fn connect(&mut self, version: Version, properties: &PropertyBuf) -> ConnectionId {
        let connection = ConnectionId { index: self.next_index, generation: 0 };
        self.next_index += 1;
        self.handle(Input::Opened { connection, peer: "127.0.0.1:1".parse().unwrap() });
        let identifier = format!("c{}", connection.index);
        let connect = Connect {
            version,
            clean_start: !properties.as_properties().has(PropertyId::SessionExpiryInterval),
            keep_alive_secs: 60,
            properties: properties.as_properties(),
            client_identifier: &identifier,
            will: None,
            user_name: None,
            password: None,
        };
        self.send(connection, version, &Packet::Connect(connect));
        connection
    }

    fn subscribe(&mut self, connection: ConnectionId, version: Version, qos: QoS) {
        let mut buffer = Vec::new();
        let filters =
            SubscribeFilters::build(&[("t/+", SubscriptionOptions::of_qos(qos))], version, &mut buffer);
        let packet_identifier = PacketIdentifier::new(1).unwrap();
        let properties = Properties::NONE;
        self.send(
            connection,
            version,
            &Packet::Subscribe(Subscribe { packet_identifier, properties, filters }),
        );
    }

    fn send(&mut self, connection: ConnectionId, version: Version, packet: &Packet<'_>) {
        let mut bytes = Vec::new();
        packet.encode(version, &mut bytes);
        self.handle(Input::Received { connection, bytes: &bytes });
    }
}

/// What flows, from one publisher to `subscribers`.
struct Flow {
    version: Version,
    qos: QoS,
    subscribers: usize,
    payload: usize,
    /// Of the PUBLISH.
    properties: PropertyBuf,
    /// Of the subscribers' CONNECT.
    subscriber: PropertyBuf,
    /// The second and later PUBLISH name the topic by its alias only.
    alias: bool,
}

impl Flow {
    fn new(version: Version, qos: QoS, subscribers: usize) -> Self {
        let (properties, subscriber) = (PropertyBuf::new(), PropertyBuf::new());
        Self { version, qos, subscribers, payload: 64, properties, subscriber, alias: false }
    }

    /// How many allocations 10,000 messages make after 2,000 of warming up.
    fn allocations(&self) -> u64 {
        let mut shell = Shell::new();
        let publisher = shell.connect(self.version, &PropertyBuf::new());
        let subscribers: Vec<_> = (0..self.subscribers)
            .map(|_| {
                let connection = shell.connect(self.version, &self.subscriber);
                shell.subscribe(connection, self.version, self.qos);
                connection
            })
            .collect();
        let (first, again) = (self.publish(Some("t/x")), self.publish((!self.alias).then_some("t/x")));
        shell.handle(Input::Received { connection: publisher, bytes: &first });
        self.acknowledge(&mut shell, &subscribers, 0);
        let mut before = 0;
        for number in 1..=WARM_UP + MESSAGES {
            if number == WARM_UP + 1 {
                shell.delivered = 0;
                before = ALLOCATIONS.with(Cell::get);
            }
            shell.handle(Input::Received { connection: publisher, bytes: &again });
            self.acknowledge(&mut shell, &subscribers, number);
        }
        let allocations = ALLOCATIONS.with(Cell::get) - before;
        let answers = u64::from(self.qos > QoS::AtMostOnce);
        let expected = MESSAGES * (self.subscribers as u64 + answers);
        assert_eq!(shell.delivered, expected, "a write for each copy and each acknowledgement");
        allocations
    }

    fn publish(&self, topic: Option<&str>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let publish = Publish {
            dup: false,
            qos: self.qos,
            retain: false,
            topic: topic.map(|topic| TopicName::new(topic).unwrap()),
            packet_identifier: (self.qos > QoS::AtMostOnce).then(|| PacketIdentifier::new(1).unwrap()),
            properties: self.properties.as_properties(),
            payload: &vec![b'x'; self.payload],
        };
        Packet::Publish(publish).encode(self.version, &mut bytes);
        bytes
    }

    /// Every subscriber acknowledges message `number`, whose identifier every window gives alike.
    fn acknowledge(&self, shell: &mut Shell, subscribers: &[ConnectionId], number: u64) {
        if self.qos == QoS::AtMostOnce {
            return;
        }
        let [high, low] = ((number % 65_535) as u16 + 1).to_be_bytes();
        for &connection in subscribers {
            shell.handle(Input::Received { connection, bytes: &[0x40, 2, high, low] });
        }
    }
}

const WARM_UP: u64 = 2_000;
const MESSAGES: u64 = 10_000;

#[test]
fn a_message_allocates_nothing_from_one_to_one_and_from_one_to_a_hundred() {
    for version in [Version::V311, Version::V5] {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
            for subscribers in [1, 100] {
                let allocations = Flow::new(version, qos, subscribers).allocations();
                assert_eq!(allocations, 0, "{version:?}, {qos:?}, 1 to {subscribers}");
            }
        }
    }
}

#[test]
fn a_message_with_properties_and_topic_aliases_allocates_nothing() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let mut flow = Flow::new(Version::V5, qos, 10);
        flow.properties.user("unit", "celsius").text(PropertyId::ContentType, "text/plain");
        assert_eq!(flow.allocations(), 0, "{qos:?}, properties");
        flow.properties.number(PropertyId::MessageExpiryInterval, 60);
        assert_eq!(flow.allocations(), 0, "{qos:?}, properties and expiry");
        flow.properties.number(PropertyId::TopicAlias, 3);
        flow.alias = true;
        assert_eq!(flow.allocations(), 0, "{qos:?}, an alias of the publisher");
        flow.subscriber.number(PropertyId::TopicAliasMaximum, 10);
        assert_eq!(flow.allocations(), 0, "{qos:?}, aliases on both sides");
    }
}

#[test]
fn what_is_kept_is_allocated_once_whoever_keeps_it() {
    // A durable session must be able to get a message again: one copy of it, shared by all of them.
    for subscribers in [1, 10] {
        let mut flow = Flow::new(Version::V5, QoS::AtLeastOnce, subscribers);
        flow.subscriber.number(PropertyId::SessionExpiryInterval, 60);
        let per_message = flow.allocations() / MESSAGES;
        assert!(per_message <= 2, "{per_message} allocations a message for {subscribers} durable sessions");
    }
}

#[test]
fn a_large_payload_is_copied_once_for_all_recipients() {
    let mut flow = Flow::new(Version::V311, QoS::AtMostOnce, 10);
    flow.payload = 16 * 1024;
    let per_message = flow.allocations() as f64 / MESSAGES as f64;
    // The shared copy, its counter, and each connection's list of what it shares.
    assert!(per_message <= 2.0 + 10.0, "{per_message} allocations a message");
}
