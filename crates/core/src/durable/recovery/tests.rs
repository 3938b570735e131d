//! What is kept of a log that has more messages than are looked through at once.

use super::*;
use crate::message::Message;

const KEY: SessionKey = 64;
const MANY: u64 = 5 * MESSAGES_BEFORE_PURGE_MIN as u64 / 2;

fn tell(recovery: &mut Recovery, record: &Record<'_>) {
    let mut bytes = Vec::new();
    record.encode(&mut bytes);
    assert!(recovery.record(&bytes));
}

fn tell_session(recovery: &mut Recovery) {
    let presence = Presence { expiry_secs: 60, left_at_ms: Some(0) };
    tell(recovery, &Record::Session { key: KEY, organisation: 0, client_identifier: "away", presence });
}

fn tell_message(recovery: &mut Recovery, number: MessageNumber) {
    let (qos, retain, expires_at_ms) = (QoS::AtLeastOnce, false, None);
    let message = Message { topic: "t", properties: &[], payload: b"x", qos, retain, expires_at_ms };
    tell(recovery, &Record::Message { number, message });
}

fn tell_queued(recovery: &mut Recovery, sequence: u64, number: MessageNumber) {
    let (qos, identifiers) = (QoS::AtLeastOnce, (&[][..]).into());
    let copy = Copy { message: number, qos, retain: false, received: false, identifiers, group: None };
    tell(recovery, &Record::Queued { key: KEY, sequence, since_secs: 0, copy });
}

#[test]
fn a_message_of_an_image_is_there_for_its_copy_however_old_its_number_is() {
    let mut recovery = Recovery::default();
    tell_session(&mut recovery);
    // Each has a lower number than all before, as in an image of what came long ago.
    for sequence in 0..MANY {
        let number = (MANY - sequence) * 64;
        tell_message(&mut recovery, number);
        tell_queued(&mut recovery, sequence, number);
    }
    assert_eq!(recovery.lost(), 0);
    assert_eq!(recovery.sessions[&KEY].queue.len() as u64, MANY);
}

/// A log begins with a checkpoint. What is published meanwhile is in it before the image of the session that it waits in,
/// and the image does not write it again.
#[test]
fn an_image_refers_to_messages_that_were_written_long_before_it() {
    let mut recovery = Recovery::default();
    for sequence in 0..MANY {
        tell_message(&mut recovery, (sequence + 1) * 64);
        tell_queued(&mut recovery, sequence, (sequence + 1) * 64);
    }
    assert_eq!(recovery.counts(), (0, 0), "nothing of it counts before the image comes");
    tell_session(&mut recovery);
    for sequence in 0..MANY {
        tell_queued(&mut recovery, sequence, (sequence + 1) * 64);
    }
    assert_eq!((recovery.lost(), recovery.counts()), (0, (1, 0)));
    assert_eq!(recovery.sessions[&KEY].queue.len() as u64, MANY);
}

#[test]
fn copies_of_a_session_without_an_image_are_not_restored() {
    let mut recovery = Recovery::default();
    tell_message(&mut recovery, 64);
    tell_queued(&mut recovery, 0, 64);
    tell_queued(&mut recovery, 1, 128);
    assert_eq!(recovery.lost(), 0, "the message may be older than the log; an image would write it again");
    assert!(recovery.split(0, 1)[0].sessions.is_empty());
}

#[test]
fn messages_that_nobody_refers_to_are_forgotten() {
    let mut recovery = Recovery::default();
    for number in 1..=2 * MANY {
        tell_message(&mut recovery, number * 64);
        assert!(recovery.messages.len() <= 3 * MESSAGES_BEFORE_PURGE_MIN);
    }
}
