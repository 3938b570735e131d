//! Section 3.1: CONNECT, without its Will.

use tidegate_mqtt::{Connect, Fault, Packet, Properties, PropertyBuf, PropertyId, ReasonCode, Version};

use crate::assertions::{V5, V31, V311, decode, malformed, protocol_error, reads, refused, same};
use crate::notation::bytes;

fn plain(version: Version) -> Connect<'static> {
    Connect {
        version,
        clean_start: true,
        keep_alive_secs: 60,
        properties: Properties::NONE,
        client_identifier: "c",
        will: None,
        user_name: None,
        password: None,
    }
}

#[test]
fn the_smallest_connect_of_each_version() {
    same(V31, "10 0F 0006 \"MQIsdp\" 03 02 003C 0001 \"c\"", &Packet::Connect(plain(Version::V31))); // [MQTT31-connect-protocol-name]
    same(V311, "10 0D 0004 \"MQTT\" 04 02 003C 0001 \"c\"", &Packet::Connect(plain(Version::V311))); // [MQTT3-3.1.3-3]
    same(V5, "10 0E 0004 \"MQTT\" 05 02 003C 00 0001 \"c\"", &Packet::Connect(plain(Version::V5))); // [MQTT5-3.1.3-3]
}

#[test]
fn every_field_of_the_three_versions_in_its_order() {
    let full = |version| Connect {
        clean_start: false,
        keep_alive_secs: 65_535,
        user_name: Some("user"),
        password: Some(&[0, 255]),
        ..plain(version)
    };
    same(V31, "10 .. 'MQIsdp' 03 C0 FFFF 'c' 'user' 0002 00FF", &Packet::Connect(full(Version::V31)));
    same(V311, "10 .. 'MQTT' 04 C0 FFFF 'c' 'user' 0002 00FF", &Packet::Connect(full(Version::V311))); // [MQTT3-3.1.3-1]
    let mut properties = PropertyBuf::new();
    properties
        .number(PropertyId::SessionExpiryInterval, 10)
        .number(PropertyId::ReceiveMaximum, 20)
        .number(PropertyId::MaximumPacketSize, 1024)
        .number(PropertyId::TopicAliasMaximum, 5)
        .number(PropertyId::RequestResponseInformation, 1)
        .number(PropertyId::RequestProblemInformation, 0)
        .user("k", "v")
        .text(PropertyId::AuthenticationMethod, "m")
        .binary(PropertyId::AuthenticationData, &[1]);
    let text = "10 .. 'MQTT' 05 C0 FFFF [ 11 0000000A 21 0014 27 00000400 22 0005 19 01 17 00 26 'k' 'v' 15 'm' \
                16 0001 01 ] 'c' 'user' 0002 00FF";
    let packet = Packet::Connect(Connect { properties: properties.as_properties(), ..full(Version::V5) });
    same(V5, text, &packet); // [MQTT5-3.1.3-1]
}

#[test]
fn another_protocol_name_is_not_mqtt() {
    malformed(V311, "10 .. 'mqtt' 04 02 003C 'c'"); // [MQTT3-3.1.2-1]
    malformed(V5, "10 .. 'mqtt' 05 02 003C [ ] 'c'"); // [MQTT5-3.1.2-1]
    malformed(V5, "10 .. 'MQT' 05 02 003C [ ] 'c'"); // [MQTT5-3.1.2-1]
    malformed(V5, "10 .. 'MQTTT' 05 02 003C [ ] 'c'"); // [MQTT5-3.1.2-1]
    malformed(V5, "10 .. '' 05 02 003C [ ] 'c'"); // [MQTT5-3.1.2-1]
    malformed(V5, "10 .. 0002 FFFF 05 02 003C [ ] 'c'"); // [MQTT5-3.1.2-1]
}

#[test]
fn another_protocol_level_is_not_supported() {
    let unsupported = |versions, text: &str| {
        refused(versions, text, Fault::NotAccepted, ReasonCode::UnsupportedProtocolVersion);
    };
    for level in (0..=255).filter(|level| ![4, 5].contains(level)) {
        unsupported(V311, &format!("10 .. 'MQTT' {level:02X} 02 003C 'c'")); // [MQTT3-3.1.2-2] [MQTT5-3.1.2-2]
    }
    for level in (0..=255).filter(|level| *level != 3) {
        unsupported(V31, &format!("10 .. 'MQIsdp' {level:02X} 02 003C 'c'")); // [MQTT31-connect-version]
    }
    // Whatever stands behind the level: it may have another shape in another version.
    unsupported(V5, "10 .. 'MQTT' 06");
    unsupported(V5, "10 .. 'MQTT' 06 01 FF");
    assert_eq!(ReasonCode::UnsupportedProtocolVersion.connect_return_code(), Some(1)); // [MQTT3-3.1.2-2]
}

#[test]
fn the_version_can_be_read_before_the_rest() {
    for (text, version) in [
        ("'MQIsdp' 03", Some(Version::V31)),
        ("'MQTT' 04 FF", Some(Version::V311)),
        ("'MQTT' 05 01 0000 FF", Some(Version::V5)),
        ("'MQTT' 06", None),
        ("'MQTT'", None),
        ("'HTTP' 05", None),
        ("00", None),
    ] {
        assert_eq!(Connect::peek_version(&bytes(text)), version, "{text}");
    }
    for version in Version::ALL {
        let text = format!("'{}' {:02X}", version.protocol_name(), version.protocol_level());
        assert_eq!(Connect::peek_version(&bytes(&text)), Some(version));
    }
}

#[test]
fn the_reserved_connect_flag_is_zero() {
    malformed(V311, "10 .. 'MQTT' 04 03 003C 'c'"); // [MQTT3-3.1.2-3]
    malformed(V5, "10 .. 'MQTT' 05 03 003C [ ] 'c'"); // [MQTT5-3.1.2-3]
    malformed(V5, "10 .. 'MQTT' 05 C3 003C [ ] 'c' 'user' 'pw'"); // [MQTT5-3.1.2-3]
    // 3.1 calls the bit unused.
    reads(V31, "10 .. 'MQIsdp' 03 03 003C 'c'", &Packet::Connect(plain(Version::V31)));
}

#[test]
fn user_name_and_password_are_there_exactly_when_their_flags_say_so() {
    malformed(V311, "10 .. 'MQTT' 04 02 003C 'c' 'user'"); // [MQTT3-3.1.2-18]
    malformed(V5, "10 .. 'MQTT' 05 02 003C [ ] 'c' 'user'"); // [MQTT5-3.1.2-16]
    malformed(V311, "10 .. 'MQTT' 04 82 003C 'c'"); // [MQTT3-3.1.2-19]
    malformed(V5, "10 .. 'MQTT' 05 82 003C [ ] 'c'"); // [MQTT5-3.1.2-17]
    malformed(V311, "10 .. 'MQTT' 04 82 003C 'c' 'user' 'pw'"); // [MQTT3-3.1.2-20]
    malformed(V5, "10 .. 'MQTT' 05 82 003C [ ] 'c' 'user' 'pw'"); // [MQTT5-3.1.2-18]
    malformed(V311, "10 .. 'MQTT' 04 C2 003C 'c' 'user'"); // [MQTT3-3.1.2-21]
    malformed(V5, "10 .. 'MQTT' 05 C2 003C [ ] 'c' 'user'"); // [MQTT5-3.1.2-19]
    malformed(V5, "10 .. 'MQTT' 05 42 003C [ ] 'c'"); // [MQTT5-3.1.2-19]
}

#[test]
fn in_3_1_the_length_outranks_the_user_name_and_password_flags() {
    reads(V31, "10 .. 'MQIsdp' 03 C2 003C 'c'", &Packet::Connect(plain(Version::V31))); // [MQTT31-connect-length]
    reads(V31, "10 .. 'MQIsdp' 03 82 003C 'c'", &Packet::Connect(plain(Version::V31))); // [MQTT31-connect-length]
    let named = Connect { user_name: Some("user"), ..plain(Version::V31) };
    reads(V31, "10 .. 'MQIsdp' 03 C2 003C 'c' 'user'", &Packet::Connect(named)); // [MQTT31-connect-length]
    malformed(V31, "10 .. 'MQIsdp' 03 C2 003C 'c' 0004 \"us\"");
}

#[test]
fn a_password_needs_a_user_name_before_5() {
    malformed(V311, "10 .. 'MQTT' 04 42 003C 'c' 'pw'"); // [MQTT3-3.1.2-22]
    malformed(V31, "10 .. 'MQIsdp' 03 42 003C 'c' 'pw'");
    let alone = Connect { password: Some(b"pw"), ..plain(Version::V5) };
    same(V5, "10 .. 'MQTT' 05 42 003C [ ] 'c' 'pw'", &Packet::Connect(alone)); // 3.1.2.9
}

#[test]
fn client_identifier_and_user_name_are_utf8() {
    malformed(V311, "10 .. 'MQTT' 04 02 003C 0001 FF"); // [MQTT3-3.1.3-4]
    malformed(V5, "10 .. 'MQTT' 05 02 003C [ ] 0001 FF"); // [MQTT5-3.1.3-4]
    malformed(V311, "10 .. 'MQTT' 04 82 003C 'c' 0001 FF"); // [MQTT3-3.1.3-11]
    malformed(V5, "10 .. 'MQTT' 05 82 003C [ ] 'c' 0001 FF"); // [MQTT5-3.1.3-12]
    malformed(V311, "10 .. 'MQTT' 04 02 003C"); // [MQTT3-3.1.3-3]
    malformed(V5, "10 .. 'MQTT' 05 02 003C [ ]"); // [MQTT5-3.1.3-3]
}

#[test]
fn a_client_identifier_of_any_length_is_decoded() {
    let longest = "x".repeat(65_535);
    for client_identifier in ["", "12345678901234567890123", "123456789012345678901234", &longest] {
        let connect = Connect { client_identifier, ..plain(Version::V311) };
        same_connect(V311, &format!("10 .. 'MQTT' 04 02 003C '{client_identifier}'"), connect);
        let connect = Connect { client_identifier, ..plain(Version::V5) };
        same_connect(V5, &format!("10 .. 'MQTT' 05 02 003C [ ] '{client_identifier}'"), connect);
    }
}

/// As [`same`], but cheap for large packets: without every truncation.
#[track_caller]
fn same_connect(versions: &[Version], text: &str, connect: Connect<'_>) {
    reads(versions, text, &Packet::Connect(connect));
    let mut encoded = Vec::new();
    Packet::Connect(connect).encode(versions[0], &mut encoded);
    assert_eq!(encoded, bytes(text));
}

#[test]
fn a_connect_of_the_wrong_shape_is_refused() {
    for cut in [1, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13] {
        let body = bytes("'MQTT' 05 02 003C [ ] 'cd'");
        let part: String = body[..cut].iter().map(|byte| format!("{byte:02X}")).collect();
        malformed(V5, &format!("10 .. {part}")); // [MQTT5-3.1.4-1]
        let body = bytes("'MQTT' 04 02 003C 'cde'");
        let part: String = body[..cut].iter().map(|byte| format!("{byte:02X}")).collect();
        malformed(V311, &format!("10 .. {part}")); // [MQTT3-3.1.4-1]
    }
}

#[test]
fn receive_maximum_and_maximum_packet_size_are_not_zero() {
    protocol_error(V5, "10 .. 'MQTT' 05 02 003C [ 21 0000 ] 'c'"); // 3.1.2.11.3
    protocol_error(V5, "10 .. 'MQTT' 05 02 003C [ 27 00000000 ] 'c'"); // 3.1.2.11.4
    let wire = bytes("10 .. 'MQTT' 05 02 003C [ 21 FFFF 27 FFFFFFFF ] 'c'");
    let Ok(Packet::Connect(connect)) = decode(&wire, Version::V5) else { panic!("a CONNECT") };
    assert_eq!(connect.properties.number(PropertyId::ReceiveMaximum), Some(65_535));
    assert_eq!(connect.properties.number(PropertyId::MaximumPacketSize), Some(u32::MAX));
}
