//! What is kept of a log that is too long to be kept as a whole.

use tidegate_mqtt::QoS;

use super::*;
use crate::durable::record::{MessageNumber, Presence};
use crate::durable::recorder::CONTENTS_PER_STRETCH;
use crate::message::Message;

const KEY: SessionKey = 64;
const MANY: u64 = 3 * CONTENTS_PER_STRETCH as u64;

/// A log in the making: each record has a segment of its own.
#[derive(Default)]
struct Told {
    recovery: Recovery,
    records: u64,
}

impl Told {
    fn tell(&mut self, record: &Record<'_>) -> Place {
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        self.records += 1;
        assert!(self.recovery.record(&bytes, self.records << 32));
        Place::new(self.records << 32, bytes.len() as u32)
    }

    fn session(&mut self) {
        let presence = Presence { expiry_secs: 60, left_at_ms: Some(0) };
        self.tell(&Record::Session { key: KEY, organisation: 0, client_identifier: "away", presence });
    }

    fn message(&mut self, number: MessageNumber) -> Place {
        let (qos, retain, expires_at_ms) = (QoS::AtLeastOnce, false, None);
        let message = Message { topic: "t", properties: &[], payload: b"x", qos, retain, expires_at_ms };
        self.tell(&Record::Message { number, message })
    }

    fn queued(&mut self, sequence: u64, message: Reference) {
        let (qos, identifiers) = (QoS::AtLeastOnce, (&[][..]).into());
        let copy = Copy { message, qos, retain: false, identifiers, group: None };
        self.tell(&Record::Queued { key: KEY, sequence, since_secs: 0, copy });
    }

    fn lost(&mut self) -> u64 {
        self.recovery.hold(|_| true);
        self.recovery.lost()
    }

    /// Where the copies of the queue are, in order.
    fn places(&self) -> Vec<Option<Place>> {
        let place = |queued: &Queued| match queued.content {
            Content::Log(stored) => Some(stored.place),
            _ => None,
        };
        self.recovery.sessions[&KEY].queue.messages.iter().map(place).collect()
    }
}

fn at(place: Place) -> Reference {
    Reference::Place(Stored { place, size: 2, expires_secs: u32::MAX })
}

#[test]
fn a_copy_finds_content_by_number_as_long_as_a_recorder_refers_to_it_so() {
    let mut told = Told::default();
    told.session();
    let first = told.message(64);
    // As many as are written before the number counts for nothing, by the same shard; others do not count.
    for number in 2..=u64::from(CONTENTS_PER_STRETCH) {
        told.message(number * SHARDS_MAX);
        told.message(number * SHARDS_MAX + 1);
    }
    told.queued(0, Reference::Number(64));
    assert_eq!((told.places(), told.lost()), (vec![Some(first)], 0));
}

#[test]
fn contents_that_nobody_can_refer_to_by_number_any_more_are_forgotten() {
    let mut told = Told::default();
    for number in 1..=MANY {
        told.message(number * SHARDS_MAX);
    }
    assert_eq!(told.recovery.contents.len(), CONTENTS_PER_STRETCH as usize);
    told.session();
    told.queued(0, Reference::Number(SHARDS_MAX));
    assert_eq!(told.lost(), 1, "no recorder writes this");
}

#[test]
fn content_that_was_written_again_is_known_by_its_last_place() {
    let mut told = Told::default();
    told.session();
    told.message(64);
    let again = told.message(64);
    for number in 2..u64::from(CONTENTS_PER_STRETCH) {
        told.message(number * SHARDS_MAX);
    }
    // The first of the two is forgotten with this one, and the second must not be.
    told.message(MANY * SHARDS_MAX);
    told.queued(0, Reference::Number(64));
    assert_eq!((told.places(), told.lost()), (vec![Some(again)], 0));
}

/// A log begins with a checkpoint. What is published meanwhile is in it before the image of the session that it waits in.
#[test]
fn an_image_may_come_long_after_copies_that_are_newer() {
    let mut told = Told::default();
    told.queued(2, Reference::Number(64));
    let newer = told.message(128);
    told.queued(3, Reference::Number(128));
    assert_eq!(told.recovery.counts(), (0, 0), "nothing of it counts before the image comes");
    told.session();
    let older = Place::new(7, 10);
    for sequence in 0..3 {
        told.queued(sequence, at(older));
    }
    let places = vec![Some(older), Some(older), Some(older), Some(newer)];
    assert_eq!((told.places(), told.lost()), (places, 0));
}

#[test]
fn what_is_missing_in_a_queue_is_lost_and_what_is_around_it_is_there() {
    let mut told = Told::default();
    told.session();
    let place = Place::new(7, 10);
    told.queued(5, at(place));
    told.queued(7, at(place));
    assert_eq!((told.places(), told.lost()), (vec![Some(place), None, Some(place)], 1));
    told.recovery.hold(|_| false);
    assert_eq!(told.places(), [None, None, None]);
}

#[test]
fn copies_of_a_session_without_an_image_are_not_restored() {
    let mut told = Told::default();
    told.message(64);
    told.queued(0, Reference::Number(64));
    told.queued(1, Reference::Number(128));
    assert_eq!(told.lost(), 0, "the content may be older than the log; an image would say where it is");
    assert!(told.recovery.split(0, 1)[0].sessions.is_empty());
}

const SHARDS_MAX: u64 = 64;
