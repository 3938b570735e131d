//! CONNECT (section 3.1) as it arrives: read, checked, and given to whoever knows credentials. What happens when the
//! answer is there is in `accept`.

use tidegate_mqtt::frame::Frame;
use tidegate_mqtt::{Connect, Packet, PropertyId, ReasonCode, Version};
use tidegate_observe::EndReason;

use crate::close::Ending;
use crate::connection::{Connection, Phase};
use crate::core::{Core, Timer};
use crate::effects::{AuthenticationRequest, Effects};
use crate::identifiers::ConnectionId;
use crate::time::Now;

/// Why a CONNECT is not accepted: what the client is told, and words for the log.
pub(crate) type Refusal = (ReasonCode, &'static str);

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
        connection.learn(connect);
        let peer = connection.peer;
        if let Err(refusal) = self.check_connect(connect) {
            return self.refuse(now, id, refusal, effects);
        }
        let Some(connection) = self.connections.get(id) else { return };
        connection.phase = Phase::Authenticating;
        let connect_body = body.into();
        effects.authenticate.push(AuthenticationRequest { connection: id, peer, connect_body });
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

    /// The time to CONNECT is over. Whoever knows credentials has the same time for the answer, counted from the
    /// CONNECT: one that never comes must not hold the connection.
    pub(crate) fn on_connect_timeout(&mut self, now: Now, id: ConnectionId, effects: &mut Effects) {
        let Some(connection) = self.connections.get(id) else { return };
        match connection.phase {
            Phase::Opened => {
                let ending = Ending { tell: None, text: None, reason: EndReason::ConnectTimeout };
                self.end(now, id, ending, effects);
            }
            Phase::Authenticating => {
                // Nothing is read since the CONNECT.
                let deadline = connection.heard_ms + self.limits.connect_timeout_ms;
                if deadline > now.mono_ms {
                    return self.arm(now, deadline, Timer::Connect(id));
                }
                let refusal = (ReasonCode::ServerUnavailable, "authentication was not answered in time");
                self.refuse(now, id, refusal, effects);
            }
            Phase::Connected | Phase::Closing => {}
        }
    }
}

impl Connection {
    /// What a CONNECT says about how to speak to the client, whatever its answer.
    pub(crate) fn learn(&mut self, connect: &Connect<'_>) {
        let properties = connect.properties;
        self.version = connect.version;
        self.packet_bytes_max = properties.number(PropertyId::MaximumPacketSize).unwrap_or(u32::MAX);
        self.request_problem_information =
            properties.number(PropertyId::RequestProblemInformation) != Some(0);
    }
}
