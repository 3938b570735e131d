//! CONNECT (section 3.1): read, authenticated, handed to the shard that owns the session, accepted.

use std::sync::Arc;

use tidegate_mqtt::frame::Frame;
use tidegate_mqtt::{
    ConnAck, Connect, Packet, PacketType, Properties, PropertyBuf, PropertyId, ReasonCode, Version,
};
use tidegate_observe::{EndReason, Fact};

use crate::close::Ending;
use crate::connection::{OwnedWill, Phase, Principal};
use crate::core::{Core, Timer};
use crate::effects::{AuthenticationRequest, Effects, Handoff};
use crate::identifiers::{ConnectionId, OrganisationId, SessionId};
use crate::session::SessionExpiry;
use crate::time::Now;

/// Why a CONNECT is not accepted: what the client is told, and words for the log.
type Refusal = (ReasonCode, &'static str);

/// A CONNECT that may be accepted, with everything decided that depends on limits.
struct Granted<'a> {
    connect: Connect<'a>,
    principal: Principal,
    client_identifier: &'a str,
    assigned: bool,
    expiry: SessionExpiry,
    keep_alive_secs: u16,
}

impl Core {
    /// [MQTT5-3.1.0-1] [MQTT3-3.1.0-1]
    pub(crate) fn on_first_packet(
        &mut self,
        now: Now,
        id: ConnectionId,
        frame: Frame<'_>,
        effects: &mut Effects,
    ) {
        match Packet::decode(frame, Version::V311) {
            Ok(Packet::Connect(connect)) => self.on_connect(now, id, &connect, frame.body, effects),
            Ok(_) => {}
            Err(error) => {
                self.learn_version(id, frame.body);
                self.refuse(now, id, (error.reason, error.text), effects);
            }
        }
    }

    /// A CONNECT that cannot be decoded is answered in the version that it names, or in the nearest to it.
    fn learn_version(&mut self, id: ConnectionId, body: &[u8]) {
        let Some(connection) = self.connections.get(id) else { return };
        connection.version = match Connect::peek_version(body) {
            Some(version) => version,
            // "MQTT" with a level above 5 comes from the future, where CONNACK has Reason Codes.
            None if body.starts_with(b"\0\x04MQTT") && body.get(6).is_some_and(|&level| level > 5) => {
                Version::V5
            }
            None => Version::V311,
        };
    }

    fn on_connect(
        &mut self,
        now: Now,
        id: ConnectionId,
        connect: &Connect<'_>,
        body: &[u8],
        effects: &mut Effects,
    ) {
        let Some(connection) = self.connections.get(id) else { return };
        connection.version = connect.version;
        let properties = connect.properties;
        connection.packet_bytes_max = properties.number(PropertyId::MaximumPacketSize).unwrap_or(u32::MAX);
        connection.request_problem_information =
            properties.number(PropertyId::RequestProblemInformation) != Some(0);
        let peer = connection.peer;
        if let Err(refusal) = self.check_connect(connect) {
            return self.refuse(now, id, refusal, effects);
        }
        let Some(connection) = self.connections.get(id) else { return };
        connection.phase = Phase::Authenticating;
        connection.extra().connect_body = body.to_vec();
        effects.authenticate.push(AuthenticationRequest {
            connection: id,
            peer,
            client_identifier: connect.client_identifier.to_owned(),
            user_name: connect.user_name.map(str::to_owned),
            password: connect.password.map(<[u8]>::to_vec),
        });
    }

    /// What can be refused without asking who it is.
    fn check_connect(&self, connect: &Connect<'_>) -> Result<(), Refusal> {
        let properties = connect.properties;
        // [MQTT5-4.12.0-1]: no authentication method exists yet, so every one is refused.
        if properties.has(PropertyId::AuthenticationMethod) {
            return Err((ReasonCode::BadAuthenticationMethod, "no authentication method is supported"));
        }
        if properties.has(PropertyId::AuthenticationData) {
            return Err((ReasonCode::ProtocolError, "authentication data without an authentication method"));
        }
        let will = connect.will.map(|will| will.properties).unwrap_or_default();
        let user_properties = properties.user_property_count() + will.user_property_count();
        if user_properties > self.limits.user_properties_max {
            return Err((
                ReasonCode::QuotaExceeded,
                "CONNECT has more user properties than this server takes",
            ));
        }
        if let Some(will) = &connect.will {
            let topic = will.topic.as_str();
            if will.topic.is_dollar() {
                return Err((ReasonCode::NotAuthorized, "the will's topic begins with $"));
            }
            if topic.split('/').count() > self.limits.topic_levels_max {
                return Err((ReasonCode::TopicNameInvalid, "the will's topic has too many levels"));
            }
        }
        let identifier = connect.client_identifier;
        match connect.version {
            // [MQTT31-connect-client-id]
            Version::V31
                if identifier.is_empty()
                    || identifier.chars().count() > self.limits.client_identifier_v31_chars_max =>
            {
                Err((
                    ReasonCode::ClientIdentifierNotValid,
                    "MQTT 3.1 wants an identifier of 1 to 23 characters",
                ))
            }
            // [MQTT3-3.1.3-7] [MQTT3-3.1.3-8]
            Version::V311 if identifier.is_empty() && !connect.clean_start => Err((
                ReasonCode::ClientIdentifierNotValid,
                "an empty client identifier needs Clean Session 1 in MQTT 3.1.1",
            )),
            _ => Ok(()),
        }
    }

    pub(crate) fn on_authenticated(
        &mut self,
        now: Now,
        id: ConnectionId,
        verdict: Result<Principal, Refusal>,
        effects: &mut Effects,
    ) {
        let Some(connection) = self.connections.get(id) else { return };
        if connection.phase != Phase::Authenticating {
            return;
        }
        let principal = match verdict {
            Ok(principal) => principal,
            Err(refusal) => return self.refuse(now, id, refusal, effects),
        };
        let connect_body = std::mem::take(&mut connection.extra().connect_body);
        let Some(connect) = decode_connect(&connect_body) else { return };
        let organisation = principal.organisation;
        let assigned_identifier =
            connect.client_identifier.is_empty().then(|| self.assign_identifier(organisation));
        let client_identifier = assigned_identifier.as_deref().unwrap_or(connect.client_identifier);
        let owner = self.owner_of_client(organisation, client_identifier);
        if owner == self.shard {
            return self.accept(now, id, principal, &connect_body, assigned_identifier, effects);
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
        if let Some(connect) = decode_connect(&connect_body) {
            connection.version = connect.version;
            let properties = connect.properties;
            connection.packet_bytes_max =
                properties.number(PropertyId::MaximumPacketSize).unwrap_or(u32::MAX);
            connection.request_problem_information =
                properties.number(PropertyId::RequestProblemInformation) != Some(0);
        }
        self.accept(now, id, principal, &connect_body, assigned_identifier, effects);
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
        connect_body: &[u8],
        assigned: Option<String>,
        effects: &mut Effects,
    ) {
        let Some(connect) = decode_connect(connect_body) else { return };
        let granted = Granted {
            expiry: self.session_expiry(&connect),
            keep_alive_secs: self.keep_alive(&connect),
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
        let Some(connection) = self.connections.get(id) else { return };
        effects.facts.push(Fact::Connected {
            organisation: organisation.0,
            client: granted.client_identifier.to_owned(),
            peer: connection.peer,
            version: granted.connect.version.name(),
            user_name: granted.principal.user_name.as_deref().map(str::to_owned),
            session_present,
            keep_alive_secs: granted.keep_alive_secs,
        });
        self.update_memberships(organisation, session, effects);
        // What an earlier connection left unfinished goes first, then what was queued meanwhile. [MQTT5-4.4.0-1]
        self.pump(now, organisation, session.index, effects);
        self.resume_input(now, id, effects);
    }

    /// [MQTT5-3.1.2-23] and, for 3.x, the operator's choice: those versions cannot ask.
    fn session_expiry(&self, connect: &Connect<'_>) -> SessionExpiry {
        match connect.version {
            Version::V5 => {
                let asked = connect.properties.number(PropertyId::SessionExpiryInterval).unwrap_or(0);
                SessionExpiry(asked.min(self.limits.session_expiry_max_secs))
            }
            _ if connect.clean_start => SessionExpiry::WITH_CONNECTION,
            _ => SessionExpiry(self.limits.session_expiry_v3_secs),
        }
    }

    fn keep_alive(&self, connect: &Connect<'_>) -> u16 {
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
        let own = self.organisation(organisation);
        if let Some(existing) = own.sessions.find(granted.client_identifier)
            && let Some(old) = own.sessions.get_mut(existing).and_then(|session| session.connection)
        {
            // A session that ends with its connection is gone after this.
            let ending = Ending {
                tell: Some(ReasonCode::SessionTakenOver),
                text: Some("another connection has the same client identifier"),
                reason: EndReason::TakenOver,
            };
            self.end(now, old, ending, effects);
        }
        let existing = self.organisation(organisation).sessions.find(granted.client_identifier);
        if let Some(existing) = existing
            && granted.connect.clean_start
        {
            self.end_session(now, organisation, existing, effects);
        }
        let sessions_max = self.limits.sessions_per_organisation_max as u64;
        let own = self.organisation(organisation);
        if let Some(existing) = own.sessions.find(granted.client_identifier) {
            return Some((existing, true));
        }
        let may = own.usage.sessions.take(1, sessions_max);
        may.then(|| (own.sessions.open(granted.client_identifier).id, false))
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
        session.pending_will = None;
        let is_durable = session.is_durable();
        let unreleased_before = session.awaiting_release.len() as u16;
        if was_durable != is_durable {
            self.set_subscriptions_durable(organisation, session_id, is_durable, effects);
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
        let will = granted.connect.will.as_ref().map(OwnedWill::new);
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

    /// Whether the client can take it.
    fn send_connack(
        &mut self,
        id: ConnectionId,
        granted: &Granted<'_>,
        session_present: bool,
        effects: &mut Effects,
    ) -> bool {
        let mut properties = PropertyBuf::new();
        if granted.connect.version.is_v5() {
            self.announce_capabilities(granted, &mut properties);
        }
        // 3.1.1 has the flag for Clean Session 0 only. [MQTT3-3.2.2-1] [MQTT3-3.2.2-2] [MQTT5-3.2.2-2]
        let connack =
            ConnAck { session_present, reason: ReasonCode::Success, properties: properties.as_properties() };
        let mut encoded = Vec::new();
        Packet::ConnAck(connack).encode(granted.connect.version, &mut encoded);
        let fits = self
            .connections
            .get(id)
            .is_some_and(|connection| encoded.len() <= connection.packet_bytes_max as usize);
        if fits {
            self.send(id, &Packet::ConnAck(connack), effects);
        }
        fits
    }

    /// What the server grants and keeps (section 3.2.2.3).
    fn announce_capabilities(&self, granted: &Granted<'_>, properties: &mut PropertyBuf) {
        let asked = granted.connect.properties.number(PropertyId::SessionExpiryInterval).unwrap_or(0);
        if granted.expiry != SessionExpiry(asked) {
            properties.number(PropertyId::SessionExpiryInterval, granted.expiry.0);
        }
        properties.number(PropertyId::ReceiveMaximum, u32::from(self.limits.receive_maximum));
        properties.number(PropertyId::RetainAvailable, 1);
        properties.number(PropertyId::MaximumPacketSize, self.limits.packet_bytes_max as u32);
        if granted.assigned {
            properties.text(PropertyId::AssignedClientIdentifier, granted.client_identifier);
        }
        properties.number(PropertyId::TopicAliasMaximum, u32::from(self.limits.topic_alias_maximum));
        properties.number(PropertyId::WildcardSubscriptionAvailable, 1);
        properties.number(PropertyId::SubscriptionIdentifierAvailable, 1);
        properties.number(PropertyId::SharedSubscriptionAvailable, 1);
        if granted.keep_alive_secs != granted.connect.keep_alive_secs {
            properties.number(PropertyId::ServerKeepAlive, u32::from(granted.keep_alive_secs));
        }
    }

    /// Answers a CONNECT with a failure and closes. [MQTT5-3.1.4-1] [MQTT5-3.1.4-2] [MQTT5-3.2.0-1]
    /// [MQTT3-3.2.2-4] [MQTT3-3.2.2-5]
    pub(crate) fn refuse(
        &mut self,
        now: Now,
        id: ConnectionId,
        (reason, text): Refusal,
        effects: &mut Effects,
    ) {
        let Some(connection) = self.connections.get(id) else { return };
        let sayable = match connection.version {
            Version::V5 => reason.is_valid_in(PacketType::ConnAck),
            // [MQTT3-3.2.2-6]
            _ => reason.connect_return_code().is_some(),
        };
        if sayable {
            let mut properties = PropertyBuf::new();
            let room = connection.packet_bytes_max as usize;
            if room < CONNACK_BYTES_MIN {
                let ending = Ending { tell: None, text: None, reason: EndReason::Refused(text) };
                return self.end(now, id, ending, effects);
            }
            // [MQTT5-3.2.2-19]
            if connection.request_problem_information && text.len() + CONNACK_WITH_REASON_BYTES <= room {
                properties.text(PropertyId::ReasonString, text);
            }
            let properties =
                if connection.version.is_v5() { properties.as_properties() } else { Properties::NONE };
            // [MQTT5-3.2.2-6] [MQTT3-3.2.2-4]: a refusal never says that a session is present.
            let connack = ConnAck { session_present: false, reason, properties };
            self.send(id, &Packet::ConnAck(connack), effects);
        }
        self.end(now, id, Ending { tell: None, text: None, reason: EndReason::Refused(text) }, effects);
    }

    pub(crate) fn on_connect_timeout(&mut self, now: Now, id: ConnectionId, effects: &mut Effects) {
        let waiting = self.connections.get(id).is_some_and(|connection| connection.phase == Phase::Opened);
        if waiting {
            let ending = Ending { tell: None, text: None, reason: EndReason::ConnectTimeout };
            self.end(now, id, ending, effects);
        }
    }

    /// [MQTT5-3.1.2-22] [MQTT3-3.1.2-24]
    pub(crate) fn on_keep_alive_timer(&mut self, now: Now, id: ConnectionId, effects: &mut Effects) {
        let Some(connection) = self.connections.get(id) else { return };
        if !connection.is_connected() {
            return;
        }
        let deadline = connection.heard_ms + keep_alive_ms(connection.keep_alive_secs);
        if deadline > now.mono_ms {
            // Every packet moves the deadline; the timer is only moved when it fires.
            self.arm(now, deadline, Timer::KeepAlive(id));
            return;
        }
        let ending = Ending {
            tell: Some(ReasonCode::KeepAliveTimeout),
            text: None,
            reason: EndReason::KeepAliveTimeout,
        };
        self.end(now, id, ending, effects);
    }
}

/// The body was decoded once before it was kept, so this succeeds.
fn decode_connect(body: &[u8]) -> Option<Connect<'_>> {
    Connect::from_body(body).ok()
}

/// One and a half times the Keep Alive.
fn keep_alive_ms(keep_alive_secs: u16) -> u64 {
    u64::from(keep_alive_secs) * 1500
}

/// The shortest CONNACK of 5.0.
const CONNACK_BYTES_MIN: usize = 5;
/// A failing CONNACK with a Reason String takes so much besides the string.
const CONNACK_WITH_REASON_BYTES: usize = 16;

/// The principal of a listener that lets everybody in: no credentials exist yet, so a user name is only a
/// name to show.
impl Principal {
    /// Anybody, of the first organisation.
    #[must_use]
    pub fn anonymous(user_name: Option<&str>) -> Self {
        Self { organisation: OrganisationId::FIRST, user_name: user_name.map(Arc::from) }
    }
}
