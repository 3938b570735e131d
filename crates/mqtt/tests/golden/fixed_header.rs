//! Section 2.1: type, flags and Remaining Length.

use tidegate_mqtt::frame::{self, Split};
use tidegate_mqtt::{Fault, Packet, PacketType, ReasonCode, Version};

use crate::assertions::{ALL, BEFORE_5, SINCE_311, V5, decode, malformed, same};
use crate::notation::bytes;

/// For each packet the flags that table 2-2 gives it, and bytes behind the first that make it a good packet in
/// 3.x and in 5.0.
const PACKETS: &[(PacketType, u8, &str, &str)] = &[
    (PacketType::ConnAck, 0, ".. 00 00", ".. 00 00 [ ]"),
    (PacketType::PubAck, 0, ".. 0001", ".. 0001"),
    (PacketType::PubRec, 0, ".. 0001", ".. 0001"),
    (PacketType::PubRel, 2, ".. 0001", ".. 0001"),
    (PacketType::PubComp, 0, ".. 0001", ".. 0001"),
    (PacketType::Subscribe, 2, ".. 0001 'a' 00", ".. 0001 [ ] 'a' 00"),
    (PacketType::SubAck, 0, ".. 0001 00", ".. 0001 [ ] 00"),
    (PacketType::Unsubscribe, 2, ".. 0001 'a'", ".. 0001 [ ] 'a'"),
    (PacketType::UnsubAck, 0, ".. 0001", ".. 0001 [ ] 00"),
    (PacketType::PingReq, 0, "00", "00"),
    (PacketType::PingResp, 0, "00", "00"),
    (PacketType::Disconnect, 0, "00", "00"),
];

#[test]
fn reserved_flags_have_the_values_of_table_2_2() {
    for &(packet_type, want, before_5, in_5) in PACKETS {
        for flags in 0..16u8 {
            let first = (packet_type as u8) << 4 | flags;
            let old = bytes(&format!("{first:02X} {before_5}"));
            let new = bytes(&format!("{first:02X} {in_5}"));
            let read = decode(&new, Version::V5);
            assert_eq!(read.is_ok(), flags == want, "5.0 {packet_type:?} {flags:04b}: {read:?}"); // [MQTT5-2.1.3-1]
            let read = decode(&old, Version::V311);
            assert_eq!(read.is_ok(), flags == want, "3.1.1 {packet_type:?} {flags:04b}: {read:?}"); // [MQTT3-2.2.2-1]
            // A repeated PUBREL, SUBSCRIBE or UNSUBSCRIBE of 3.1 carries DUP, and the rest has no value there.
            let read = decode(&old, Version::V31);
            assert!(read.is_ok(), "3.1 {packet_type:?} {flags:04b}: {read:?}"); // [MQTT31-fixed-header]
        }
    }
}

#[test]
fn wrong_reserved_flags_are_malformed() {
    malformed(SINCE_311, "60 .. 0001"); // [MQTT5-3.6.1-1] [MQTT3-3.6.1-1]
    malformed(SINCE_311, "63 .. 0001"); // [MQTT5-3.6.1-1] [MQTT3-3.6.1-1]
    malformed(SINCE_311, "6A .. 0001"); // [MQTT5-3.6.1-1] [MQTT3-3.6.1-1]
    malformed(BEFORE_5.split_at(1).1, "80 .. 0001 'a' 00"); // [MQTT3-3.8.1-1]
    malformed(V5, "80 .. 0001 [ ] 'a' 00"); // [MQTT5-3.8.1-1]
    malformed(V5, "8A .. 0001 [ ] 'a' 00"); // [MQTT5-3.8.1-1]
    malformed(BEFORE_5.split_at(1).1, "A0 .. 0001 'a'"); // [MQTT3-3.10.1-1]
    malformed(V5, "A0 .. 0001 [ ] 'a'"); // [MQTT5-3.10.1-1]
    malformed(SINCE_311, "E1 00"); // [MQTT5-3.14.1-1] [MQTT3-3.14.1-1]
    malformed(SINCE_311, "E8 00"); // [MQTT5-3.14.1-1] [MQTT3-3.14.1-1]
    malformed(V5, "F1 00"); // [MQTT5-3.15.1-1]
    malformed(SINCE_311, "41 .. 0001"); // [MQTT5-2.1.3-1] [MQTT3-2.2.2-2]
    malformed(SINCE_311, "C2 00"); // [MQTT5-2.1.3-1] [MQTT3-2.2.2-2]
}

#[test]
fn the_flags_of_a_connect_are_judged_by_the_version_it_names() {
    // The harness decodes each of these on a connection of every version.
    malformed(ALL, "11 .. 'MQTT' 05 02 003C [ ] 'c'"); // [MQTT5-2.1.3-1]
    malformed(ALL, "12 .. 'MQTT' 04 02 003C 'c'"); // [MQTT3-2.2.2-2]
    for version in Version::ALL {
        let wire = bytes("1F .. 'MQIsdp' 03 02 003C 'c'");
        assert!(decode(&wire, version).is_ok()); // [MQTT31-fixed-header]
    }
}

#[test]
fn packet_type_0_is_reserved() {
    malformed(ALL, "00 00");
    malformed(ALL, "0F 00");
}

#[test]
fn packet_type_15_is_reserved_before_5() {
    malformed(BEFORE_5, "F0 00");
    malformed(BEFORE_5, "F0 .. 18 [ 15 'm' ]");
}

#[test]
fn pings_have_no_content() {
    same(ALL, "C0 00", &Packet::PingReq);
    same(ALL, "D0 00", &Packet::PingResp);
    malformed(ALL, "C0 01 00");
    malformed(ALL, "D0 01 00");
}

#[test]
fn bytes_behind_the_content_are_malformed() {
    for &(packet_type, flags, before_5, in_5) in PACKETS {
        // A further byte of these is a further code; in 5.0 an acknowledgement's or DISCONNECT's is its Reason Code.
        let more_is_content = matches!(packet_type, PacketType::SubAck | PacketType::UnsubAck);
        let first = (packet_type as u8) << 4 | flags;
        let longer = |rest: &str| match rest.strip_prefix("..") {
            Some(rest) => format!("{first:02X} .. {rest} 7F"),
            None => format!("{first:02X} 01 7F"),
        };
        if packet_type != PacketType::SubAck {
            malformed(BEFORE_5, &longer(before_5));
        }
        let wire = bytes(&longer(in_5));
        let error = decode(&wire, Version::V5).expect_err(in_5);
        if !more_is_content && packet_type == PacketType::ConnAck {
            assert_eq!(error.reason, ReasonCode::MalformedPacket);
        }
    }
    malformed(ALL, "10 .. 'MQTT' 04 02 003C 'c' 00");
    malformed(ALL, "10 .. 'MQTT' 05 02 003C [ ] 'c' 00");
    malformed(V5, "40 .. 0001 00 [ ] 00");
    malformed(V5, "E0 .. 00 [ ] 00");
    malformed(V5, "F0 .. 00 [ ] 00");
}

#[test]
fn a_packet_without_its_variable_header_is_malformed() {
    for first in ["10", "20", "30", "32", "40", "50", "62", "70", "82", "90", "A2", "B0"] {
        malformed(ALL, &format!("{first} 00"));
    }
}

#[test]
fn a_packet_above_the_maximum_is_refused_by_its_header_alone() {
    for (header, packet_bytes_max) in
        [(bytes("30 7F"), 128), (bytes("30 8001"), 130), (bytes("30 FFFFFF7F"), 268_435_459)]
    {
        let len = packet_bytes_max + 1;
        assert_eq!(frame::split(&header, len), Ok(Split::NeedBytes { len }));
        let error = frame::split(&header, packet_bytes_max).unwrap_err();
        assert_eq!((error.fault, error.reason), (Fault::NotAccepted, ReasonCode::PacketTooLarge));
    }
}

#[test]
fn a_frame_ends_where_its_length_says() {
    let two = bytes("C0 00 40 .. 0001");
    let Ok(Split::Frame(first)) = frame::split(&two, 64) else { panic!("the first packet is whole") };
    assert_eq!((first.packet_type, first.flags, first.body, first.len), (PacketType::PingReq, 0, &[][..], 2));
    let Ok(Split::Frame(second)) = frame::split(&two[first.len..], 64) else { panic!("and the second") };
    assert_eq!((second.packet_type, second.body, second.len), (PacketType::PubAck, &[0, 1][..], 4));
    assert_eq!(frame::split(&two[6..], 64), Ok(Split::NeedHeader));
}

#[test]
fn packet_types_have_their_numbers_and_names() {
    let names = [
        "CONNECT",
        "CONNACK",
        "PUBLISH",
        "PUBACK",
        "PUBREC",
        "PUBREL",
        "PUBCOMP",
        "SUBSCRIBE",
        "SUBACK",
        "UNSUBSCRIBE",
        "UNSUBACK",
        "PINGREQ",
        "PINGRESP",
        "DISCONNECT",
        "AUTH",
    ];
    for (number, name) in (1..).zip(names) {
        let packet_type = PacketType::from_u8(number).unwrap();
        assert_eq!((packet_type as u8, packet_type.name()), (number, name));
    }
    assert_eq!(PacketType::from_u8(0), None);
    assert_eq!(PacketType::from_u8(16), None);
}
