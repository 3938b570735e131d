//! How long a client may take to come in, and to be silent.

use tidegate_mqtt::{
    Acknowledgement, Auth, Disconnect, Packet, PacketIdentifier, PropertyBuf, PropertyId, QoS, ReasonCode,
    Unsubscribe, UnsubscribeFilters, Version,
};
use tidegate_observe::{EndReason, Fact};

use super::bounds::{SHARDS, qos};
use super::world::{ConnectOptions, Got, World, v3, v5};
use crate::Limits;

fn ends(world: &World) -> Vec<&EndReason> {
    let mut reasons = Vec::new();
    for fact in &world.facts {
        if let Fact::Ended { reason, .. } = fact {
            reasons.push(reason);
        }
    }
    reasons
}

#[test]
fn a_client_whose_authentication_is_not_answered_in_time_is_told_and_closed() {
    for shards in SHARDS {
        let mut world = World::new(shards);
        world.authentication_stalls();
        world.begin_connect("new", "new", &v5());
        world.begin_connect("old", "old", &v3());
        world.advance_secs(9);
        assert!(world.is_open("new") && world.is_open("old"));
        world.advance_secs(2);
        for name in ["new", "old"] {
            let got = world.received(name);
            let refusal = ReasonCode::ServerUnavailable;
            assert!(
                matches!(got[..], [Got::ConnAck { reason, session_present: false, .. }] if reason == refusal),
                "{got:?}"
            );
            assert!(!world.is_open(name));
        }
        assert_eq!(ends(&world), [&EndReason::Refused("authentication was not answered in time"); 2]);
        // The answer comes after all.
        world.authentication_goes_on();
        assert_eq!((world.received("new"), world.counters().connects), (vec![], 0));
    }
}

#[test]
fn the_time_to_authenticate_begins_with_the_connect() {
    let mut world = World::new(1);
    world.authentication_stalls();
    world.begin_connect("other", "other", &v5());
    world.advance_secs(8);
    world.begin_connect("c", "c", &v5());
    world.advance_secs(8);
    assert!(!world.is_open("other") && world.is_open("c"));
    world.authentication_goes_on();
    let got = world.received("c");
    assert!(matches!(got[..], [Got::ConnAck { reason: ReasonCode::Success, .. }]), "{got:?}");
    world.advance_secs(60);
    assert!(world.is_open("c"));
}

/// The first byte and the length of a PUBLISH of QoS 0 to "t", and what follows.
fn large_publish(payload: usize) -> Vec<u8> {
    let mut packet = Vec::new();
    tidegate_mqtt::encode_publish_head(&mut packet, 0x30, "t", None, None, payload);
    packet.resize(packet.len() + payload, b'x');
    packet
}

#[test]
fn a_client_that_sends_a_packet_byte_by_byte_is_not_kept_alive_by_its_bytes() {
    for (shards, first) in [(1, 0), (2, 0), (1, 2), (1, 500)] {
        let mut world = World::new(shards);
        world.connect("slow", &ConnectOptions { keep_alive: 10, ..v3() });
        let packet = large_publish(800);
        world.send_bytes("slow", &packet[..first]);
        for byte in &packet[first..] {
            world.send_bytes("slow", &[*byte]);
            world.advance_secs(1);
            if !world.is_open("slow") {
                break;
            }
        }
        assert_eq!(ends(&world), [&EndReason::KeepAliveTimeout], "{first}");
    }
}

#[test]
fn a_large_packet_over_a_slow_line_keeps_its_client_alive() {
    for shards in SHARDS {
        let mut world = World::new(shards);
        world.connect("s", &v3());
        world.subscribe("s", &[("t", qos(QoS::AtMostOnce))]);
        world.connect("slow", &ConnectOptions { keep_alive: 10, ..v3() });
        let packet = large_publish(40_000);
        for piece in packet.chunks(1024) {
            world.send_bytes("slow", piece);
            // Longer than a Keep Alive, shorter than one and a half.
            world.advance_secs(14);
        }
        assert_eq!(world.payloads("s").len(), 1);
        assert!(world.is_open("slow"));
        world.advance_secs(16);
        assert!(!world.is_open("slow"), "whoever has finished is heard as before");
    }
}

#[test]
fn a_client_from_which_nothing_is_read_until_the_journal_goes_on_is_not_taken_for_silent() {
    let mut world = World::new(1);
    let durable = ConnectOptions { clean: false, ..v3() };
    world.connect("s", &durable);
    world.subscribe("s", &[("t", qos(QoS::AtLeastOnce))]);
    for name in ["p", "idle"] {
        world.connect(name, &ConnectOptions { keep_alive: 10, ..v3() });
    }
    world.journal_stalls();
    world.publish("p", "t", b"m", QoS::ExactlyOnce);
    for _ in 0..20_000 {
        // Behind the PUBREC that is held.
        world.send_bytes("p", &[0x62, 2, 0, 9]);
    }
    assert!(!world.wants_input("p"));
    world.advance_secs(60);
    assert!(world.is_open("p") && !world.is_open("idle"));
    world.journal_goes_on();
    assert!(world.wants_input("p"));
    world.advance_secs(30);
    assert!(!world.is_open("p"), "from then on it has to be heard");
}

#[test]
fn user_properties_are_bounded_in_every_packet_that_can_have_them() {
    let limits = Limits { user_properties_max: 3, ..Limits::default() };
    let id = PacketIdentifier::new(1).unwrap();
    let mut buffer = Vec::new();
    let filters = UnsubscribeFilters::build(&["t"], &mut buffer);
    for (count, is_too_many) in [(3, false), (4, true)] {
        let mut block = PropertyBuf::new();
        for _ in 0..count {
            block.user("k", "v");
        }
        let mut method = block.clone();
        method.text(PropertyId::AuthenticationMethod, "m");
        let (properties, with_method) = (block.as_properties(), method.as_properties());
        let ack = Acknowledgement { packet_identifier: id, reason: ReasonCode::Success, properties };
        let packets = [
            Packet::PubAck(ack),
            Packet::PubRec(ack),
            Packet::PubRel(ack),
            Packet::PubComp(ack),
            Packet::Unsubscribe(Unsubscribe { packet_identifier: id, properties, filters }),
            Packet::Disconnect(Disconnect { reason: ReasonCode::Success, properties }),
            Packet::Auth(Auth { reason: ReasonCode::ContinueAuthentication, properties: with_method }),
        ];
        for packet in &packets {
            let mut world = World::with_limits(1, limits.clone());
            world.connect("c", &ConnectOptions { version: Version::V5, ..v5() });
            world.send("c", packet);
            let got = world.received("c");
            let refused = got == [Got::Disconnect(ReasonCode::QuotaExceeded)];
            assert_eq!(refused, is_too_many, "{packet:?}: {got:?}");
        }
    }
}
