//! Section 2.4: which Reason Code may stand in which packet; the table is written again here from table 2-6.

use tidegate_mqtt::{Packet, PacketType, ReasonCode, Version};

use crate::assertions::{BEFORE_5, V5, decode, protocol_error};
use crate::notation::bytes;

/// For each packet: its bytes with `@` for the Reason Code, and every code it may carry.
const TABLE_2_6: &[(PacketType, &str, &[u8])] = &[
    (
        PacketType::ConnAck,
        "20 .. 00 @ [ ]",
        &[
            0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97,
            0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F,
        ],
    ),
    (PacketType::PubAck, "40 .. 0001 @", &[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]),
    (PacketType::PubRec, "50 .. 0001 @", &[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]),
    (PacketType::PubRel, "62 .. 0001 @", &[0x00, 0x92]),
    (PacketType::PubComp, "70 .. 0001 @", &[0x00, 0x92]),
    (
        PacketType::SubAck,
        "90 .. 0001 [ ] @",
        &[0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2],
    ),
    (PacketType::UnsubAck, "B0 .. 0001 [ ] @", &[0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91]),
    (
        PacketType::Disconnect,
        "E0 .. @",
        &[
            0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94,
            0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2,
        ],
    ),
    (PacketType::Auth, "F0 .. @ [ 15 'm' ]", &[0x00, 0x18, 0x19]),
];

fn reason_of(packet: Packet<'_>) -> u8 {
    match packet {
        Packet::ConnAck(connack) => connack.reason.as_u8(),
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            ack.reason.as_u8()
        }
        Packet::SubAck(list) | Packet::UnsubAck(list) => list.codes[0],
        Packet::Disconnect(disconnect) => disconnect.reason.as_u8(),
        Packet::Auth(auth) => auth.reason.as_u8(),
        other => panic!("{other:?} has no reason code"),
    }
}

#[test]
fn a_packet_carries_only_the_codes_of_table_2_6() {
    for &(packet_type, packet, codes) in TABLE_2_6 {
        for code in 0..=255u8 {
            let text = packet.replace('@', &format!("{code:02X}"));
            let legal = codes.contains(&code);
            assert_eq!(
                ReasonCode::from_u8(code).is_some_and(|reason| reason.is_valid_in(packet_type)),
                legal
            );
            if legal {
                assert_eq!(
                    decode(&bytes(&text), Version::V5).map(reason_of),
                    Ok(code),
                    "{packet_type:?} {code:02X}"
                );
            } else {
                protocol_error(V5, &text);
            }
        }
    }
}

#[test]
fn codes_that_a_packet_has_not_are_protocol_errors() {
    protocol_error(V5, "20 .. 00 04 [ ]"); // [MQTT5-3.2.2-8]
    protocol_error(V5, "40 .. 0001 92"); // [MQTT5-3.4.2-1]
    protocol_error(V5, "50 .. 0001 92"); // [MQTT5-3.5.2-1]
    protocol_error(V5, "62 .. 0001 91"); // [MQTT5-3.6.2-1]
    protocol_error(V5, "70 .. 0001 80"); // [MQTT5-3.7.2-1]
    protocol_error(V5, "90 .. 0001 [ ] 00 03"); // [MQTT5-3.9.3-2]
    protocol_error(V5, "B0 .. 0001 [ ] 00 97"); // [MQTT5-3.11.3-2]
    protocol_error(V5, "E0 .. 01"); // [MQTT5-3.14.2-1]
    protocol_error(V5, "F0 .. 80 [ 15 'm' ]"); // [MQTT5-3.15.2-1]
}

#[test]
fn before_5_connack_has_six_return_codes() {
    let known = [
        ReasonCode::Success,
        ReasonCode::UnsupportedProtocolVersion,
        ReasonCode::ClientIdentifierNotValid,
        ReasonCode::ServerUnavailable,
        ReasonCode::BadUserNameOrPassword,
        ReasonCode::NotAuthorized,
    ];
    for version in BEFORE_5 {
        for (code, reason) in (0..).zip(known) {
            let wire = [0x20, 2, 0, code];
            let Ok(Packet::ConnAck(connack)) = decode(&wire, *version) else { panic!("code {code}") };
            assert_eq!(connack.reason, reason);
            let mut encoded = Vec::new();
            Packet::ConnAck(connack).encode(*version, &mut encoded);
            assert_eq!(encoded, wire);
        }
    }
    for code in 6..=255 {
        protocol_error(BEFORE_5, &format!("20 02 00 {code:02X}"));
    }
}

#[test]
fn a_reason_has_the_return_code_that_says_the_same_or_none() {
    for &reason in ReasonCode::ALL {
        let return_code = match reason.as_u8() {
            0x00 => Some(0),
            0x84 => Some(1),
            0x85 => Some(2),
            0x88 | 0x89 | 0x97 => Some(3),
            0x86 => Some(4),
            0x87 | 0x8A => Some(5),
            // Malformed packets, protocol errors and what only 5.0 can say end the connection without CONNACK.
            _ => None,
        };
        assert_eq!(reason.connect_return_code(), return_code, "{reason}"); // [MQTT3-3.2.2-6]
    }
}

#[test]
fn failures_begin_at_0x80() {
    for &reason in ReasonCode::ALL {
        assert_eq!(reason.is_failure(), reason.as_u8() >= 0x80);
        assert_eq!(ReasonCode::from_u8(reason.as_u8()), Some(reason));
        assert_eq!(reason.to_string(), format!("0x{:02X} {}", reason.as_u8(), reason.text()));
    }
    assert_eq!(ReasonCode::ALL.len(), 43);
}
