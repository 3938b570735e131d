//! Bytes of a client → packets → the handler of each. Also the way back: bytes that the kernel took.

use tidegate_mqtt::frame::{Split, split};
use tidegate_mqtt::{DecodeError, Packet, PacketType, ReasonCode};
use tidegate_observe::EndReason;

use crate::close::Ending;
use crate::connection::Phase;
use crate::core::Core;
use crate::effects::Effects;
use crate::identifiers::ConnectionId;
use crate::time::Now;

impl Core {
    pub(crate) fn on_received(&mut self, now: Now, id: ConnectionId, bytes: &[u8], effects: &mut Effects) {
        let Some(connection) = self.connections.get(id) else { return };
        let organisation = connection.organisation;
        if connection.partial.is_empty() {
            let heard_before_ms = connection.heard_ms;
            connection.heard(now);
            self.look_ahead(id, bytes);
            let used = self.consume(now, id, bytes, effects);
            self.keep_rest(id, &bytes[used..]);
            if used == 0
                && let Some(connection) = self.connections.get(id)
            {
                connection.heard_ms = heard_before_ms;
                connection.heard_partly(now);
            }
        } else {
            self.complete_partial(now, id, bytes, effects);
        }
        self.organisation(organisation).counters.bytes_received += bytes.len() as u64;
    }

    /// The kernel took bytes: there may be room for what waits, and for reading on.
    pub(crate) fn on_written(&mut self, now: Now, id: ConnectionId, bytes: usize, effects: &mut Effects) {
        let Some(connection) = self.connections.get(id) else { return };
        let bytes_max = self.limits.outbound_bytes_max;
        connection.outbound.advance(bytes, &mut self.pool);
        let connected = connection.is_connected();
        let (organisation, session) = (connection.organisation, connection.session);
        let resumes = connection.paused && connection.wants_input(bytes_max);
        let has_room = connection.outbound.len() < bytes_max / 2;
        self.organisation(organisation).counters.bytes_sent += bytes as u64;
        if !connected {
            return;
        }
        if has_room && self.has_waiting(organisation, session) {
            self.pump(now, organisation, session.index, effects);
        }
        if resumes {
            self.resume_input(now, id, effects);
        }
    }

    /// Handles what arrived while the connection did not want input, then asks the shell for more.
    pub(crate) fn resume_input(&mut self, now: Now, id: ConnectionId, effects: &mut Effects) {
        let Some(connection) = self.connections.get(id) else { return };
        connection.paused = false;
        connection.heard_partial_bytes = 0;
        let waiting = std::mem::take(&mut connection.partial);
        let used = self.consume(now, id, &waiting, effects);
        self.keep_rest(id, &waiting[used..]);
        if self.wants_input(id) {
            effects.resume.push(id);
        }
    }

    /// Handles whole packets from the front of `bytes`; how many bytes they took.
    fn consume(&mut self, now: Now, id: ConnectionId, bytes: &[u8], effects: &mut Effects) -> usize {
        let mut used = 0;
        while used < bytes.len() {
            let bytes_max = self.limits.outbound_bytes_max;
            let Some(connection) = self.connections.get(id) else { return bytes.len() };
            match connection.phase {
                // What follows a CONNECT waits for its answer; what follows an end is not heard.
                Phase::Authenticating => return used,
                Phase::Closing => return bytes.len(),
                Phase::Connected if !connection.wants_input(bytes_max) => {
                    connection.paused = true;
                    return used;
                }
                Phase::Opened | Phase::Connected => {}
            }
            if connection.phase == Phase::Opened && bytes[used] >> 4 != PacketType::Connect as u8 {
                // Whatever speaks here does not speak MQTT: its "length" is not worth waiting for. [MQTT5-3.1.0-1]
                let error = DecodeError::protocol("the first packet is not a CONNECT");
                self.fail(now, id, error, effects);
                return bytes.len();
            }
            let packet_bytes_max = self.packet_bytes_max(id);
            match split(&bytes[used..], packet_bytes_max) {
                Ok(Split::Frame(frame)) => {
                    used += frame.len;
                    self.on_frame(now, id, frame, effects);
                }
                Ok(Split::NeedHeader | Split::NeedBytes { .. }) => return used,
                Err(error) => {
                    self.fail(now, id, error, effects);
                    return bytes.len();
                }
            }
        }
        used
    }

    /// Topics that do not repeat are matched together, before their messages are handled one by one.
    fn look_ahead(&mut self, id: ConnectionId, bytes: &[u8]) {
        let packet_bytes_max = self.limits.packet_bytes_max;
        let Some(connection) = self.connections.get(id) else { return };
        let routes = &mut self.organisations[connection.organisation.0 as usize].routes;
        if routes.wants_topics_ahead() && connection.is_connected() {
            routes.look_ahead(topics_in(bytes, packet_bytes_max));
        }
    }

    /// The beginning of a packet is kept from earlier: bring it to its end, then go on in `bytes`.
    fn complete_partial(&mut self, now: Now, id: ConnectionId, bytes: &[u8], effects: &mut Effects) {
        let packet_bytes_max = self.packet_bytes_max(id);
        let mut rest = bytes;
        loop {
            let Some(connection) = self.connections.get(id) else { return };
            if connection.phase == Phase::Authenticating || connection.phase == Phase::Closing {
                self.keep_rest(id, rest);
                return;
            }
            let partial = &mut connection.partial;
            let missing = match split(partial, packet_bytes_max) {
                Ok(Split::NeedHeader) => 1,
                Ok(Split::NeedBytes { len }) => len - partial.len(),
                Ok(Split::Frame(_)) => 0,
                Err(error) => return self.fail(now, id, error, effects),
            };
            if missing == 0 {
                break;
            }
            if rest.is_empty() {
                return;
            }
            // Grows with what arrived, never with what a length announced.
            let (head, tail) = rest.split_at(missing.min(rest.len()));
            partial.extend_from_slice(head);
            connection.heard_partly(now);
            rest = tail;
        }
        let Some(connection) = self.connections.get(id) else { return };
        connection.heard(now);
        let packet = std::mem::take(&mut connection.partial);
        let used = self.consume(now, id, &packet, effects);
        self.keep_rest(id, &packet[used..]);
        let waits = self.connections.get(id).is_some_and(|connection| !connection.partial.is_empty());
        if waits {
            self.keep_rest(id, rest);
        } else {
            let used = self.consume(now, id, rest, effects);
            self.keep_rest(id, &rest[used..]);
        }
    }

    fn keep_rest(&mut self, id: ConnectionId, rest: &[u8]) {
        if !rest.is_empty()
            && let Some(connection) = self.connections.get(id)
            && connection.phase != Phase::Closing
        {
            connection.partial.extend_from_slice(rest);
        }
    }

    fn packet_bytes_max(&mut self, id: ConnectionId) -> usize {
        match self.connections.get(id).map(|connection| connection.phase) {
            Some(Phase::Connected) => self.limits.packet_bytes_max,
            _ => self.limits.packet_bytes_before_connect_max,
        }
    }

    fn on_frame(
        &mut self,
        now: Now,
        id: ConnectionId,
        frame: tidegate_mqtt::frame::Frame<'_>,
        effects: &mut Effects,
    ) {
        let Some(connection) = self.connections.get(id) else { return };
        if connection.phase == Phase::Opened {
            return self.on_first_packet(now, id, frame, effects);
        }
        let organisation = connection.organisation;
        let version = connection.version;
        self.organisations[organisation.0 as usize].counters.packets_received += 1;
        match Packet::decode(frame, version) {
            Ok(packet) => self.on_packet(now, id, &packet, effects),
            Err(error) => self.fail(now, id, error, effects),
        }
    }

    fn on_packet(&mut self, now: Now, id: ConnectionId, packet: &Packet<'_>, effects: &mut Effects) {
        if user_properties(packet) > self.limits.user_properties_max {
            let text = "the packet has more user properties than this server takes";
            return self.violate(now, id, ReasonCode::QuotaExceeded, text, effects);
        }
        match packet {
            Packet::Publish(publish) => self.on_publish(now, id, publish, effects),
            Packet::PubAck(ack) => self.on_puback(now, id, ack, effects),
            Packet::PubRec(ack) => self.on_pubrec(now, id, ack, effects),
            Packet::PubRel(ack) => self.on_pubrel(id, ack, effects),
            Packet::PubComp(ack) => self.on_pubcomp(now, id, ack, effects),
            Packet::Subscribe(subscribe) => self.on_subscribe(now, id, subscribe, effects),
            Packet::Unsubscribe(unsubscribe) => self.on_unsubscribe(now, id, unsubscribe, effects),
            Packet::PingReq => self.send(id, &Packet::PingResp, effects),
            Packet::Disconnect(disconnect) => self.on_disconnect(now, id, disconnect, effects),
            Packet::Connect(_) => {
                // [MQTT5-3.1.0-2] [MQTT3-3.1.0-2]
                self.fail(now, id, DecodeError::protocol("a second CONNECT arrived"), effects);
            }
            Packet::Auth(_) => {
                // [MQTT5-4.12.0-6] [MQTT5-4.12.1-1]: no method was agreed on, so there is nothing to continue.
                self.fail(now, id, DecodeError::protocol("AUTH without an authentication method"), effects);
            }
            Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => {
                self.fail(now, id, DecodeError::protocol("only a server sends this packet"), effects);
            }
        }
    }

    /// The peer broke a rule: 5.0 clients are told, all are closed. [MQTT5-4.13.1-1] [MQTT3-4.8.0-1]
    pub(crate) fn fail(&mut self, now: Now, id: ConnectionId, error: DecodeError, effects: &mut Effects) {
        let ending = Ending {
            tell: Some(error.reason),
            text: Some(error.text),
            reason: EndReason::Violation(error.text),
        };
        self.end(now, id, ending, effects);
    }

    /// Fails with a rule that the session knows and the codec does not.
    pub(crate) fn violate(
        &mut self,
        now: Now,
        id: ConnectionId,
        reason: ReasonCode,
        text: &'static str,
        effects: &mut Effects,
    ) {
        self.fail(now, id, DecodeError::with_reason(reason, text), effects);
    }
}

/// How many User Properties a packet has for which nobody counts them later: CONNECT, PUBLISH and SUBSCRIBE have answers
/// of their own.
fn user_properties(packet: &Packet<'_>) -> u32 {
    let properties = match packet {
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            ack.properties
        }
        Packet::Unsubscribe(unsubscribe) => unsubscribe.properties,
        Packet::Disconnect(disconnect) => disconnect.properties,
        Packet::Auth(auth) => auth.properties,
        _ => return 0,
    };
    properties.user_property_count()
}

/// The topics of the PUBLISH packets at the front of `bytes`. Nothing is checked here beyond what reading them needs:
/// whether they may be routed at all is found when their turn comes.
fn topics_in(mut bytes: &[u8], packet_bytes_max: usize) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        loop {
            let Ok(Split::Frame(frame)) = split(bytes, packet_bytes_max) else { return None };
            bytes = &bytes[frame.len..];
            if frame.packet_type == PacketType::Publish
                && let Some((len, rest)) = frame.body.split_first_chunk()
                && let Some(topic) = rest.get(..usize::from(u16::from_be_bytes(*len)))
                && !topic.is_empty()
            {
                return Some(topic);
            }
        }
    })
}
