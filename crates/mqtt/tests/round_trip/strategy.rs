//! Draws packets that the specification of their version allows: every type, every field, its borders.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use tidegate_mqtt::{PacketType, PropertyId, QoS, ReasonCode, RetainHandling, SubscriptionOptions, Version};

use crate::model::{Model, ModelProperties, ModelValue, ModelWill};

/// A packet of `version`.
pub(crate) fn packet(version: Version) -> BoxedStrategy<Model> {
    let mut kinds = vec![
        connect(version),
        connack(version),
        publish(version),
        ack(version),
        subscribe(version),
        suback(version),
        unsubscribe(version),
        unsuback(version),
        Just(Model::PingReq).boxed(),
        Just(Model::PingResp).boxed(),
        disconnect(version),
    ];
    if version.is_v5() {
        kinds.push(auth());
    }
    proptest::strategy::Union::new(kinds).boxed()
}

/// A UTF-8 Encoded String: no null character; sometimes long enough for a longer length in front.
pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[^\0]{0,12}",
        2 => "[a-z/$\u{80}\u{7FF}\u{FEFF}\u{10FFFF}]{0,40}",
        1 => "[a-z]{120,140}",
    ]
}

fn topic_name() -> impl Strategy<Value = String> {
    prop_oneof![8 => "[^\0+#]{1,12}", 2 => "[a-c/$]{1,20}", 1 => "[a-z/]{120,140}"]
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![8 => vec(any::<u8>(), 0..40), 1 => vec(any::<u8>(), 16_370..16_400)]
}

fn qos() -> impl Strategy<Value = QoS> {
    select(vec![QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
}

fn identifier() -> impl Strategy<Value = u16> {
    prop_oneof![1..=u16::MAX, Just(1), Just(255), Just(256), Just(u16::MAX)]
}

fn reason(packet_type: PacketType, version: Version) -> impl Strategy<Value = ReasonCode> {
    let legal: Vec<ReasonCode> = if version.is_v5() {
        ReasonCode::ALL.iter().copied().filter(|reason| reason.is_valid_in(packet_type)).collect()
    } else {
        vec![ReasonCode::Success]
    };
    select(legal)
}

/// A legal value of the property.
fn value(id: PropertyId) -> BoxedStrategy<ModelValue> {
    use PropertyId::*;
    match id {
        PayloadFormatIndicator
        | RequestProblemInformation
        | RequestResponseInformation
        | MaximumQoS
        | RetainAvailable
        | WildcardSubscriptionAvailable
        | SubscriptionIdentifierAvailable
        | SharedSubscriptionAvailable => (0..=1u32).prop_map(ModelValue::Number).boxed(),
        MessageExpiryInterval | SessionExpiryInterval | WillDelayInterval => {
            any::<u32>().prop_map(ModelValue::Number).boxed()
        }
        MaximumPacketSize => (1..=u32::MAX).prop_map(ModelValue::Number).boxed(),
        SubscriptionIdentifier => {
            prop_oneof![1..=127u32, 128..=16_383u32, 16_384..=2_097_151u32, 2_097_152..=268_435_455u32]
                .prop_map(ModelValue::Number)
                .boxed()
        }
        ServerKeepAlive | TopicAliasMaximum => (0..=65_535u32).prop_map(ModelValue::Number).boxed(),
        ReceiveMaximum | TopicAlias => (1..=65_535u32).prop_map(ModelValue::Number).boxed(),
        ResponseTopic => topic_name().prop_map(ModelValue::Text).boxed(),
        CorrelationData | AuthenticationData => vec(any::<u8>(), 0..20).prop_map(ModelValue::Bytes).boxed(),
        UserProperty => (text(), text()).prop_map(|(name, value)| ModelValue::Pair(name, value)).boxed(),
        ContentType
        | AssignedClientIdentifier
        | AuthenticationMethod
        | ResponseInformation
        | ServerReference
        | ReasonString => text().prop_map(ModelValue::Text).boxed(),
    }
}

/// Some of `once`, each at most once, and any number of `repeated`, in any order; none before 5.0.
fn properties(
    once: &[PropertyId],
    repeated: &[PropertyId],
    version: Version,
) -> BoxedStrategy<ModelProperties> {
    if !version.is_v5() {
        return Just(Vec::new()).boxed();
    }
    let singles = proptest::sample::subsequence(once.to_vec(), 0..=once.len());
    let many = vec(select(repeated.to_vec()), 0..4);
    (singles, many)
        .prop_map(|(singles, many)| [singles, many].concat())
        .prop_shuffle()
        .prop_map(|mut ids| {
            // Data without a method is a Protocol Error.
            if !ids.contains(&PropertyId::AuthenticationMethod) {
                ids.retain(|id| *id != PropertyId::AuthenticationData);
            }
            ids
        })
        .prop_flat_map(|ids| {
            ids.into_iter().map(|id| value(id).prop_map(move |value| (id, value))).collect::<Vec<_>>()
        })
        .boxed()
}

use PropertyId as Id;
const USER: &[Id] = &[Id::UserProperty];
const MESSAGE: [Id; 5] = [
    Id::PayloadFormatIndicator,
    Id::MessageExpiryInterval,
    Id::ContentType,
    Id::ResponseTopic,
    Id::CorrelationData,
];

fn connect(version: Version) -> BoxedStrategy<Model> {
    let once = [
        Id::SessionExpiryInterval,
        Id::AuthenticationMethod,
        Id::AuthenticationData,
        Id::RequestProblemInformation,
        Id::RequestResponseInformation,
        Id::ReceiveMaximum,
        Id::TopicAliasMaximum,
        Id::MaximumPacketSize,
    ];
    let with_delay = [&MESSAGE[..], &[Id::WillDelayInterval]].concat();
    let will =
        (topic_name(), qos(), any::<bool>(), properties(&with_delay, USER, version), payload()).prop_map(
            |(topic, qos, retain, properties, payload)| ModelWill { topic, qos, retain, properties, payload },
        );
    let credentials = (option::of(text()), option::of(vec(any::<u8>(), 0..20)));
    (any::<bool>(), any::<u16>(), properties(&once, USER, version), text(), option::of(will), credentials)
        .prop_map(move |(clean_start, keep_alive_secs, properties, client_identifier, will, credentials)| {
            let (user_name, password) = credentials;
            let password = password.filter(|_| user_name.is_some() || version.is_v5());
            Model::Connect {
                clean_start,
                keep_alive_secs,
                properties,
                client_identifier,
                will,
                user_name,
                password,
            }
        })
        .boxed()
}

fn connack(version: Version) -> BoxedStrategy<Model> {
    let once = [
        Id::SessionExpiryInterval,
        Id::ReceiveMaximum,
        Id::MaximumQoS,
        Id::RetainAvailable,
        Id::MaximumPacketSize,
        Id::AssignedClientIdentifier,
        Id::TopicAliasMaximum,
        Id::ReasonString,
        Id::WildcardSubscriptionAvailable,
        Id::SubscriptionIdentifierAvailable,
        Id::SharedSubscriptionAvailable,
        Id::ServerKeepAlive,
        Id::ResponseInformation,
        Id::ServerReference,
        Id::AuthenticationMethod,
        Id::AuthenticationData,
    ];
    let reasons = if version.is_v5() {
        reason(PacketType::ConnAck, version).boxed()
    } else {
        // Of the reasons that share a return code, the one that the code is read as.
        select(vec![
            ReasonCode::Success,
            ReasonCode::UnsupportedProtocolVersion,
            ReasonCode::ClientIdentifierNotValid,
            ReasonCode::ServerUnavailable,
            ReasonCode::BadUserNameOrPassword,
            ReasonCode::NotAuthorized,
        ])
        .boxed()
    };
    (any::<bool>(), reasons, properties(&once, USER, version))
        .prop_map(move |(session_present, reason, properties)| {
            let session_present = session_present && version != Version::V31;
            Model::ConnAck { session_present, reason, properties }
        })
        .boxed()
}

fn publish(version: Version) -> BoxedStrategy<Model> {
    let once = [&MESSAGE[..], &[Id::TopicAlias]].concat();
    let repeated = [Id::UserProperty, Id::SubscriptionIdentifier];
    let flags = (any::<bool>(), qos(), any::<bool>());
    (flags, topic_name(), any::<bool>(), identifier(), properties(&once, &repeated, version), payload())
        .prop_map(move |((dup, qos, retain), topic, by_alias, identifier, properties, payload)| {
            let has_alias = properties.iter().any(|(id, _)| *id == Id::TopicAlias);
            let topic = (!(by_alias && has_alias)).then_some(topic);
            let dup = dup && (qos != QoS::AtMostOnce || version == Version::V31);
            Model::Publish { dup, qos, retain, topic, identifier, properties, payload }
        })
        .boxed()
}

fn ack(version: Version) -> BoxedStrategy<Model> {
    select(vec![PacketType::PubAck, PacketType::PubRec, PacketType::PubRel, PacketType::PubComp])
        .prop_flat_map(move |packet_type| {
            let rest =
                (identifier(), reason(packet_type, version), properties(&[Id::ReasonString], USER, version));
            rest.prop_map(move |(identifier, reason, properties)| Model::Ack {
                packet_type,
                identifier,
                reason,
                properties,
            })
        })
        .boxed()
}

fn options(version: Version) -> BoxedStrategy<SubscriptionOptions> {
    if !version.is_v5() {
        return qos().prop_map(SubscriptionOptions::of_qos).boxed();
    }
    let handling =
        select(vec![RetainHandling::SendAtSubscribe, RetainHandling::SendIfNew, RetainHandling::DoNotSend]);
    (qos(), any::<bool>(), any::<bool>(), handling)
        .prop_map(|(qos, no_local, retain_as_published, retain_handling)| SubscriptionOptions {
            qos,
            no_local,
            retain_as_published,
            retain_handling,
        })
        .boxed()
}

fn subscribe(version: Version) -> BoxedStrategy<Model> {
    let block = properties(&[Id::SubscriptionIdentifier], USER, version);
    (identifier(), block, vec((text(), options(version)), 1..6))
        .prop_map(|(identifier, properties, filters)| Model::Subscribe { identifier, properties, filters })
        .boxed()
}

fn suback(version: Version) -> BoxedStrategy<Model> {
    let legal: Vec<u8> = match version {
        Version::V31 => vec![0, 1, 2],
        Version::V311 => vec![0, 1, 2, 0x80],
        Version::V5 => codes_of(PacketType::SubAck),
    };
    (identifier(), properties(&[Id::ReasonString], USER, version), vec(select(legal), 1..6))
        .prop_map(|(identifier, properties, codes)| Model::SubAck { identifier, properties, codes })
        .boxed()
}

fn unsubscribe(version: Version) -> BoxedStrategy<Model> {
    (identifier(), properties(&[], USER, version), vec(text(), 1..6))
        .prop_map(|(identifier, properties, filters)| Model::Unsubscribe { identifier, properties, filters })
        .boxed()
}

fn unsuback(version: Version) -> BoxedStrategy<Model> {
    let codes = vec(select(codes_of(PacketType::UnsubAck)), if version.is_v5() { 1..6 } else { 0..1 });
    (identifier(), properties(&[Id::ReasonString], USER, version), codes)
        .prop_map(|(identifier, properties, codes)| Model::UnsubAck { identifier, properties, codes })
        .boxed()
}

fn codes_of(packet_type: PacketType) -> Vec<u8> {
    ReasonCode::ALL
        .iter()
        .filter(|reason| reason.is_valid_in(packet_type))
        .map(|reason| reason.as_u8())
        .collect()
}

fn disconnect(version: Version) -> BoxedStrategy<Model> {
    let once = [Id::SessionExpiryInterval, Id::ReasonString, Id::ServerReference];
    (reason(PacketType::Disconnect, version), properties(&once, USER, version))
        .prop_map(|(reason, properties)| Model::Disconnect { reason, properties })
        .boxed()
}

fn auth() -> BoxedStrategy<Model> {
    let once = [Id::AuthenticationData, Id::ReasonString];
    let method = value(Id::AuthenticationMethod).prop_map(|value| (Id::AuthenticationMethod, value));
    // `properties` leaves data out where no method is drawn with it, so method and data are put together here.
    let rest = proptest::sample::subsequence(once.to_vec(), 0..=once.len()).prop_flat_map(|ids| {
        ids.into_iter().map(|id| value(id).prop_map(move |v| (id, v))).collect::<Vec<_>>()
    });
    (reason(PacketType::Auth, Version::V5), method, rest, any::<bool>())
        .prop_map(|(reason, method, mut properties, short)| {
            if short && reason == ReasonCode::Success {
                return Model::Auth { reason, properties: Vec::new() };
            }
            properties.push(method);
            Model::Auth { reason, properties }
        })
        .boxed()
}
