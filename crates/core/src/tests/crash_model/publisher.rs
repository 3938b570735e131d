//! A publisher that keeps to the rules: what is unacknowledged when its connection ends is sent again on the next.

use std::collections::VecDeque;

use tidegate_mqtt::{Packet, PacketIdentifier, Properties, Publish, QoS, TopicName};

use super::ledger::{Ledger, Sent, TOPICS};
use super::seed::Seed;
use crate::tests::world::{Got, World};

#[derive(Debug)]
struct Flight {
    message: usize,
    id: u16,
    /// PUBREC came.
    received: bool,
    /// PUBREL was sent on this connection.
    released: bool,
}

pub(super) struct Publisher {
    pub(super) name: String,
    pub(super) number: usize,
    pub(super) durable: bool,
    pub(super) v5: bool,
    pub(super) connected: bool,
    /// PUBREC was seen, so that the session is there for ever.
    pub(super) has_session: bool,
    flights: VecDeque<Flight>,
    last_id: u16,
    count: usize,
}

/// So few that each is used again soon.
const IDENTIFIERS: u16 = 8;
const FLIGHTS_MAX: usize = 5;

impl Publisher {
    pub(super) fn new(number: usize, durable: bool, v5: bool) -> Self {
        Self {
            name: format!("p{number}"),
            number,
            durable,
            v5,
            connected: false,
            has_session: false,
            flights: VecDeque::new(),
            last_id: 0,
            count: 0,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.flights.is_empty()
    }

    pub(super) fn flights(&self) -> String {
        format!("{} {:?}", self.name, self.flights)
    }

    /// Sends a message that is new, if the identifiers allow one more.
    pub(super) fn publish(
        &mut self,
        world: &mut World,
        ledger: &mut Ledger,
        topic: usize,
        qos: QoS,
        clear: bool,
    ) {
        if self.flights.len() >= FLIGHTS_MAX {
            return;
        }
        self.count += 1;
        let payload = if clear { String::new() } else { format!("{}-{}", self.number, self.count) };
        let at = ledger.tick();
        ledger.sent.push(Sent {
            publisher: self.number,
            topic,
            qos,
            payload,
            at,
            times: 1,
            acknowledged: None,
            owed_to: Vec::new(),
            owed_to_group: false,
        });
        let message = ledger.sent.len() - 1;
        let id = self.free_identifier();
        if qos != QoS::AtMostOnce {
            self.flights.push_back(Flight { message, id, received: false, released: false });
        }
        self.send(world, &ledger.sent[message], id, false);
    }

    fn free_identifier(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id % IDENTIFIERS + 1;
            if self.flights.iter().all(|flight| flight.id != self.last_id) {
                return self.last_id;
            }
        }
    }

    fn send(&self, world: &mut World, sent: &Sent, id: u16, dup: bool) {
        let packet = Packet::Publish(Publish {
            dup,
            qos: sent.qos,
            retain: sent.topic >= super::ledger::FIRST_RETAINED,
            topic: TopicName::new(TOPICS[sent.topic]).ok(),
            packet_identifier: (sent.qos != QoS::AtMostOnce).then(|| PacketIdentifier::new(id).unwrap()),
            properties: Properties::NONE,
            payload: sent.payload.as_bytes(),
        });
        world.send(&self.name, &packet);
    }

    /// CONNACK came.
    pub(super) fn connected(&mut self, world: &mut World, ledger: &mut Ledger, session_present: bool) {
        assert!(session_present || !self.has_session, "the session of {} is gone", self.name);
        self.connected = true;
        if !session_present {
            // The server has taken what it gave PUBREC for; the rest begins anew.
            self.flights.retain(|flight| !flight.received);
            self.flights.iter().for_each(|flight| ledger.sent[flight.message].times += 1);
        }
        for at in 0..self.flights.len() {
            let flight = &mut self.flights[at];
            flight.released = flight.received;
            let (id, message) = (flight.id, flight.message);
            if flight.received {
                world.ack(&self.name, id, Packet::PubRel);
            } else {
                self.send(world, &ledger.sent[message], id, session_present);
            }
        }
    }

    /// The server crashes.
    pub(super) fn crashed(&mut self, ledger: &mut Ledger, shards: u8) {
        self.disconnected();
        for flight in self.flights.iter().filter(|flight| !flight.received) {
            let sent = &mut ledger.sent[flight.message];
            let torn = shards > 1 && self.durable && sent.qos == QoS::ExactlyOnce;
            sent.times += usize::from(torn);
        }
    }

    pub(super) fn disconnected(&mut self) {
        self.connected = false;
        self.flights.iter_mut().for_each(|flight| flight.released = false);
    }

    pub(super) fn got(&mut self, world: &mut World, ledger: &mut Ledger, got: Got, seed: &mut Seed) {
        let at = |id| self.flights.iter().position(|flight| flight.id == id);
        match got {
            Got::ConnAck { session_present, reason, .. } => {
                assert!(!reason.is_failure(), "{reason:?}");
                self.connected(world, ledger, session_present);
            }
            Got::PubAck(id, reason) => {
                assert!(!reason.is_failure(), "{reason:?}");
                let at = at(id).expect("PUBACK answers something");
                let flight = self.flights.remove(at).unwrap();
                assert_eq!(ledger.sent[flight.message].qos, QoS::AtLeastOnce);
                ledger.acknowledge(flight.message);
            }
            Got::PubRec(id, reason) => {
                assert!(!reason.is_failure(), "{reason:?}");
                let at = at(id).expect("PUBREC answers something");
                let flight = &mut self.flights[at];
                assert_eq!(ledger.sent[flight.message].qos, QoS::ExactlyOnce);
                self.has_session |= self.durable;
                flight.received = true;
                ledger.acknowledge(flight.message);
                if seed.percent(70) {
                    self.release(world);
                }
            }
            Got::PubComp(id, _) => {
                let at = at(id).filter(|&at| self.flights[at].released).expect("PUBCOMP answers PUBREL");
                self.flights.remove(at);
            }
            other => panic!("{} got {other:?}", self.name),
        }
    }

    /// Sends PUBREL for everything that waits for it.
    pub(super) fn release(&mut self, world: &mut World) {
        for flight in self.flights.iter_mut().filter(|flight| flight.received && !flight.released) {
            flight.released = true;
            world.ack(&self.name, flight.id, Packet::PubRel);
        }
    }
}
