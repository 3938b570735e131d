//! The end of connections and sessions, and the Wills that they leave (sections 3.1.2.5, 3.14, 4.1).

use std::sync::Arc;

use tidegate_mqtt::{Disconnect, Packet, PacketType, PropertyBuf, PropertyId, ReasonCode};
use tidegate_observe::{DropReason, EndReason, Fact};

use crate::connection::{OwnedWill, Phase};
use crate::core::{Core, Timer};
use crate::durable::record::Record;
use crate::effects::Effects;
use crate::identifiers::{ConnectionId, OrganisationId, SessionId};
use crate::message::{Keepable, Message};
use crate::queue::{Accounts, Content};
use crate::route::Origin;
use crate::session::SessionExpiry;
use crate::time::Now;
use crate::will::PendingWill;
use crate::window::Awaiting;

/// How the server ends a connection.
pub(crate) struct Ending {
    /// What a connected 5.0 client is told in DISCONNECT; `None`: nothing.
    pub(crate) tell: Option<ReasonCode>,
    /// The Reason String, where the client allows one.
    pub(crate) text: Option<&'static str>,
    /// For the log.
    pub(crate) reason: EndReason,
}

/// What happens to the Will of a connection that ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WillFate {
    Publish,
    /// The client left properly. [MQTT5-3.14.4-3] [MQTT3-3.14.4-3]
    Discard,
}

impl Core {
    /// Ends a connection from this side; the shell closes the socket.
    pub(crate) fn end(&mut self, now: Now, id: ConnectionId, ending: Ending, effects: &mut Effects) {
        let Some(connection) = self.connections.get(id) else { return };
        if connection.phase == Phase::Closing {
            return;
        }
        if connection.is_connected()
            && connection.version.is_v5()
            && let Some(reason) = ending.tell
        {
            let mut properties = PropertyBuf::new();
            if let Some(text) = ending.text {
                let fits = text.len() + DISCONNECT_WITH_REASON_BYTES <= connection.packet_bytes_max as usize;
                // [MQTT5-3.14.2-3]
                if connection.request_problem_information && fits {
                    properties.text(PropertyId::ReasonString, text);
                }
            }
            // [MQTT5-4.13.1-1]
            let disconnect =
                Disconnect { reason: sayable_in_disconnect(reason), properties: properties.as_properties() };
            self.send(id, &Packet::Disconnect(disconnect), effects);
        }
        let client = self.detach(now, id, WillFate::Publish, effects);
        self.begin_closing(id, client, ending.reason, effects);
    }

    /// The client says goodbye (section 3.14.4).
    pub(crate) fn on_disconnect(
        &mut self,
        now: Now,
        id: ConnectionId,
        disconnect: &Disconnect<'_>,
        effects: &mut Effects,
    ) {
        let Some(connection) = self.connections.get(id) else { return };
        let (organisation, session_id) = (connection.organisation, connection.session);
        // [MQTT5-3.14.2-2]
        if let Some(asked) = disconnect.properties.number(PropertyId::SessionExpiryInterval) {
            let expiry = SessionExpiry(asked.min(self.limits.session_expiry_max_secs));
            let own = &mut self.organisations[organisation.0 as usize];
            let Some(session) = own.sessions.get_mut(session_id) else { return };
            if !session.is_durable() && expiry.outlives_connection() {
                let text = "a session that ends with its connection cannot be kept by DISCONNECT";
                return self.violate(now, id, ReasonCode::ProtocolError, text, effects);
            }
            let ceases = session.is_durable() && !expiry.outlives_connection();
            session.expiry = expiry;
            if ceases {
                self.set_subscriptions_durable(organisation, session_id, false, effects);
            }
        }
        let fate = match disconnect.reason {
            ReasonCode::Success => WillFate::Discard,
            _ => WillFate::Publish,
        };
        let client = self.detach(now, id, fate, effects);
        if let Some(connection) = self.connections.get(id) {
            connection.said_goodbye = true;
        }
        self.begin_closing(id, client, EndReason::Disconnect, effects);
    }

    /// The socket is gone.
    pub(crate) fn on_closed(&mut self, now: Now, id: ConnectionId, reason: EndReason, effects: &mut Effects) {
        let Some(connection) = self.connections.get(id) else { return };
        let was_closing = connection.phase == Phase::Closing;
        let peer = connection.peer;
        let client = self.detach(now, id, WillFate::Publish, effects);
        if !was_closing {
            effects.facts.push(Fact::Ended { client, peer, reason });
        }
        self.release(id);
    }

    /// Every client is told, every connection ends; sessions and Wills stay as the journal has them.
    pub(crate) fn on_shut_down(&mut self, now: Now, effects: &mut Effects) {
        let ids: Vec<_> = self.connections.iter_mut().map(|connection| connection.id).collect();
        for id in ids {
            let ending = Ending {
                tell: Some(ReasonCode::ServerShuttingDown),
                text: None,
                reason: EndReason::ShuttingDown,
            };
            self.end(now, id, ending, effects);
        }
    }

    fn begin_closing(
        &mut self,
        id: ConnectionId,
        client: Option<Arc<str>>,
        reason: EndReason,
        effects: &mut Effects,
    ) {
        let Some(connection) = self.connections.get(id) else { return };
        connection.phase = Phase::Closing;
        connection.partial = Vec::new();
        connection.extra = None;
        effects.close.push(id);
        effects.facts.push(Fact::Ended { client, peer: connection.peer, reason });
    }

    /// Unties a connection from its session; the name of the client, if it was connected.
    fn detach(
        &mut self,
        now: Now,
        id: ConnectionId,
        fate: WillFate,
        effects: &mut Effects,
    ) -> Option<Arc<str>> {
        self.connections.get(id).filter(|connection| connection.is_connected())?;
        self.keep_unanswered(id);
        let connection = self.connections.get(id)?;
        let (organisation, session_id) = (connection.organisation, connection.session);
        let will = connection.extra.as_mut().and_then(|extra| extra.will.take());
        let (will, discarded) = match fate {
            WillFate::Publish => (will, None),
            WillFate::Discard => (None, will),
        };
        connection.phase = Phase::Closing;
        let own = &mut self.organisations[organisation.0 as usize];
        let session = own.sessions.get_mut(session_id)?;
        let client = Arc::clone(&session.client_identifier);
        session.connection = None;
        own.counters.clients_connected -= 1;
        session.absence += 1;
        session.window.disconnect();
        let (absence, expiry) = (session.absence, session.expiry);
        let expires_at_ms = now.mono_ms + u64::from(expiry.0) * 1000;
        session.expires_at_ms = expires_at_ms;
        session.left_at_ms = now.unix_ms;
        let mut accounts = Accounts {
            now,
            limits: &self.limits,
            allowance: &mut own.usage.queued_bytes,
            counters: &mut own.counters,
            cache: &mut self.queue_cache,
        };
        session.queue.let_go_ahead(&self.numbers.marks, &mut accounts);
        self.write_left(now, organisation, session_id, discarded.as_ref(), effects);
        self.suspend_replay(organisation, session_id, effects);
        self.update_memberships(organisation, session_id, effects);
        if !expiry.outlives_connection() {
            self.end_session(now, organisation, session_id, effects);
        } else if !expiry.never() {
            self.arm(now, expires_at_ms, Timer::SessionExpiry(organisation, session_id, absence));
        }
        if let Some(will) = will {
            self.leave_will(now, organisation, session_id, will, effects);
        }
        Some(client)
    }

    /// Publishes a Will now, or when its delay is over. [MQTT5-3.1.2-8] [MQTT3-3.1.2-8]
    fn leave_will(
        &mut self,
        now: Now,
        organisation: OrganisationId,
        session: SessionId,
        will: OwnedWill,
        effects: &mut Effects,
    ) {
        let own = &mut self.organisations[organisation.0 as usize];
        // Without a session there is nothing that could come back to cancel it.
        let waits = own.sessions.get_mut(session).filter(|_| will.delay_secs > 0);
        let Some(session) = waits else {
            return self.publish_will(now, organisation, Some(session), &will, effects);
        };
        let deadline = now.mono_ms + u64::from(will.delay_secs) * 1000;
        let timer = Timer::Will(organisation, session.id, session.absence);
        session.pending_will = Some(Box::new(PendingWill { will, due_ms: deadline }));
        self.arm(now, deadline, timer);
    }

    pub(crate) fn on_will_due(
        &mut self,
        now: Now,
        organisation: OrganisationId,
        session: SessionId,
        absence: u32,
        effects: &mut Effects,
    ) {
        let session = self.organisation(organisation).sessions.get_mut(session);
        let Some(absent) = session.filter(|session| session.absence == absence) else { return };
        if let Some(due_ms) = absent.pending_will.as_ref().map(|pending| pending.due_ms)
            && due_ms > now.mono_ms
        {
            let timer = Timer::Will(organisation, absent.id, absence);
            return self.arm(now, due_ms, timer);
        }
        if let Some(pending) = absent.pending_will.take() {
            let of = absent.id;
            self.publish_will(now, organisation, Some(of), &pending.will, effects);
        }
    }

    /// [MQTT5-3.1.2-14] [MQTT5-3.1.2-15] The session that it is of, if it goes on, may have asked not to get what its own
    /// client publishes. [MQTT5-3.8.3-3]
    pub(crate) fn publish_will(
        &mut self,
        now: Now,
        organisation: OrganisationId,
        of: Option<SessionId>,
        will: &OwnedWill,
        effects: &mut Effects,
    ) {
        let message = Message {
            topic: &will.topic,
            properties: &will.properties,
            payload: &will.payload,
            qos: will.qos,
            retain: will.retain,
            expires_at_ms: will.expiry_secs.map(|secs| now.unix_ms.saturating_add(u64::from(secs) * 1000)),
        };
        self.write_will_gone(will, effects);
        let own = &mut self.organisations[organisation.0 as usize];
        let publisher = of.and_then(|of| own.sessions.get_mut(of)).map(|session| session.id.index);
        self.route(now, organisation, message, Origin { publisher, ..Origin::default() }, effects);
    }

    pub(crate) fn on_session_expiry(
        &mut self,
        now: Now,
        organisation: OrganisationId,
        session: SessionId,
        absence: u32,
        effects: &mut Effects,
    ) {
        let own = self.organisation(organisation);
        let absent = own.sessions.get_mut(session).filter(|session| session.absence == absence);
        let Some(expires_at_ms) = absent.map(|session| session.expires_at_ms) else { return };
        if expires_at_ms > now.mono_ms {
            return self.arm(now, expires_at_ms, Timer::SessionExpiry(organisation, session, absence));
        }
        own.counters.sessions_expired += 1;
        self.end_session(now, organisation, session, effects);
    }

    /// Forgets a session and everything that hangs on it. [MQTT5-4.1.0-2] [MQTT3-3.1.2-6]
    pub(crate) fn end_session(
        &mut self,
        now: Now,
        organisation: OrganisationId,
        session: SessionId,
        effects: &mut Effects,
    ) {
        self.abandon_replay(organisation, session, effects);
        let Some(mut session) = self.organisation(organisation).sessions.close(session) else { return };
        if let Some(key) = session.key {
            self.recorder(effects).write(&Record::Ended { key });
        }
        self.forget_subscriptions(organisation, &session, effects);
        // What came through a shared subscription goes to another member: QoS 1 that was not acknowledged
        // (4.8.2), and what was never sent. QoS 2 that was sent never does [MQTT5-4.8.2-5].
        let mut dropped = 0;
        let mut unfinished = 0;
        for exchange in session.window.drain() {
            unfinished += 1;
            match (exchange.group, exchange.message) {
                (Some(group), Some(message)) if exchange.awaiting == Awaiting::PubAck => {
                    self.redistribute(now, organisation, group, &mut Keepable::of(&message), effects);
                }
                _ => dropped += 1,
            }
        }
        let own = &mut self.organisations[organisation.0 as usize];
        own.counters.queued -= unfinished;
        own.usage.sessions.give(1);
        let queued = session.queue.drain(&mut own.accounts(now, &self.limits, &mut self.queue_cache));
        for queued in queued {
            match (queued.group(), &queued.content) {
                (Some(group), Content::Memory(message)) => {
                    self.redistribute(now, organisation, group, &mut Keepable::of(message), effects);
                }
                (_, Content::Lost) => {}
                _ => dropped += 1,
            }
        }
        let own = self.organisation(organisation);
        own.counters.drop_many(DropReason::SessionEnded, dropped);
        if let Some(pending) = session.pending_will.take() {
            self.publish_will(now, organisation, None, &pending.will, effects);
        }
    }
}

/// Not every Reason Code may stand in DISCONNECT; what has no place there is a Protocol Error.
/// [MQTT5-3.14.2-1]
fn sayable_in_disconnect(reason: ReasonCode) -> ReasonCode {
    if reason.is_valid_in(PacketType::Disconnect) { reason } else { ReasonCode::ProtocolError }
}

/// A DISCONNECT with a Reason String takes so much besides the string.
const DISCONNECT_WITH_REASON_BYTES: usize = 12;
