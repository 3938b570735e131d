//! What is kept of a log that has more messages than are looked through at once.

use super::*;
use crate::durable::recorder::{Numbers, Recorder, Records};
use crate::identifiers::{ShardId, Ticket};
use crate::message::Message;

const KEY: SessionKey = 64;

fn tell(recovery: &mut Recovery, record: &Record<'_>) {
    let mut bytes = Vec::new();
    record.encode(&mut bytes);
    assert!(recovery.record(&bytes));
}

fn session() -> Recovery {
    let mut recovery = Recovery::default();
    let presence = Presence { expiry_secs: 60, left_at_ms: Some(0) };
    tell(&mut recovery, &Record::Session { key: KEY, organisation: 0, client_identifier: "away", presence });
    recovery
}

fn tell_message(recovery: &mut Recovery, number: MessageNumber) {
    let (qos, retain, expires_at_ms) = (QoS::AtLeastOnce, false, None);
    let message = Message { topic: "t", properties: &[], payload: b"x", qos, retain, expires_at_ms };
    tell(recovery, &Record::Message { number, message });
}

#[test]
fn a_message_of_an_image_is_there_for_its_copy_however_old_its_number_is() {
    let mut recovery = session();
    // Each has a lower number than all before, as in an image of what came long ago.
    let count = 5 * MESSAGES_BEFORE_PURGE_MIN as u64 / 2;
    for sequence in 0..count {
        let number = (count - sequence) * 64;
        tell_message(&mut recovery, number);
        let (qos, identifiers) = (QoS::AtLeastOnce, (&[][..]).into());
        let copy = Copy { message: number, qos, retain: false, received: false, identifiers, group: None };
        tell(&mut recovery, &Record::Queued { key: KEY, sequence, since_secs: 0, copy });
    }
    assert_eq!(recovery.lost(), 0);
    assert_eq!(recovery.sessions[&KEY].queue.len() as u64, count);
}

#[test]
fn messages_that_nobody_refers_to_are_forgotten() {
    let mut recovery = session();
    for number in 1..=5 * MESSAGES_BEFORE_PURGE_MIN as u64 {
        tell_message(&mut recovery, number * 64);
        assert!(recovery.messages.len() <= 3 * MESSAGES_BEFORE_PURGE_MIN);
    }
}

#[test]
fn a_message_that_is_referred_to_again_much_later_is_there_in_a_long_log() {
    let (mut numbers, mut records) = (Numbers::new(true, ShardId(0)), Records::default());
    let (mut last_ticket, mut persist) = (Ticket(0), None);
    let mut recorder = Recorder {
        numbers: &mut numbers,
        records: &mut records,
        last_ticket: &mut last_ticket,
        persist: &mut persist,
    };
    let (qos, retain, expires_at_ms) = (QoS::AtLeastOnce, false, None);
    let content = Message { topic: "t", properties: &[], payload: b"x", qos, retain, expires_at_ms };
    let mut old = StoredMessage::new(&content);
    recorder.message(&mut old);
    for _ in 0..5 * MESSAGES_BEFORE_PURGE_MIN {
        recorder.message(&mut StoredMessage::new(&content));
    }
    let message = recorder.message(&mut old);
    let copy = Copy { message, qos, retain, received: false, identifiers: (&[][..]).into(), group: None };
    recorder.write(&Record::Queued { key: KEY, sequence: 0, since_secs: 0, copy });
    let mut recovery = session();
    assert!(records.iter().all(|record| recovery.record(record)));
    assert_eq!(recovery.lost(), 0);
}
