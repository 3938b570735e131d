//! Packets for one client, appended to what its connection is owed; PUBLISH has a way of its own, in `delivery`.

use tidegate_mqtt::Packet;

use crate::core::Core;
use crate::effects::Effects;
use crate::identifiers::ConnectionId;

impl Core {
    /// Appends a packet to what the connection is owed.
    pub(crate) fn send(&mut self, id: ConnectionId, packet: &Packet<'_>, effects: &mut Effects) {
        // [MQTT5-3.1.2-24] [MQTT5-3.1.2-25]: what is too large for the client is as good as sent.
        self.send_if_it_fits(id, packet, effects);
    }

    /// The same; `false` if the client does not take a packet so large.
    pub(crate) fn send_if_it_fits(
        &mut self,
        id: ConnectionId,
        packet: &Packet<'_>,
        effects: &mut Effects,
    ) -> bool {
        let Some(connection) = self.connections.get(id) else { return false };
        let buffer = connection.outbound.buffer(&mut self.pool);
        let before = buffer.len();
        packet.encode(connection.version, buffer);
        if buffer.len() - before > connection.packet_bytes_max as usize {
            buffer.truncate(before);
            return false;
        }
        self.sent(id, effects);
        true
    }

    /// Appends a packet that was encoded before, if there is one.
    pub(crate) fn send_encoded(&mut self, id: ConnectionId, packet: &[u8], effects: &mut Effects) {
        if packet.is_empty() {
            return;
        }
        let Some(connection) = self.connections.get(id) else { return };
        connection.outbound.buffer(&mut self.pool).extend_from_slice(packet);
        self.sent(id, effects);
    }

    fn sent(&mut self, id: ConnectionId, effects: &mut Effects) {
        let Some(connection) = self.connections.get(id) else { return };
        if !connection.dirty {
            connection.dirty = true;
            effects.write.push(id);
        }
        let organisation = connection.organisation;
        self.organisations[organisation.0 as usize].counters.packets_sent += 1;
    }
}
