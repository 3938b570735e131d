//! Every record comes back as it was written, and nothing else makes the decoder stumble.

use proptest::prelude::*;

use super::*;
use crate::durable::place::{Place, Stored};

fn qos() -> impl Strategy<Value = QoS> {
    (0u8..3).prop_map(|qos| QoS::from_u8(qos).unwrap())
}

fn presence() -> impl Strategy<Value = Presence> {
    (any::<u32>(), proptest::option::of(0..u64::MAX / 2))
        .prop_map(|(expiry_secs, left_at_ms)| Presence { expiry_secs, left_at_ms })
}

fn reference() -> impl Strategy<Value = Reference> {
    prop_oneof![
        Just(Reference::Nothing),
        any::<u64>().prop_map(Reference::Number),
        any::<(u64, u32, u32, u32)>().prop_map(|(position, length, size, expires_secs)| {
            Reference::Place(Stored { place: Place::new(position, length), size, expires_secs })
        }),
    ]
}

fn copy() -> impl Strategy<Value = Copy<'static>> {
    let identifiers = proptest::collection::vec(any::<u32>(), 0..4);
    (reference(), qos(), any::<bool>(), identifiers, any::<Option<u64>>()).prop_map(
        |(message, qos, retain, identifiers, group)| Copy {
            message,
            qos,
            retain,
            identifiers: identifiers.into(),
            group,
        },
    )
}

fn there_and_back(record: &Record<'_>) {
    let mut bytes = Vec::new();
    record.encode(&mut bytes);
    assert_eq!(format!("{:?}", Record::decode(&bytes)), format!("{:?}", Some(record)));
    for len in 0..bytes.len() {
        assert!(Record::decode(&bytes[..len]).is_none(), "the beginning of a record is none");
    }
}

proptest! {
    #[test]
    fn records_of_sessions(
        key in any::<u64>(),
        organisation in any::<u32>(),
        text in ".{0,40}",
        presence in presence(),
        copy in copy(),
        identifier in 1u16..,
        (options, number, sequence) in any::<(u8, u32, u64)>(),
    ) {
        let text = text.as_str();
        there_and_back(&Record::Session { key, organisation, client_identifier: text, presence });
        there_and_back(&Record::Presence { key, presence });
        there_and_back(&Record::Ended { key });
        there_and_back(&Record::Subscribed { key, filter: text, options, identifier: number });
        there_and_back(&Record::Unsubscribed { key, filter: text });
        there_and_back(&Record::Queued { key, sequence, since_secs: u64::from(number), copy: copy.clone() });
        there_and_back(&Record::Sent { key, identifier, copy });
        there_and_back(&Record::Begun { key, sequence, identifier });
        there_and_back(&Record::Received { key, identifier });
        there_and_back(&Record::Finished { key, identifier });
        there_and_back(&Record::Taken { key, identifier });
        there_and_back(&Record::Offered { key, identifier, shards: 1 + options % 64, kept: sequence });
        there_and_back(&Record::Kept { key, identifier, shard: options % 64 });
        there_and_back(&Record::Released { key, identifier });
    }

    #[test]
    fn records_of_messages(
        (number, organisation, retain) in any::<(u64, u32, bool)>(),
        (topic, client) in (".{0,40}", ".{0,40}"),
        (properties, payload) in any::<(Vec<u8>, Vec<u8>)>(),
        qos in qos(),
        expires_at_ms in proptest::option::of(0..u64::MAX / 2),
        (delay_secs, expiry_secs) in any::<(u32, Option<u32>)>(),
    ) {
        let (topic, properties, payload) = (topic.as_str(), &properties[..], &payload[..]);
        let message = Message { topic, properties, payload, qos, retain, expires_at_ms };
        there_and_back(&Record::Message { number, message });
        there_and_back(&Record::Retained { organisation, message });
        there_and_back(&Record::Unretained { organisation, topic });
        let will = WillParts { topic, payload, properties, qos, retain, delay_secs, expiry_secs };
        there_and_back(&Record::Will { number, organisation, client_identifier: &client, will });
        there_and_back(&Record::WillGone { number });
    }

    #[test]
    fn any_bytes_are_a_record_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Some(record) = Record::decode(&bytes) {
            let mut again = Vec::new();
            record.encode(&mut again);
            prop_assert!(Record::decode(&again).is_some());
        }
    }
}
