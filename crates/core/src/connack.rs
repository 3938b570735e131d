//! CONNACK (section 3.2): what a client is told about its CONNECT, granted or refused.

use tidegate_mqtt::{ConnAck, Packet, PacketType, Properties, PropertyBuf, PropertyId, ReasonCode, Version};
use tidegate_observe::EndReason;

use crate::accept::Granted;
use crate::close::Ending;
use crate::connect::Refusal;
use crate::core::Core;
use crate::effects::Effects;
use crate::identifiers::ConnectionId;
use crate::session::SessionExpiry;
use crate::time::Now;

impl Core {
    /// Whether the client can take it.
    pub(crate) fn send_connack(
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
        self.send_if_it_fits(id, &Packet::ConnAck(connack), effects)
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
}

/// The shortest CONNACK of 5.0.
const CONNACK_BYTES_MIN: usize = 5;
/// A failing CONNACK with a Reason String takes so much besides the string.
const CONNACK_WITH_REASON_BYTES: usize = 16;
