//! The codec against bytes written out by hand from the specification.

use super::*;

fn publish(packet_identifier: Option<u16>, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_publish_head(
        &mut bytes,
        Outgoing { topic: "a/b", packet_identifier, retain: false },
        payload.len(),
    );
    bytes.extend_from_slice(payload);
    bytes
}

#[test]
fn connect_is_mqtt_3_1_1_with_a_clean_session_or_without() {
    let mut bytes = Vec::new();
    encode_connect(&mut bytes, "c1", SessionLifetime::Connection, 300);
    assert_eq!(bytes, b"\x10\x0e\x00\x04MQTT\x04\x02\x01\x2c\x00\x02c1");
    bytes.clear();
    encode_connect(&mut bytes, "c1", SessionLifetime::Durable, 300);
    assert_eq!(bytes, b"\x10\x0e\x00\x04MQTT\x04\x00\x01\x2c\x00\x02c1");
}

#[test]
fn subscribe_carries_every_filter_with_its_qos() {
    let mut bytes = Vec::new();
    encode_subscribe(&mut bytes, 7, &["a", "b/+"], QoS::AtLeastOnce);
    assert_eq!(bytes, b"\x82\x0c\x00\x07\x00\x01a\x01\x00\x03b/+\x01");
}

#[test]
fn publish_of_both_qos_is_read_back() {
    assert_eq!(publish(None, b"xy"), b"\x30\x07\x00\x03a/bxy");
    assert_eq!(publish(Some(258), b"xy"), b"\x32\x09\x00\x03a/b\x01\x02xy");
    for packet_identifier in [None, Some(9)] {
        let bytes = publish(packet_identifier, b"xy");
        let expected = Publish { topic: b"a/b", payload: b"xy", packet_identifier, retain: false };
        assert_eq!(decode(&bytes), Ok(Some((Packet::Publish(expected), bytes.len()))));
    }
}

#[test]
fn remaining_length_grows_a_byte_at_128_and_16384() {
    for (payload_bytes, width) in [(100, 1), (122, 1), (123, 2), (16_378, 2), (16_379, 3)] {
        let bytes = publish(None, &vec![7; payload_bytes]);
        assert_eq!(bytes.len(), 1 + width + 5 + payload_bytes);
        assert_eq!(decode(&bytes).unwrap().unwrap().1, bytes.len());
    }
}

#[test]
fn an_incomplete_packet_waits_for_its_rest() {
    let bytes = publish(Some(1), &[0; 300]);
    for end in 0..bytes.len() {
        assert_eq!(decode(&bytes[..end]), Ok(None), "cut at {end}");
    }
}

#[test]
fn answers_of_the_server_are_read() {
    for (flags, session_present, return_code) in [(0, false, 5), (1, true, 0)] {
        let connack = Packet::Connack { session_present, return_code };
        assert_eq!(decode(&[0x20, 2, flags, return_code]), Ok(Some((connack, 4))));
    }
    assert_eq!(decode(b"\x40\x02\x12\x34more"), Ok(Some((Packet::Puback { packet_identifier: 0x1234 }, 4))));
    assert_eq!(decode(b"\x90\x05\x00\x01\x00\x80\x01"), Ok(Some((Packet::Suback { refused: 1 }, 7))));
}

#[test]
fn what_a_server_may_not_send_is_malformed() {
    assert!(decode(b"\x30\xff\xff\xff\xff\x01").is_err(), "five bytes of length");
    assert!(decode(b"\x30\x03\x00\x09a").is_err(), "topic longer than the packet");
    assert!(decode(b"\x32\x03\x00\x01a").is_err(), "QoS 1 without identifier");
    assert!(decode(b"\x34\x05\x00\x01a\x00\x01").is_err(), "QoS 2, which is never subscribed to");
    assert!(decode(b"\x10\x00").is_err(), "CONNECT is a client's packet");
}
