//! A packet as a test sees it.

use tidegate_mqtt::{
    Acknowledgement, ConnAck, Disconnect, Packet, PacketIdentifier, Properties, QoS, ReasonCode, ReasonList,
    Version,
};

/// A packet that a client got, owned so that tests can compare it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Got {
    ConnAck {
        session_present: bool,
        reason: ReasonCode,
        properties: Vec<u8>,
    },
    Publish {
        topic: String,
        payload: Vec<u8>,
        qos: QoS,
        dup: bool,
        retain: bool,
        id: u16,
        properties: Vec<u8>,
    },
    PubAck(u16, ReasonCode),
    PubRec(u16, ReasonCode),
    PubRel(u16, ReasonCode),
    PubComp(u16, ReasonCode),
    SubAck(u16, Vec<u8>),
    UnsubAck(u16, Vec<u8>),
    PingResp,
    Disconnect(ReasonCode),
}

impl From<Packet<'_>> for Got {
    fn from(packet: Packet<'_>) -> Self {
        let id = |id: PacketIdentifier| id.get();
        match packet {
            Packet::ConnAck(ConnAck { session_present, reason, properties }) => {
                Got::ConnAck { session_present, reason, properties: properties.as_bytes().to_vec() }
            }
            Packet::Publish(publish) => Got::Publish {
                topic: publish.topic.map_or(String::new(), |topic| topic.as_str().to_owned()),
                payload: publish.payload.to_vec(),
                qos: publish.qos,
                dup: publish.dup,
                retain: publish.retain,
                id: publish.packet_identifier.map_or(0, id),
                properties: publish.properties.as_bytes().to_vec(),
            },
            Packet::PubAck(ack) => Got::PubAck(id(ack.packet_identifier), ack.reason),
            Packet::PubRec(ack) => Got::PubRec(id(ack.packet_identifier), ack.reason),
            Packet::PubRel(ack) => Got::PubRel(id(ack.packet_identifier), ack.reason),
            Packet::PubComp(ack) => Got::PubComp(id(ack.packet_identifier), ack.reason),
            Packet::SubAck(list) => Got::SubAck(id(list.packet_identifier), list.codes.to_vec()),
            Packet::UnsubAck(list) => Got::UnsubAck(id(list.packet_identifier), list.codes.to_vec()),
            Packet::PingResp => Got::PingResp,
            Packet::Disconnect(disconnect) => Got::Disconnect(disconnect.reason),
            other => panic!("a server does not send {other:?}"),
        }
    }
}

impl Got {
    /// Back into bytes, for packets that a test has not asked for yet.
    pub(super) fn encode(&self, version: Version, out: &mut Vec<u8>) {
        let ack = |id: &u16, reason: &ReasonCode| Acknowledgement {
            packet_identifier: PacketIdentifier::new(*id).unwrap(),
            reason: *reason,
            properties: Properties::NONE,
        };
        let list = |id: &u16, codes| ReasonList {
            packet_identifier: PacketIdentifier::new(*id).unwrap(),
            properties: Properties::NONE,
            codes,
        };
        match self {
            Got::ConnAck { .. } => {}
            Got::Publish { topic, payload, qos, dup, retain, id, properties } => {
                let first_byte = 0x30 | u8::from(*dup) << 3 | (*qos as u8) << 1 | u8::from(*retain);
                let properties: &[&[u8]] = &[properties];
                let properties = version.is_v5().then_some(properties);
                let id = PacketIdentifier::new(*id);
                tidegate_mqtt::encode_publish_head(out, first_byte, topic, id, properties, payload.len());
                out.extend_from_slice(payload);
            }
            Got::PubAck(id, reason) => Packet::PubAck(ack(id, reason)).encode(version, out),
            Got::PubRec(id, reason) => Packet::PubRec(ack(id, reason)).encode(version, out),
            Got::PubRel(id, reason) => Packet::PubRel(ack(id, reason)).encode(version, out),
            Got::PubComp(id, reason) => Packet::PubComp(ack(id, reason)).encode(version, out),
            Got::SubAck(id, codes) => Packet::SubAck(list(id, codes)).encode(version, out),
            Got::UnsubAck(id, codes) => Packet::UnsubAck(list(id, codes)).encode(version, out),
            Got::PingResp => Packet::PingResp.encode(version, out),
            Got::Disconnect(reason) => {
                Packet::Disconnect(Disconnect { reason: *reason, properties: Properties::NONE })
                    .encode(version, out);
            }
        }
    }
}
