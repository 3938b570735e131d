//! A stream of packets: each one that decodes encodes to bytes that decode to the same packet.

use tidegate_mqtt::frame::{self, Frame, Split};
use tidegate_mqtt::property::Value;
use tidegate_mqtt::{Packet, Properties, PropertyBuf, PropertyId, Version};

/// Larger than any input, so that size alone refuses nothing.
const PACKET_BYTES_MAX: usize = 1 << 28;

/// Reads packet after packet, as a connection does, until one is refused or incomplete.
///
/// # Panics
/// When a rule of the codec does not hold.
pub fn packets(bytes: &[u8], version: Version) {
    let mut rest = bytes;
    while let Ok(Split::Frame(frame)) = frame::split(rest, PACKET_BYTES_MAX) {
        assert!(frame.len >= 2 && frame.len <= rest.len(), "a frame lies within its bytes");
        let Ok(packet) = Packet::decode(frame, version) else { return };
        survives_encoding(frame, &packet, version);
        parts_agree(&packet);
        rest = &rest[frame.len..];
    }
}

fn survives_encoding(frame: Frame<'_>, packet: &Packet<'_>, version: Version) {
    let mut encoded = Vec::new();
    packet.encode(version, &mut encoded);
    assert!(encoded.len() <= frame.len, "our form of a packet is the shortest one");
    let Ok(Split::Frame(again)) = frame::split(&encoded, PACKET_BYTES_MAX) else {
        panic!("what was encoded is no whole packet: {encoded:02X?}")
    };
    assert_eq!(again.len, encoded.len(), "nothing stands behind the packet");
    assert_eq!(Packet::decode(again, version).as_ref(), Ok(packet), "{encoded:02X?}");
    for cut in 0..encoded.len().min(64) {
        let split = frame::split(&encoded[..cut], PACKET_BYTES_MAX);
        assert!(
            matches!(split, Ok(Split::NeedHeader)) || split == Ok(Split::NeedBytes { len: encoded.len() }),
            "{cut} bytes of a packet are not a packet"
        );
    }
}

/// What iterators and counters say of one packet fits together.
fn parts_agree(packet: &Packet<'_>) {
    match packet {
        Packet::Connect(connect) => {
            properties_agree(connect.properties);
            if let Some(will) = &connect.will {
                properties_agree(will.properties);
            }
        }
        Packet::ConnAck(connack) => properties_agree(connack.properties),
        Packet::Publish(publish) => {
            assert_eq!(publish.packet_identifier.is_none(), publish.qos as u8 == 0);
            assert!(publish.topic.is_some() || publish.properties.has(PropertyId::TopicAlias));
            properties_agree(publish.properties);
        }
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            properties_agree(ack.properties);
        }
        Packet::Subscribe(subscribe) => {
            assert!(subscribe.filters.count() > 0);
            assert_eq!(subscribe.filters.iter().count(), subscribe.filters.count());
            properties_agree(subscribe.properties);
        }
        Packet::Unsubscribe(unsubscribe) => {
            assert!(unsubscribe.filters.count() > 0);
            assert_eq!(unsubscribe.filters.iter().count(), unsubscribe.filters.count());
            properties_agree(unsubscribe.properties);
        }
        Packet::SubAck(list) | Packet::UnsubAck(list) => properties_agree(list.properties),
        Packet::Disconnect(disconnect) => properties_agree(disconnect.properties),
        Packet::Auth(auth) => properties_agree(auth.properties),
        Packet::PingReq | Packet::PingResp => {}
    }
}

fn properties_agree(properties: Properties<'_>) {
    let mut rebuilt = PropertyBuf::new();
    let mut pieces = Vec::new();
    let mut users = 0;
    for (property, piece) in properties.iter_with_bytes() {
        rebuilt.push(property);
        pieces.extend_from_slice(piece);
        users += u32::from(property.id == PropertyId::UserProperty);
    }
    assert_eq!(pieces, properties.as_bytes(), "the pieces are the block");
    assert_eq!(rebuilt.as_properties(), properties, "a block built from its properties is the same block");
    assert_eq!(users, properties.user_property_count());
    for &id in PropertyId::ALL {
        let first = properties.iter().find(|property| property.id == id).map(|property| property.value);
        assert_eq!(properties.has(id), first.is_some());
        let number = if let Some(Value::Number(number)) = first { Some(number) } else { None };
        let text = if let Some(Value::Text(text)) = first { Some(text) } else { None };
        let bytes = if let Some(Value::Bytes(bytes)) = first { Some(bytes) } else { None };
        assert_eq!((properties.number(id), properties.text(id), properties.bytes(id)), (number, text, bytes));
    }
}
