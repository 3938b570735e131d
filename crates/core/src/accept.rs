//! From the verdict on a CONNECT to a connection that has its session, on the shard that owns it (section 3.1.4).

use std::sync::Arc;

use tidegate_mqtt::{Connect, PropertyId, ReasonCode, Version};
use tidegate_observe::{EndReason, Fact};

use crate::close::Ending;
use crate::connect::Refusal;
use crate::connection::{OwnedWill, Phase};
use crate::core::{Core, Timer};
use crate::effects::{AuthenticationRequest, Effects, Handoff};
use crate::identifiers::{ConnectionId, OrganisationId, SessionId};
use crate::keep_alive::keep_alive_ms;
use crate::organisation::Organisation;
use crate::principal::Principal;
use crate::session::SessionExpiry;
use crate::time::Now;

/// A CONNECT that is accepted, with everything decided that depends on limits.
pub(crate) struct Granted<'a> {
    pub(crate) connect: &'a Connect<'a>,
    principal: Principal,
    pub(crate) client_identifier: &'a str,
    /// Whether the server chose the identifier.
    pub(crate) assigned: bool,
    pub(crate) expiry: SessionExpiry,
    pub(crate) keep_alive_secs: u16,
}

impl Core {
    pub(crate) fn on_authenticated(
        &mut self,
        now: Now,
        request: AuthenticationRequest,
        verdict: Result<Principal, Refusal>,
        effects: &mut Effects,
    ) {
        let AuthenticationRequest { connection: id, connect_body, .. } = request;
        let Some(connection) = self.connections.get(id) else { return };
        if connection.phase != Phase::Authenticating {
            return;
        }
        let principal = match verdict {
            Ok(principal) => principal,
            Err(refusal) => return self.refuse(now, id, refusal, effects),
        };
        let Some(connect) = decode_connect(&connect_body) else { return };
        let organisation = principal.organisation;
        let assigned_identifier =
            connect.client_identifier.is_empty().then(|| self.assign_identifier(organisation));
        let client_identifier = assigned_identifier.as_deref().unwrap_or(connect.client_identifier);
        let owner = self.owner_of_client(organisation, client_identifier);
        if owner == self.shard {
            return self.accept(now, id, principal, &connect, assigned_identifier, effects);
        }
        let Some(connection) = self.connections.remove(id) else { return };
        let rest = connection.partial;
        effects.hand_over.push((id, owner, Handoff { principal, connect_body, assigned_identifier, rest }));
    }

    pub(crate) fn on_adopted(&mut self, now: Now, id: ConnectionId, handoff: Handoff, effects: &mut Effects) {
        let Some(connection) = self.connections.get(id) else { return };
        connection.phase = Phase::Authenticating;
        connection.partial = handoff.rest;
        let Handoff { principal, connect_body, assigned_identifier, .. } = handoff;
        let Some(connect) = decode_connect(&connect_body) else { return };
        connection.learn(&connect);
        self.accept(now, id, principal, &connect, assigned_identifier, effects);
    }

    /// An identifier that no client chose and that belongs to this shard. [MQTT5-3.1.3-6] [MQTT3-3.1.3-6]
    fn assign_identifier(&mut self, organisation: OrganisationId) -> String {
        // The start tells processes apart; nothing in here is a secret.
        let started_ms = self.sys.started().unix_ms;
        loop {
            self.identifiers_assigned += 1;
            let number = self.identifiers_assigned * u64::from(self.shards) + u64::from(self.shard.0);
            let identifier = format!("auto-{started_ms:x}-{number}");
            let taken = self.organisation(organisation).sessions.find(&identifier).is_some();
            if !taken && self.owner_of_client(organisation, &identifier) == self.shard {
                return identifier;
            }
        }
    }

    /// The client is who it says: open or resume its session and tell it.
    fn accept(
        &mut self,
        now: Now,
        id: ConnectionId,
        principal: Principal,
        connect: &Connect<'_>,
        assigned: Option<String>,
        effects: &mut Effects,
    ) {
        let granted = Granted {
            expiry: self.session_expiry(connect),
            keep_alive_secs: self.granted_keep_alive(connect),
            client_identifier: assigned.as_deref().unwrap_or(connect.client_identifier),
            assigned: assigned.is_some(),
            connect,
            principal,
        };
        let organisation = granted.principal.organisation;
        let Some((session, session_present)) = self.open_session(now, &granted, effects) else {
            let refusal = (ReasonCode::QuotaExceeded, "the organisation has as many sessions as it may have");
            return self.refuse(now, id, refusal, effects);
        };
        self.bind(now, id, session, &granted, effects);
        if !self.send_connack(id, &granted, session_present, effects) {
            // [MQTT5-3.1.2-24] [MQTT5-3.1.2-25]
            let reason = EndReason::Refused("CONNACK is larger than the client's Maximum Packet Size");
            return self.end(now, id, Ending { tell: None, text: None, reason }, effects);
        }
        let own = self.organisation(organisation);
        let Some(client) = own.sessions.get_mut(session).map(|it| Arc::clone(&it.client_identifier)) else {
            return;
        };
        let Some(connection) = self.connections.get(id) else { return };
        effects.facts.push(Fact::Connected {
            organisation: organisation.0,
            client,
            peer: connection.peer,
            version: granted.connect.version.name(),
            user_name: granted.principal.user_name.clone(),
            session_present,
            keep_alive_secs: granted.keep_alive_secs,
        });
        self.update_memberships(organisation, session, effects);
        // Some of it may have to wait for what an earlier connection wrote down.
        if self.has_waiting(organisation, session)
            && let Some(ticket) = self.ticket_of_repeated(effects)
        {
            self.awaiting_identifiers.push_back((ticket, organisation, session));
        }
        // What an earlier connection left unfinished goes first, then what was queued meanwhile. [MQTT5-4.4.0-1]
        self.pump(now, organisation, session.index, effects);
        self.resume_input(now, id, effects);
    }

    /// [MQTT5-3.1.2-23] and, for 3.x, the operator's choice: those versions cannot ask.
    fn session_expiry(&self, connect: &Connect<'_>) -> SessionExpiry {
        match connect.version {
            Version::V5 => {
                let unsaid = if connect.clean_start { 0 } else { self.limits.session_expiry_v5_default_secs };
                let asked = connect.properties.number(PropertyId::SessionExpiryInterval).unwrap_or(unsaid);
                SessionExpiry(asked.min(self.limits.session_expiry_max_secs))
            }
            _ if connect.clean_start => SessionExpiry::WITH_CONNECTION,
            _ => SessionExpiry(self.limits.session_expiry_v3_secs),
        }
    }

    fn granted_keep_alive(&self, connect: &Connect<'_>) -> u16 {
        let maximum = self.limits.keep_alive_max_secs;
        let asked = connect.keep_alive_secs;
        // Only 5.0 can be told of another Keep Alive [MQTT5-3.1.2-21]; the others keep theirs.
        if maximum > 0 && connect.version.is_v5() && (asked == 0 || asked > maximum) {
            maximum
        } else {
            asked
        }
    }

    /// The session of the identifier, after whoever had it was sent away; and whether it existed. `None`: the
    /// organisation may have no more.
    /// [MQTT5-3.1.2-4] [MQTT5-3.1.2-5] [MQTT5-3.1.2-6] [MQTT5-3.1.4-3] [MQTT3-3.1.4-2] [MQTT3-3.1.2-6]
    fn open_session(
        &mut self,
        now: Now,
        granted: &Granted<'_>,
        effects: &mut Effects,
    ) -> Option<(SessionId, bool)> {
        let organisation = granted.principal.organisation;
        let sessions_max = self.limits.sessions_per_organisation_max as u64;
        let own = self.organisation(organisation);
        let Some(existing) = own.sessions.find(granted.client_identifier) else {
            return own.open_session(granted.client_identifier, sessions_max);
        };
        if let Some(old) = own.sessions.get_mut(existing).and_then(|session| session.connection) {
            // A session that ends with its connection is gone after this.
            let ending = Ending {
                tell: Some(ReasonCode::SessionTakenOver),
                text: Some("another connection has the same client identifier"),
                reason: EndReason::TakenOver,
            };
            self.end(now, old, ending, effects);
        }
        if granted.connect.clean_start {
            self.end_session(now, organisation, existing, effects);
        }
        let own = self.organisation(organisation);
        match own.sessions.find(granted.client_identifier) {
            Some(existing) => Some((existing, true)),
            None => own.open_session(granted.client_identifier, sessions_max),
        }
    }

    /// Ties connection and session together.
    fn bind(
        &mut self,
        now: Now,
        id: ConnectionId,
        session_id: SessionId,
        granted: &Granted<'_>,
        effects: &mut Effects,
    ) {
        let organisation = granted.principal.organisation;
        let own = self.organisation(organisation);
        let Some(session) = own.sessions.get_mut(session_id) else { return };
        own.counters.connects += 1;
        own.counters.clients_connected += 1;
        let was_durable = session.is_durable();
        session.connection = Some(id);
        session.absence += 1;
        session.expiry = granted.expiry;
        // The client is back before its Will was due. [MQTT5-3.1.3-9]
        let cancelled = session.pending_will.take();
        let is_durable = session.is_durable();
        let unreleased_before = session.awaiting_release.len() as u16;
        if was_durable != is_durable {
            self.set_subscriptions_durable(organisation, session_id, is_durable, effects);
        }
        self.write_bound(organisation, session_id, cancelled.as_deref(), effects);
        let mut will = granted.connect.will.as_ref().map(OwnedWill::new);
        if let Some(will) = &mut will {
            self.write_will(organisation, granted.client_identifier, will, effects);
        }
        let limits = (self.limits.inflight_max, self.limits.outbound_topic_aliases_max);
        let Some(connection) = self.connections.get(id) else { return };
        let properties = granted.connect.properties;
        connection.phase = Phase::Connected;
        connection.unreleased_before = unreleased_before;
        connection.organisation = organisation;
        connection.session = session_id;
        connection.keep_alive_secs = granted.keep_alive_secs;
        let receive_maximum = properties.number(PropertyId::ReceiveMaximum).unwrap_or(u32::from(u16::MAX));
        connection.send_maximum = limits.0.min(receive_maximum as u16);
        let aliases = properties.number(PropertyId::TopicAliasMaximum).unwrap_or(0).min(u32::from(limits.1));
        connection.extra = None;
        if aliases > 0 || will.is_some() {
            let extra = connection.extra();
            extra.outbound_alias_maximum = aliases as u16;
            extra.will = will;
        }
        if granted.keep_alive_secs > 0 {
            let deadline = now.mono_ms + keep_alive_ms(granted.keep_alive_secs);
            self.arm(now, deadline, Timer::KeepAlive(id));
        }
    }
}

impl Organisation {
    /// `None`: it may have no more sessions.
    fn open_session(&mut self, client_identifier: &str, sessions_max: u64) -> Option<(SessionId, bool)> {
        let may = self.usage.sessions.take(1, sessions_max);
        may.then(|| (self.sessions.open(client_identifier).id, false))
    }
}

/// The body was decoded once before it was kept, so this succeeds.
fn decode_connect(body: &[u8]) -> Option<Connect<'_>> {
    Connect::from_body(body).ok()
}
