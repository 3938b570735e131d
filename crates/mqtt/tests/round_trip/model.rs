//! Owned packets: what a strategy can draw, shrink and print. The codec's own packets only borrow.

use tidegate_mqtt::property::{Property, Value};
use tidegate_mqtt::{
    Acknowledgement, Auth, ConnAck, Connect, Disconnect, Packet, PacketIdentifier, PacketType, PropertyBuf,
    PropertyId, Publish, QoS, ReasonCode, ReasonList, Subscribe, SubscribeFilters, SubscriptionOptions,
    TopicName, Unsubscribe, UnsubscribeFilters, Version, WillMessage,
};

/// One property and its value, owned.
#[derive(Clone, Debug)]
pub(crate) enum ModelValue {
    Number(u32),
    Text(String),
    Bytes(Vec<u8>),
    Pair(String, String),
}

pub(crate) type ModelProperties = Vec<(PropertyId, ModelValue)>;

#[derive(Clone, Debug)]
pub(crate) struct ModelWill {
    pub(crate) topic: String,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) properties: ModelProperties,
    pub(crate) payload: Vec<u8>,
}

/// A packet that `Packet` can borrow from.
#[derive(Clone, Debug)]
pub(crate) enum Model {
    Connect {
        clean_start: bool,
        keep_alive_secs: u16,
        properties: ModelProperties,
        client_identifier: String,
        will: Option<ModelWill>,
        user_name: Option<String>,
        password: Option<Vec<u8>>,
    },
    ConnAck {
        session_present: bool,
        reason: ReasonCode,
        properties: ModelProperties,
    },
    Publish {
        dup: bool,
        qos: QoS,
        retain: bool,
        topic: Option<String>,
        identifier: u16,
        properties: ModelProperties,
        payload: Vec<u8>,
    },
    Ack {
        packet_type: PacketType,
        identifier: u16,
        reason: ReasonCode,
        properties: ModelProperties,
    },
    Subscribe {
        identifier: u16,
        properties: ModelProperties,
        filters: Vec<(String, SubscriptionOptions)>,
    },
    SubAck {
        identifier: u16,
        properties: ModelProperties,
        codes: Vec<u8>,
    },
    Unsubscribe {
        identifier: u16,
        properties: ModelProperties,
        filters: Vec<String>,
    },
    UnsubAck {
        identifier: u16,
        properties: ModelProperties,
        codes: Vec<u8>,
    },
    PingReq,
    PingResp,
    Disconnect {
        reason: ReasonCode,
        properties: ModelProperties,
    },
    Auth {
        reason: ReasonCode,
        properties: ModelProperties,
    },
}

pub(crate) fn build(properties: &ModelProperties) -> PropertyBuf {
    let mut built = PropertyBuf::new();
    for (id, value) in properties {
        let value = match value {
            ModelValue::Number(number) => Value::Number(*number),
            ModelValue::Text(text) => Value::Text(text),
            ModelValue::Bytes(bytes) => Value::Bytes(bytes),
            ModelValue::Pair(name, value) => Value::Pair(name, value),
        };
        built.push(Property { id: *id, value });
    }
    built
}

fn identifier_of(number: u16) -> PacketIdentifier {
    PacketIdentifier::new(number).unwrap()
}

impl Model {
    /// Lends the packet of `version` that this is to `then`.
    pub(crate) fn lend<R>(&self, version: Version, then: impl FnOnce(&Packet<'_>) -> R) -> R {
        let block = build(self.properties());
        let properties = block.as_properties();
        match self {
            Model::Connect { .. } => self.lend_connect(version, then),
            Model::ConnAck { session_present, reason, .. } => then(&Packet::ConnAck(ConnAck {
                session_present: *session_present,
                reason: *reason,
                properties,
            })),
            Model::Publish { dup, qos, retain, topic, identifier, payload, .. } => {
                then(&Packet::Publish(Publish {
                    dup: *dup,
                    qos: *qos,
                    retain: *retain,
                    topic: topic.as_deref().map(|topic| TopicName::new(topic).unwrap()),
                    packet_identifier: (*qos != QoS::AtMostOnce).then(|| identifier_of(*identifier)),
                    properties,
                    payload,
                }))
            }
            Model::Ack { packet_type, identifier, reason, .. } => {
                let ack = Acknowledgement {
                    packet_identifier: identifier_of(*identifier),
                    reason: *reason,
                    properties,
                };
                then(&match packet_type {
                    PacketType::PubAck => Packet::PubAck(ack),
                    PacketType::PubRec => Packet::PubRec(ack),
                    PacketType::PubRel => Packet::PubRel(ack),
                    _ => Packet::PubComp(ack),
                })
            }
            Model::Subscribe { identifier, filters, .. } => {
                let entries: Vec<_> =
                    filters.iter().map(|(filter, options)| (filter.as_str(), *options)).collect();
                let mut buffer = Vec::new();
                let filters = SubscribeFilters::build(&entries, version, &mut buffer);
                let packet_identifier = identifier_of(*identifier);
                then(&Packet::Subscribe(Subscribe { packet_identifier, properties, filters }))
            }
            Model::Unsubscribe { identifier, filters, .. } => {
                let filters: Vec<_> = filters.iter().map(String::as_str).collect();
                let mut buffer = Vec::new();
                let filters = UnsubscribeFilters::build(&filters, &mut buffer);
                let packet_identifier = identifier_of(*identifier);
                then(&Packet::Unsubscribe(Unsubscribe { packet_identifier, properties, filters }))
            }
            Model::SubAck { identifier, codes, .. } => then(&Packet::SubAck(ReasonList {
                packet_identifier: identifier_of(*identifier),
                properties,
                codes,
            })),
            Model::UnsubAck { identifier, codes, .. } => then(&Packet::UnsubAck(ReasonList {
                packet_identifier: identifier_of(*identifier),
                properties,
                codes,
            })),
            Model::PingReq => then(&Packet::PingReq),
            Model::PingResp => then(&Packet::PingResp),
            Model::Disconnect { reason, .. } => {
                then(&Packet::Disconnect(Disconnect { reason: *reason, properties }))
            }
            Model::Auth { reason, .. } => then(&Packet::Auth(Auth { reason: *reason, properties })),
        }
    }

    fn lend_connect<R>(&self, version: Version, then: impl FnOnce(&Packet<'_>) -> R) -> R {
        let Model::Connect {
            clean_start,
            keep_alive_secs,
            properties,
            client_identifier,
            will,
            user_name,
            password,
        } = self
        else {
            unreachable!("asked of a CONNECT only")
        };
        let block = build(properties);
        let will_block = will.as_ref().map(|will| build(&will.properties)).unwrap_or_default();
        then(&Packet::Connect(Connect {
            version,
            clean_start: *clean_start,
            keep_alive_secs: *keep_alive_secs,
            properties: block.as_properties(),
            client_identifier,
            will: will.as_ref().map(|will| WillMessage {
                topic: TopicName::new(&will.topic).unwrap(),
                qos: will.qos,
                retain: will.retain,
                properties: will_block.as_properties(),
                payload: &will.payload,
            }),
            user_name: user_name.as_deref(),
            password: password.as_deref(),
        }))
    }

    fn properties(&self) -> &ModelProperties {
        const NONE: &ModelProperties = &Vec::new();
        match self {
            Model::Connect { properties, .. }
            | Model::ConnAck { properties, .. }
            | Model::Publish { properties, .. }
            | Model::Ack { properties, .. }
            | Model::Subscribe { properties, .. }
            | Model::SubAck { properties, .. }
            | Model::Unsubscribe { properties, .. }
            | Model::UnsubAck { properties, .. }
            | Model::Disconnect { properties, .. }
            | Model::Auth { properties, .. } => properties,
            Model::PingReq | Model::PingResp => NONE,
        }
    }
}
