//! Sections 3.4 to 3.7, 3.9 and 3.11: PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK and UNSUBACK.

use tidegate_mqtt::{
    Acknowledgement, Packet, PacketIdentifier, Properties, PropertyBuf, PropertyId, ReasonCode, ReasonList,
};

use crate::assertions::{ALL, BEFORE_5, V5, V31, V311, malformed, protocol_error, reads, same};

/// First byte of each, and a Reason Code it may carry besides Success.
const FOUR: &[(&str, ReasonCode)] = &[
    ("40", ReasonCode::NoMatchingSubscribers),
    ("50", ReasonCode::QuotaExceeded),
    ("62", ReasonCode::PacketIdentifierNotFound),
    ("70", ReasonCode::PacketIdentifierNotFound),
];

fn packet_of<'a>(first: &str, ack: Acknowledgement<'a>) -> Packet<'a> {
    match first {
        "40" => Packet::PubAck(ack),
        "50" => Packet::PubRec(ack),
        "62" => Packet::PubRel(ack),
        _ => Packet::PubComp(ack),
    }
}

fn identifier(number: u16) -> PacketIdentifier {
    PacketIdentifier::new(number).unwrap()
}

#[test]
fn an_acknowledgement_of_success_has_four_bytes() {
    for (first, _) in FOUR {
        for number in [1, 255, 256, 65_535] {
            let text = format!("{first} 02 {number:04X}");
            let packet = packet_of(first, Acknowledgement::success(identifier(number)));
            same(ALL, &text, &packet);
        }
    }
}

#[test]
fn reason_code_and_properties_may_be_left_out_in_5() {
    for (first, reason) in FOUR {
        let code = reason.as_u8();
        let success = packet_of(first, Acknowledgement::success(identifier(1)));
        reads(V5, &format!("{first} 03 0001 00"), &success);
        reads(V5, &format!("{first} 04 0001 00 00"), &success);
        let other =
            packet_of(first, Acknowledgement { reason: *reason, ..Acknowledgement::success(identifier(1)) });
        same(V5, &format!("{first} 03 0001 {code:02X}"), &other);
        reads(V5, &format!("{first} 04 0001 {code:02X} 00"), &other);
    }
}

#[test]
fn an_acknowledgement_of_5_carries_reason_string_and_user_properties() {
    let mut properties = PropertyBuf::new();
    properties.text(PropertyId::ReasonString, "why").user("k", "v").user("k", "w");
    for (first, reason) in FOUR {
        for reason in [*reason, ReasonCode::Success] {
            let packet = packet_of(
                first,
                Acknowledgement {
                    packet_identifier: identifier(1),
                    reason,
                    properties: properties.as_properties(),
                },
            );
            let code = reason.as_u8();
            same(V5, &format!("{first} .. 0001 {code:02X} [ 1F 'why' 26 'k' 'v' 26 'k' 'w' ]"), &packet);
        }
        malformed(V5, &format!("{first} .. 0001 00 [ ] 00"));
        malformed(V5, &format!("{first} .. 0001 00 05"));
    }
}

#[test]
fn before_5_an_acknowledgement_is_its_identifier() {
    for (first, _) in FOUR {
        malformed(BEFORE_5, &format!("{first} .. 0001 00"));
        malformed(ALL, &format!("{first} .. 00"));
    }
}

fn list<'a>(properties: Properties<'a>, codes: &'a [u8]) -> ReasonList<'a> {
    ReasonList { packet_identifier: identifier(10), properties, codes }
}

#[test]
fn a_suback_keeps_its_codes_in_order() {
    same(V31, "90 .. 000A 00 01 02 00", &Packet::SubAck(list(Properties::NONE, &[0, 1, 2, 0])));
    same(V311, "90 .. 000A 00 01 02 80", &Packet::SubAck(list(Properties::NONE, &[0, 1, 2, 0x80])));
    same(V5, "90 .. 000A [ ] 00 01 02 87", &Packet::SubAck(list(Properties::NONE, &[0, 1, 2, 0x87])));
    let mut properties = PropertyBuf::new();
    properties.text(PropertyId::ReasonString, "why").user("k", "v");
    let packet = Packet::SubAck(list(properties.as_properties(), &[0x9E]));
    same(V5, "90 .. 000A [ 1F 'why' 26 'k' 'v' ] 9E", &packet);
}

#[test]
fn a_suback_before_5_has_the_codes_of_its_version() {
    for code in 0..=255u8 {
        let text = format!("90 03 000A {code:02X}");
        let codes = [code];
        let packet = Packet::SubAck(list(Properties::NONE, &codes));
        if [0, 1, 2, 0x80].contains(&code) {
            same(V311, &text, &packet);
        } else {
            protocol_error(V311, &text); // [MQTT3-3.9.3-2]
        }
        if code <= 2 {
            same(V31, &text, &packet);
        } else {
            protocol_error(V31, &text);
        }
    }
}

#[test]
fn an_unsuback_has_codes_in_5_only() {
    same(BEFORE_5, "B0 02 000A", &Packet::UnsubAck(list(Properties::NONE, &[])));
    same(V5, "B0 .. 000A [ ] 00 11 87", &Packet::UnsubAck(list(Properties::NONE, &[0, 0x11, 0x87])));
    malformed(BEFORE_5, "B0 03 000A 00");
    malformed(V5, "B0 02 000A");
}
