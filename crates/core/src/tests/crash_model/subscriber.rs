//! A durable subscriber that keeps to the rules, though it takes its time.

use std::collections::{BTreeMap, VecDeque};

use tidegate_mqtt::{Acknowledgement, Packet, PropertyBuf, QoS, SubscriptionOptions};

use super::ledger::{FILTERS, Ledger, Moment};
use crate::tests::world::{Got, World};

/// What the client owes the server.
type Owed = (u16, fn(Acknowledgement<'static>) -> Packet<'static>);

/// SUBSCRIBE or UNSUBSCRIBE that is not answered.
#[derive(Clone, Copy)]
struct Asked {
    id: u16,
    filter: usize,
    at: Moment,
    /// The retained message that was certain then.
    retained: [Option<usize>; 2],
}

pub(super) struct Subscriber {
    pub(super) name: String,
    pub(super) number: usize,
    pub(super) v5: bool,
    pub(super) connected: bool,
    /// SUBACK was seen, so that the session is there for ever.
    pub(super) has_session: bool,
    /// Answers at once.
    pub(super) eager: bool,
    owed: VecDeque<Owed>,
    asked: Vec<Asked>,
    /// Messages of QoS 2 that are not released, by identifier.
    unreleased: BTreeMap<u16, Vec<u8>>,
    next_id: u16,
}

impl Subscriber {
    pub(super) fn new(number: usize, v5: bool) -> Self {
        Self {
            name: format!("s{number}"),
            number,
            v5,
            connected: false,
            has_session: false,
            eager: true,
            owed: VecDeque::new(),
            asked: Vec::new(),
            unreleased: BTreeMap::new(),
            next_id: 0,
        }
    }

    pub(super) fn disconnected(&mut self) {
        self.connected = false;
        self.owed.clear();
        self.asked.clear();
    }

    pub(super) fn is_done(&self) -> bool {
        self.owed.is_empty() && self.asked.is_empty() && self.unreleased.is_empty()
    }

    pub(super) fn subscribe(&mut self, world: &mut World, ledger: &mut Ledger, filter: usize) {
        if self.asked.iter().any(|asked| asked.filter == filter) {
            return;
        }
        let at = ledger.tick();
        let retained = [0, 1].map(|number| {
            let topic = super::ledger::FIRST_RETAINED + number;
            let last = ledger.sent.iter().rposition(|sent| sent.topic == topic);
            last.filter(|&last| ledger.is_last_retained(last) && super::ledger::matches(filter, topic))
        });
        ledger.known[self.number][filter].possible = true;
        let (name, qos) = FILTERS[filter];
        self.next_id += 1;
        world.use_identifiers_from(&self.name, self.next_id);
        self.asked.push(Asked { id: self.next_id, filter, at, retained });
        world.subscribe_with(&self.name, &[(name, SubscriptionOptions::of_qos(qos))], &PropertyBuf::new());
    }

    pub(super) fn unsubscribe(&mut self, world: &mut World, ledger: &mut Ledger, filter: usize) {
        if self.asked.iter().any(|asked| asked.filter == filter) {
            return;
        }
        let at = ledger.tick();
        ledger.known[self.number][filter].subscribed = None;
        self.next_id += 1;
        world.use_identifiers_from(&self.name, self.next_id);
        self.asked.push(Asked { id: self.next_id, filter, at, retained: [None; 2] });
        world.begin_unsubscribe(&self.name, FILTERS[filter].0);
    }

    /// Sends so many of the answers that it owes.
    pub(super) fn answer(&mut self, world: &mut World, count: usize) {
        for _ in 0..count {
            let Some((id, packet)) = self.owed.pop_front() else { return };
            world.ack(&self.name, id, packet);
        }
    }

    fn take_asked(&mut self, id: u16) -> Asked {
        let at = self.asked.iter().position(|asked| asked.id == id).expect("an answer to a question");
        self.asked.remove(at)
    }

    pub(super) fn got(&mut self, world: &mut World, ledger: &mut Ledger, got: Got) {
        match got {
            Got::ConnAck { session_present, reason, .. } => {
                assert!(!reason.is_failure(), "{reason:?}");
                assert!(session_present || !self.has_session, "the session of {} is gone", self.name);
                self.connected = true;
                if !session_present {
                    self.unreleased.clear();
                }
            }
            Got::SubAck(id, codes) => {
                assert!(codes.iter().all(|&code| code < 0x80), "{codes:?}");
                self.has_session = true;
                let asked = self.take_asked(id);
                let now = ledger.tick();
                let known = &mut ledger.known[self.number][asked.filter];
                known.subscribed = known.subscribed.or(Some(now));
                let replays = asked.retained.into_iter().flatten();
                let replays = replays.map(|message| (self.number, asked.filter, message, asked.at));
                ledger.replays.extend(replays);
            }
            Got::UnsubAck(id, _) => {
                let filter = self.take_asked(id).filter;
                let now = ledger.tick();
                let known = &mut ledger.known[self.number][filter];
                (known.possible, known.gone) = (false, now);
            }
            Got::Publish { payload, qos, retain, id, .. } => {
                self.got_publish(ledger, payload, qos, retain, id);
            }
            Got::PubRel(id, _) => {
                self.unreleased.remove(&id);
                self.owed.push_back((id, Packet::PubComp));
            }
            other => panic!("{} got {other:?}", self.name),
        }
        if self.eager {
            self.answer(world, usize::MAX);
        }
    }

    fn got_publish(&mut self, ledger: &mut Ledger, payload: Vec<u8>, qos: QoS, retain: bool, id: u16) {
        let text = String::from_utf8(payload.clone()).unwrap();
        match qos {
            QoS::AtMostOnce => {}
            QoS::AtLeastOnce => self.owed.push_back((id, Packet::PubAck)),
            QoS::ExactlyOnce => {
                self.owed.push_back((id, Packet::PubRec));
                if let Some(known) = self.unreleased.insert(id, payload.clone()) {
                    assert_eq!(known, payload, "{} has not released {id}", self.name);
                    return;
                }
            }
        }
        ledger.see(self.number, &text, qos, retain);
    }
}
