//! What records leave is shown as it is.

use super::*;
use crate::durable::place::Reference;
use crate::durable::record::{Copy, Presence, Record, WillParts};
use crate::message::Message;

const KEY: u64 = 64;

fn told(records: &[Record<'_>]) -> Recovery {
    let mut recovery = Recovery::default();
    let mut log = Vec::new();
    for record in records {
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        assert!(recovery.record(&bytes, 64 + log.len() as u64));
        log.push(bytes);
    }
    recovery.read_all(|place| log.get(place.position() as usize - 64).cloned());
    recovery
}

fn content(topic: &str) -> Message<'_> {
    let (properties, payload) = (&[][..], &b"12345"[..]);
    Message { topic, properties, payload, qos: QoS::ExactlyOnce, retain: true, expires_at_ms: Some(9) }
}

fn message(number: u64, topic: &str) -> Record<'_> {
    Record::Message { number, message: content(topic) }
}

fn retained(topic: &str) -> Record<'_> {
    Record::Retained { organisation: 0, message: content(topic) }
}

fn copy(message: Reference) -> Copy<'static> {
    Copy { message, qos: QoS::AtLeastOnce, retain: false, identifiers: (&[][..]).into(), group: None }
}

fn session(key: u64, client_identifier: &str, expiry_secs: u32, left_at_ms: Option<u64>) -> Record<'_> {
    Record::Session {
        key,
        organisation: 0,
        client_identifier,
        presence: Presence { expiry_secs, left_at_ms },
    }
}

#[test]
fn a_session_is_shown_with_all_that_belongs_to_it() {
    let recovery = told(&[
        session(KEY, "away", 60, Some(5)),
        Record::Subscribed { key: KEY, filter: "t/#", options: 1 | AWAITS_RETAINED, identifier: 7 },
        Record::Subscribed { key: KEY, filter: "$share/g/a", options: 0x2C | 2, identifier: 0 },
        message(128, "t/1"),
        Record::Queued { key: KEY, sequence: 0, since_secs: 11, copy: copy(Reference::Number(128)) },
        Record::Queued { key: KEY, sequence: 1, since_secs: 12, copy: copy(Reference::Number(128)) },
        Record::Begun { key: KEY, sequence: 0, identifier: 3 },
        Record::Sent { key: KEY, identifier: 4, copy: copy(Reference::Nothing) },
        Record::Taken { key: KEY, identifier: 9 },
        Record::Offered { key: KEY, identifier: 8, shards: 2, kept: 1 },
    ]);
    let away = recovery.sessions().next().unwrap();
    assert_eq!(
        (away.client_identifier(), away.expiry_secs(), away.left_at_ms()),
        ("away", Some(60), Some(5))
    );
    let [shared, plain] = away.subscriptions()[..] else { panic!("two subscriptions") };
    assert_eq!((plain.filter, plain.qos, plain.identifier), ("t/#", QoS::AtLeastOnce, Some(7)));
    assert!(plain.awaits_retained && !plain.no_local && !plain.retain_as_published);
    assert_eq!((shared.filter, shared.qos, shared.identifier), ("$share/g/a", QoS::ExactlyOnce, None));
    assert!(shared.no_local && shared.retain_as_published);
    assert_eq!(shared.retain_handling, RetainHandling::DoNotSend);
    let (qos, expires_at_ms) = (QoS::AtLeastOnce, Some(9));
    let copy = MessageReport { topic: "t/1", qos, retain: false, payload: b"12345", bytes: 8, expires_at_ms };
    let waiting: Vec<_> = away.waiting().collect();
    assert_eq!(waiting, [WaitingReport { since_secs: 12, bytes: 8, message: Some(copy) }]);
    let in_flight: Vec<_> = away.in_flight().map(|it| (it.identifier, it.message)).collect();
    assert_eq!(in_flight, [(3, Some(copy)), (4, None)]);
    assert_eq!(away.awaiting_release(), [8, 9]);
}

#[test]
fn what_has_ended_and_what_is_only_expected_is_not_shown() {
    let recovery = told(&[
        session(KEY, "gone", 60, None),
        Record::Ended { key: KEY },
        message(128, "t"),
        Record::Queued { key: 2 * KEY, sequence: 0, since_secs: 1, copy: copy(Reference::Number(128)) },
        session(3 * KEY, "for ever", u32::MAX, None),
    ]);
    let shown: Vec<_> =
        recovery.sessions().map(|it| (it.client_identifier(), it.expiry_secs(), it.left_at_ms())).collect();
    assert_eq!(shown, [("for ever", None, None)]);
}

#[test]
fn retained_messages_and_wills_are_shown() {
    let will = WillParts {
        topic: "gone",
        payload: b"x",
        properties: &[],
        qos: QoS::AtLeastOnce,
        retain: true,
        delay_secs: 5,
        expiry_secs: None,
    };
    let recovery = told(&[
        retained("state"),
        retained("old"),
        Record::Unretained { organisation: 0, topic: "old" },
        Record::Will { number: 256, organisation: 0, client_identifier: "c", will },
        Record::Will { number: 320, organisation: 0, client_identifier: "d", will },
        Record::WillGone { number: 320 },
    ]);
    let retained: Vec<_> = recovery.retained().map(|(of, it)| (of, it.topic, it.payload.len())).collect();
    assert_eq!(retained, [(0, "state", 5)]);
    let wills: Vec<_> = recovery.wills().collect();
    assert_eq!(wills.len(), 1);
    assert_eq!((wills[0].client_identifier, wills[0].delay_secs), ("c", 5));
    assert_eq!((wills[0].message.topic, wills[0].message.bytes, wills[0].message.retain), ("gone", 5, true));
}
