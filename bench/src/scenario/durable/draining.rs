//! The clients come back, and everything that was acknowledged has to come: once, in order, and nothing else.

use super::Backlog;
use crate::broker::Broker;
use crate::clock;
use crate::codec::{self, Packet, Publish, QoS, SessionLifetime};
use crate::door::Door;
use crate::fault::Fault;
use crate::fleet::{self, KEEP_ALIVE_SECS};
use crate::payload::Label;
use crate::reactor::{ConnectionId, Handler, Outbox, Reactor, Refill};
use crate::traffic::{Order, STALL};
use std::time::Duration;

/// Connects all sessions at once and returns how many messages came when each has everything of its publishers and the
/// broker has taken the last PUBACK. `acknowledged` counts each publisher's messages.
pub(super) fn drain(backlog: &Backlog, broker: &Broker, acknowledged: &[u64]) -> Result<u64, Fault> {
    let mut reactor = Reactor::new()?;
    let entrance = broker.entrance(Door::Tcp)?;
    for session in 0..backlog.sessions {
        let id = reactor.open(entrance, fleet::source_address(entrance.address, session))?;
        let client_identifier = Backlog::client_identifier(session);
        let queue = reactor.outbox().queue(id);
        codec::encode_connect(queue, &client_identifier, SessionLifetime::Durable, KEEP_ALIVE_SECS);
    }
    let mut draining = Draining::new(backlog, acknowledged);
    let (mut arrived, mut stalled_at) = (0, clock::deadline(STALL));
    while draining.done < backlog.sessions {
        reactor.turn(Duration::from_millis(50), &mut draining)?;
        if draining.progress() != arrived {
            (arrived, stalled_at) = (draining.progress(), clock::deadline(STALL));
        } else if clock::nanos() > stalled_at {
            let missing = acknowledged.iter().sum::<u64>() - draining.arrived();
            return Err(Fault::Stalled(format!("{missing} acknowledged messages never arrived: lost")));
        }
    }
    Ok(draining.arrived())
}

/// Connection `n` is the client of session `n`.
struct Draining {
    sessions: Vec<Session>,
    order: Order,
    payload_bytes: usize,
    /// Sessions that are complete.
    done: usize,
}

struct Session {
    expected: u64,
    arrived: u64,
}

impl Draining {
    fn new(backlog: &Backlog, acknowledged: &[u64]) -> Self {
        let expected = |session| {
            let counts = acknowledged.iter().enumerate();
            counts.map(|(publisher, &count)| backlog.count_in(session, publisher, count)).sum()
        };
        let first = |session, publisher| backlog.first_in(session, publisher).unwrap_or(u64::MAX);
        Self {
            sessions: (0..backlog.sessions)
                .map(|session| Session { expected: expected(session), arrived: 0 })
                .collect(),
            order: Order::every(backlog.step(), backlog.sessions, backlog.publishers, first),
            payload_bytes: backlog.payload_bytes,
            done: 0,
        }
    }

    fn arrived(&self) -> u64 {
        self.sessions.iter().map(|session| session.arrived).sum()
    }

    fn progress(&self) -> u64 {
        self.arrived() + self.done as u64
    }

    #[inline]
    fn on_publish(&mut self, session: usize, message: &Publish<'_>, out: &mut Outbox) -> Result<(), Fault> {
        let label = Label::from_payload(message.payload)
            .filter(|_| message.payload.len() == self.payload_bytes && !message.retain)
            .ok_or_else(|| Fault::Delivery("a message arrived that this run has not published".into()))?;
        let packet_identifier = message
            .packet_identifier
            .ok_or_else(|| Fault::Delivery(format!("{label:?} arrived with QoS 0 instead of 1")))?;
        self.order.check(session, label)?;
        let Session { expected, arrived } = &mut self.sessions[session];
        *arrived += 1;
        if *arrived > *expected {
            return Err(Fault::Delivery(format!("{label:?} arrived and was never published")));
        }
        codec::encode_puback(out.queue(session), packet_identifier);
        if arrived == expected {
            ask_whether_all_is_taken(session, out);
        }
        Ok(())
    }
}

/// The answer to a SUBSCRIBE behind the last PUBACK shows that the broker has dealt with that; the subscription exists, so
/// nothing changes.
fn ask_whether_all_is_taken(session: usize, out: &mut Outbox) {
    codec::encode_subscribe(out.queue(session), 1, &[Backlog::topic(session)], QoS::AtLeastOnce);
}

impl Handler for Draining {
    #[inline]
    fn on_packet(
        &mut self,
        from: ConnectionId,
        packet: Packet<'_>,
        _: u64,
        out: &mut Outbox,
    ) -> Result<(), Fault> {
        match packet {
            Packet::Publish(message) => self.on_publish(from, &message, out)?,
            Packet::Connack { session_present: true, return_code: 0 } => {
                if self.sessions[from].expected == 0 {
                    ask_whether_all_is_taken(from, out);
                }
            }
            Packet::Connack { session_present: false, return_code: 0 } => {
                return Err(Fault::Delivery(format!("the broker has forgotten session {from}: lost")));
            }
            Packet::Suback { refused: 0 } => self.done += 1,
            other => return Err(Fault::Refused(format!("session {from} got an unexpected {other:?}"))),
        }
        Ok(())
    }

    fn refill(&mut self, _: u64, _: &mut Outbox) -> Result<Refill, Fault> {
        Ok(Refill::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Route;
    use super::*;
    use crate::payload;

    /// Two publishers into one session: three messages of the first and one of the second were acknowledged.
    struct Client {
        draining: Draining,
        out: Outbox,
    }

    impl Client {
        fn new() -> Self {
            let backlog =
                Backlog { publishers: 2, in_flight: 1, sessions: 1, payload_bytes: 20, route: Route::Own };
            let mut out = Outbox::default();
            out.reset(0);
            Self { draining: Draining::new(&backlog, &[3, 1]), out }
        }

        fn gets(&mut self, packet: Packet<'_>) -> Result<(), String> {
            self.draining.on_packet(0, packet, 0, &mut self.out).map_err(|fault| fault.to_string())
        }

        fn gets_message(&mut self, publisher: u32, sequence: u64) -> Result<(), String> {
            let mut payload = Vec::new();
            payload::encode(&mut payload, Label { publisher, sequence }, 20);
            self.gets(Packet::Publish(Publish {
                topic: b"d/0",
                payload: &payload,
                packet_identifier: Some(7),
                retain: false,
            }))
        }
    }

    #[test]
    fn a_session_is_done_when_all_has_come_and_the_broker_has_taken_the_last_puback() {
        let mut client = Client::new();
        client.gets(Packet::Connack { session_present: true, return_code: 0 }).unwrap();
        for (publisher, sequence) in [(0, 0), (1, 0), (0, 1), (0, 2)] {
            assert!(!client.out.queue(0).contains(&0x82), "no SUBSCRIBE before the last message");
            client.gets_message(publisher, sequence).unwrap();
        }
        assert_eq!(client.out.queue(0)[..16], b"\x40\x02\x00\x07".repeat(4));
        assert_eq!(client.out.queue(0)[16], 0x82);
        assert_eq!(client.draining.done, 0);
        client.gets(Packet::Suback { refused: 0 }).unwrap();
        assert_eq!((client.draining.done, client.draining.arrived()), (1, 4));
    }

    #[test]
    fn what_is_lost_repeated_or_was_never_acknowledged_is_a_fault() {
        let mut client = Client::new();
        client.gets_message(0, 0).unwrap();
        assert!(client.gets_message(0, 2).unwrap_err().starts_with("lost"));
        assert!(client.gets_message(0, 0).unwrap_err().starts_with("repeated"));
        for (publisher, sequence) in [(0, 1), (0, 2), (1, 0)] {
            client.gets_message(publisher, sequence).unwrap();
        }
        assert!(client.gets_message(1, 1).unwrap_err().contains("never published"));
    }

    #[test]
    fn a_forgotten_session_is_a_fault() {
        let connack = Packet::Connack { session_present: false, return_code: 0 };
        assert!(Client::new().gets(connack).unwrap_err().contains("forgotten"));
    }
}
