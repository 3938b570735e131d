//! Linear work, counted and not timed: however a packet is made, decoding it passes over each of its bytes at most
//! twice (once as part of a block of properties, once inside it), and so does every walk over what was decoded.

use std::cell::Cell;

use crate::frame::{self, Split};
use crate::{DecodeError, Packet, PropertyId, ReasonCode, Version, put_variable_byte_integer};

thread_local! {
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

/// Called for all bytes that a reader passes over.
pub(super) fn count(bytes: usize) {
    BYTES.with(|passed| passed.set(passed.get() + bytes));
}

/// How many bytes the readers of this thread pass over during `work`.
fn passed_during(work: impl FnOnce()) -> usize {
    let before = BYTES.with(Cell::get);
    work();
    BYTES.with(Cell::get) - before
}

/// What the packets below are filled up to.
const BODY_BYTES: usize = 256 * 1024;

fn packet(first: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let mut wire = vec![first];
    put_variable_byte_integer(&mut wire, body.len() as u32);
    wire.extend(body);
    wire
}

fn block(properties: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_variable_byte_integer(&mut out, properties.len() as u32);
    out.extend_from_slice(properties);
    out
}

/// `piece` as often as it fits.
fn many(piece: &[u8]) -> Vec<u8> {
    piece.repeat(BODY_BYTES / piece.len())
}

fn decode(wire: &[u8], version: Version) -> Result<Packet<'_>, DecodeError> {
    match frame::split(wire, wire.len())? {
        Split::Frame(frame) => Packet::decode(frame, version),
        other => panic!("not whole: {other:?}"),
    }
}

/// The smallest User Property: five bytes.
const USER: &[u8] = &[0x26, 0, 0, 0, 0];
static LONG_TEXT: [u8; 0xFFFF] = [b'x'; 0xFFFF];

/// Packets whose bytes are nearly all of one kind, each of its smallest or of its largest.
fn adversaries() -> Vec<(&'static str, Version, Vec<u8>)> {
    let long = [&[0xFF, 0xFF][..], &LONG_TEXT].concat();
    let long_user = [&[0x26][..], &long, &long].concat();
    let aliases = [&[0x23, 0, 1][..], &many(USER)].concat();
    vec![
        ("small user properties", Version::V5, packet(0x30, &[&[0, 1, b't'], &block(&many(USER))])),
        ("large user properties", Version::V5, packet(0x30, &[&[0, 1, b't'], &block(&long_user.repeat(2))])),
        ("subscription identifiers", Version::V5, packet(0x30, &[&[0, 1, b't'], &block(&many(&[0x0B, 1]))])),
        ("an alias before user properties", Version::V5, packet(0x30, &[&[0, 0], &block(&aliases)])),
        (
            "user properties of an acknowledgement",
            Version::V5,
            packet(0x40, &[&[0, 1, 0], &block(&many(USER))]),
        ),
        ("filters of SUBSCRIBE", Version::V311, packet(0x82, &[&[0, 1], &many(&[0, 0, 0])])),
        ("filters of SUBSCRIBE in 5.0", Version::V5, packet(0x82, &[&[0, 1, 0], &many(&[0, 1, b'#', 0])])),
        ("filters of UNSUBSCRIBE", Version::V5, packet(0xA2, &[&[0, 1, 0], &many(&[0, 0])])),
        ("long filters of UNSUBSCRIBE", Version::V31, packet(0xA2, &[&[0, 1], &long.repeat(4)])),
        ("codes of SUBACK", Version::V5, packet(0x90, &[&[0, 1, 0], &many(&[0])])),
        ("a payload", Version::V311, packet(0x30, &[&[0, 1, b't'], &many(b"x")])),
        ("a long topic", Version::V311, packet(0x30, &[&long])),
    ]
}

#[test]
fn decoding_passes_over_each_byte_at_most_twice() {
    for (what, version, wire) in adversaries() {
        let passed = passed_during(|| {
            decode(&wire, version).expect(what);
        });
        assert!(passed <= 2 * wire.len(), "{what}: {passed} bytes passed of {}", wire.len());
    }
}

#[test]
fn refusing_passes_over_each_byte_at_most_twice() {
    let identifier_twice = [&[0x23, 0, 1][..], &many(USER), &[0x23, 0, 1]].concat();
    let unknown_at_the_end = [&many(USER)[..], &[0x7F]].concat();
    for (what, wire, reason) in [
        ("twice", packet(0x30, &[&[0, 0], &block(&identifier_twice)]), ReasonCode::ProtocolError),
        ("unknown", packet(0x30, &[&[0, 0], &block(&unknown_at_the_end)]), ReasonCode::MalformedPacket),
        ("QoS 3", packet(0x82, &[&[0, 1, 0], &many(&[0, 0, 0]), &[0, 0, 3]]), ReasonCode::ProtocolError),
        ("cut", packet(0xA2, &[&[0, 1, 0], &many(&[0, 0]), &[0]]), ReasonCode::MalformedPacket),
    ] {
        let passed = passed_during(|| {
            assert_eq!(decode(&wire, Version::V5).map_err(|error| error.reason), Err(reason), "{what}");
        });
        assert!(passed <= 2 * wire.len(), "{what}: {passed} bytes passed of {}", wire.len());
    }
}

#[test]
fn walking_what_was_decoded_passes_over_each_byte_at_most_once() {
    for (what, version, wire) in adversaries() {
        let packet = decode(&wire, version).expect(what);
        let mut seen = 0;
        let passed = passed_during(|| {
            seen = match packet {
                Packet::Publish(publish) => publish.properties.iter_with_bytes().count(),
                Packet::PubAck(ack) => ack.properties.iter().count(),
                Packet::Subscribe(subscribe) => subscribe.filters.iter().count(),
                Packet::Unsubscribe(unsubscribe) => unsubscribe.filters.iter().count(),
                _ => 0,
            }
        });
        assert!(passed <= wire.len(), "{what}: {passed} bytes passed of {}", wire.len());
        match packet {
            Packet::Subscribe(subscribe) => assert_eq!(seen, subscribe.filters.count(), "{what}"),
            Packet::Unsubscribe(unsubscribe) => assert_eq!(seen, unsubscribe.filters.count(), "{what}"),
            Packet::PubAck(ack) => assert_eq!(seen, ack.properties.user_property_count() as usize, "{what}"),
            _ => {}
        }
    }
}

#[test]
fn a_property_that_is_not_there_is_not_looked_for() {
    let wire = packet(0x30, &[&[0, 1, b't'], &block(&many(USER))]);
    let Ok(Packet::Publish(publish)) = decode(&wire, Version::V5) else { panic!("a PUBLISH") };
    let passed = passed_during(|| {
        for &id in PropertyId::ALL.iter().filter(|&&id| id != PropertyId::UserProperty) {
            assert!(!publish.properties.has(id));
            assert_eq!((publish.properties.number(id), publish.properties.text(id)), (None, None));
        }
    });
    assert_eq!(passed, 0);
}
