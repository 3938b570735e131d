//! Handing out copies: into a connection now, or into a session's queue; and what waits, when there is room.

use std::collections::VecDeque;

use tidegate_mqtt::{PacketIdentifier, QoS};
use tidegate_observe::{Counters, DropReason};

use crate::connection::Connections;
use crate::delivery::{Encoder, Manner, Post, Sharing};
use crate::durable::place::Reference;
use crate::durable::reading::Reading;
use crate::durable::record::{Record, SessionKey};
use crate::durable::recorder::Recorder;
use crate::identifiers::{ConnectionId, OrganisationId, SessionId, Ticket};
use crate::limits::Limits;
use crate::message::Keepable;
use crate::outbound::BufferPool;
use crate::queue::cache::QueueCache;
use crate::queue::{Accounts, Content, Queued};
use crate::session::{Session, Sessions};
use crate::time::Now;
use crate::usage::Allowance;
use crate::window::Exchange;

/// What became of one copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivered {
    /// Sent, dropped, or queued for a session that ends with its connection: nothing to wait for.
    Live,
    /// A session that outlives its connection has it: it must be durable before the publisher is told.
    Durable,
}

/// Everything that handing out copies needs, borrowed from the core for the length of one step.
pub(crate) struct Courier<'a> {
    pub(crate) now: Now,
    pub(crate) organisation: OrganisationId,
    pub(crate) connections: &'a mut Connections,
    pub(crate) sessions: &'a mut Sessions,
    pub(crate) encoder: &'a mut Encoder,
    pub(crate) pool: &'a mut BufferPool,
    pub(crate) limits: &'a Limits,
    /// Of the bytes that queues may take.
    pub(crate) allowance: &'a mut Allowance,
    pub(crate) counters: &'a mut Counters,
    pub(crate) cache: &'a mut QueueCache,
    pub(crate) reading: &'a mut Reading,
    pub(crate) recorder: Recorder<'a>,
    /// Everything up to here is durable.
    pub(crate) persisted: Ticket,
    /// Sessions whose messages wait for their identifiers to be durable.
    pub(crate) awaiting_identifiers: &'a mut VecDeque<(Ticket, OrganisationId, SessionId)>,
    pub(crate) dirty: &'a mut Vec<ConnectionId>,
}

/// Gives a [`Post`] for a connection without borrowing all of the courier.
macro_rules! post {
    ($courier:ident, $connection:ident) => {
        Post {
            connection: $connection,
            encoder: $courier.encoder,
            pool: $courier.pool,
            dirty: $courier.dirty,
            counters: $courier.counters,
            now: $courier.now,
        }
    };
}

/// What queues are accounted to, without borrowing all of the courier.
macro_rules! accounts {
    ($courier:ident) => {
        Accounts {
            now: $courier.now,
            limits: $courier.limits,
            allowance: &mut *$courier.allowance,
            counters: &mut *$courier.counters,
            cache: &mut *$courier.cache,
        }
    };
}

impl Courier<'_> {
    /// Hands one copy to the session in slot `session`: into its connection now, or into its queue.
    #[inline]
    pub(crate) fn deliver(&mut self, session: u32, keep: &mut Keepable<'_>, manner: Manner<'_>) -> Delivered {
        let Some(session) = self.sessions.at(session) else { return Delivered::Live };
        let connection = session.connection.and_then(|id| self.connections.get(id));
        // Retained messages that a new subscription still has to get go first: one of them may be an earlier
        // message of the same topic and publisher. [MQTT5-4.6.0-5]
        let replaying = session.replay.is_some();
        if manner.qos == QoS::AtMostOnce && !replaying {
            if let Some(connection) = connection {
                if connection.outbound.len() >= self.limits.outbound_bytes_max {
                    self.counters.drop_one(DropReason::SlowReader);
                } else {
                    post!(self, connection).publish(&keep.message, manner);
                }
            }
            return Delivered::Live;
        }
        if manner.qos == QoS::AtMostOnce && connection.is_none() {
            return Delivered::Live;
        }
        let durable = session.is_durable() && manner.qos > QoS::AtMostOnce;
        let delivered = if durable { Delivered::Durable } else { Delivered::Live };
        if let Some(connection) = connection
            && !replaying
            && session.queue.is_empty()
            && connection.outbound.len() < self.limits.outbound_bytes_max
            && session.may_begin(connection.send_maximum)
        {
            let post = post!(self, connection);
            let waits = begin(post, session, keep, manner, None, &mut self.recorder);
            self.note_waiting(waits);
            return delivered;
        }
        let content = Content::Memory(keep.stored());
        let queued = Queued::new(content, (manner.qos, manner.retain), manner.identifiers, manner.group);
        let mut accounts = accounts!(self);
        let sequence = session.queue.push(queued, &mut accounts);
        if durable && let (Some(key), Some(sequence)) = (session.key, sequence) {
            let organisation = self.organisation;
            write_queued(&mut self.recorder, (organisation, session), (key, sequence), &mut accounts);
        }
        delivered
    }

    /// Sends one message at once, ahead of the queue. The caller has made sure that there is room.
    pub(crate) fn send_now(&mut self, session: u32, keep: &mut Keepable<'_>, manner: Manner<'_>) {
        let Some(session) = self.sessions.at(session) else { return };
        let Some(connection) = session.connection.and_then(|id| self.connections.get(id)) else { return };
        self.encoder.begin(Sharing::Copy);
        let post = post!(self, connection);
        let waits = send(post, session, keep, manner, None, &mut self.recorder);
        self.note_waiting(waits);
    }

    /// Sends what waits for a connected session, as far as its client and its connection have room: first what was
    /// given an identifier and not sent on this connection yet, then the queue.
    pub(crate) fn pump(&mut self, session: u32) {
        let Some(session) = self.sessions.at(session) else { return };
        let Some(connection) = session.connection.and_then(|id| self.connections.get(id)) else { return };
        if !connection.is_connected() {
            return;
        }
        let maximum = connection.send_maximum;
        let bytes_max = self.limits.outbound_bytes_max;
        while connection.outbound.len() < bytes_max
            && let Some((identifier, exchange)) = session.window.next_to_send(maximum, self.persisted)
        {
            self.encoder.begin(Sharing::Copy);
            if !post!(self, connection).send_begun(identifier, exchange) {
                session.window.finish(identifier);
                self.counters.queued -= 1;
                if let Some(key) = session.key {
                    self.recorder.write(&Record::Finished { key, identifier: identifier.get() });
                }
            }
        }
        let mut waits = None;
        while session.replay.is_none()
            && connection.outbound.len() < bytes_max
            && session.may_begin(maximum)
            && let Some((message, queued)) = session.queue.pop(&mut accounts!(self))
        {
            let mut keep = Keepable::of(&message);
            self.encoder.begin(Sharing::Copy);
            let manner = Manner {
                qos: queued.qos,
                retain: queued.retain,
                identifiers: queued.identifiers(),
                group: queued.group(),
            };
            let sequence = Some(session.queue.last_taken());
            let begun =
                send(post!(self, connection), session, &mut keep, manner, sequence, &mut self.recorder);
            waits = begun.or(waits);
        }
        self.reading.list(self.organisation, session);
        self.note_waiting(waits);
    }

    /// A session waits for an identifier to be durable.
    fn note_waiting(&mut self, waits: Option<(Ticket, SessionId)>) {
        if let Some((ticket, session)) = waits {
            self.awaiting_identifiers.push_back((ticket, self.organisation, session));
        }
    }
}

/// Writes down what came last into a queue. A copy that came through a shared subscription may have to go to another member at
/// any moment, so its content stays in memory.
fn write_queued(
    recorder: &mut Recorder<'_>,
    (organisation, session): (OrganisationId, &mut Session),
    (key, sequence): (SessionKey, u64),
    accounts: &mut Accounts<'_>,
) {
    let Some(queued) = session.queue.last_mut() else { return };
    let since_secs = queued.since_unix_secs(accounts.now);
    let Some(copy) = queued.copy(recorder) else { return };
    let (may_leave, is_there) = (copy.group.is_none(), matches!(copy.message, Reference::Place(_)));
    recorder.write(&Record::Queued { key, sequence, since_secs, copy });
    if !may_leave {
        return;
    }
    session.queue.last_may_leave(accounts);
    if accounts.cache.is_over(accounts.limits) {
        let arrival = session.queue.last_arrival();
        match is_there {
            true => session.queue.let_go(arrival, &recorder.numbers.marks, accounts),
            false => recorder.note_waiting(organisation, session.id, arrival),
        }
    }
}

/// Sends a PUBLISH of any QoS; `sequence` is its place in the queue if it has waited there.
fn send(
    post: Post<'_>,
    session: &mut Session,
    keep: &mut Keepable<'_>,
    manner: Manner<'_>,
    sequence: Option<u64>,
    recorder: &mut Recorder<'_>,
) -> Option<(Ticket, SessionId)> {
    if manner.qos == QoS::AtMostOnce {
        post.publish(&keep.message, manner);
        return None;
    }
    begin(post, session, keep, manner, sequence, recorder)
}

/// Begins the exchange of QoS 1 or 2 and sends its PUBLISH. A message of QoS 2 to a session that is written down waits
/// for its identifier to be durable: sent under an identifier that is forgotten in a crash, it would come a second time.
#[inline]
fn begin(
    post: Post<'_>,
    session: &mut Session,
    keep: &mut Keepable<'_>,
    manner: Manner<'_>,
    sequence: Option<u64>,
    recorder: &mut Recorder<'_>,
) -> Option<(Ticket, SessionId)> {
    // A packet that the client cannot take is as good as delivered. [MQTT5-3.1.2-25]
    if !post.fits(&keep.message, manner, 0) {
        post.counters.drop_one(DropReason::PacketTooLarge);
        return None;
    }
    let mut exchange = Exchange::new(manner.qos, manner.retain);
    exchange.group = manner.group;
    if session.is_durable() || session.key.is_some() || manner.group.is_some() {
        exchange.message = Some(keep.stored());
        exchange.identifiers = (!manner.identifiers.is_empty()).then(|| manner.identifiers.into());
    }
    post.counters.queued += 1;
    let Some(key) = session.key else {
        let identifier = session.window.begin(exchange);
        post.publish_begun(&keep.message, manner, identifier);
        return None;
    };
    let identifier = session.window.next_identifier();
    write_begun(recorder, (key, identifier), &mut exchange, sequence);
    if manner.qos == QoS::ExactlyOnce {
        let ticket = recorder.ticket();
        session.window.begin_unsent(exchange, ticket);
        return Some((ticket, session.id));
    }
    if session.window.awaits_sending() {
        // Behind one that waits for the disk, or to be sent again.
        session.window.begin_unsent(exchange, Ticket(0));
        return None;
    }
    session.window.begin(exchange);
    post.publish_begun(&keep.message, manner, identifier);
    None
}

fn write_begun(
    recorder: &mut Recorder<'_>,
    (key, identifier): (u64, PacketIdentifier),
    exchange: &mut Exchange,
    sequence: Option<u64>,
) {
    let identifier = identifier.get();
    if sequence.is_none_or(|sequence| recorder.may_lack(key, sequence)) {
        let copy = exchange.copy(recorder);
        recorder.write(&Record::Sent { key, identifier, copy });
    }
    if let Some(sequence) = sequence {
        recorder.write(&Record::Begun { key, sequence, identifier });
    }
}
