//! Keep Alive (section 3.1.2.10): when a client counts as heard, and what happens when it is not.
//!
//! The specification counts Control Packets. A packet that has arrived whole counts at once. One that is still arriving
//! counts with each [`HEARD_BYTES`] of it: its sender cannot put a PINGREQ in between, so a large PUBLISH over a slow line
//! must not end the connection, while a client that sends a byte now and then is not alive.

use tidegate_mqtt::ReasonCode;
use tidegate_observe::EndReason;

use crate::close::Ending;
use crate::connection::Connection;
use crate::core::{Core, Timer};
use crate::effects::Effects;
use crate::identifiers::ConnectionId;
use crate::time::Now;

impl Core {
    /// [MQTT5-3.1.2-22] [MQTT3-3.1.2-24]
    pub(crate) fn on_keep_alive_timer(&mut self, now: Now, id: ConnectionId, effects: &mut Effects) {
        let Some(connection) = self.connections.get(id) else { return };
        if !connection.is_connected() {
            return;
        }
        if connection.waits_for_durability() {
            // Whatever it says is not read: its silence is not its own.
            connection.heard(now);
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

impl Connection {
    /// A packet has arrived whole.
    pub(crate) fn heard(&mut self, now: Now) {
        self.heard_ms = now.mono_ms;
        self.heard_partial_bytes = 0;
    }

    /// More of the packet has arrived whose beginning is in `partial`.
    pub(crate) fn heard_partly(&mut self, now: Now) {
        let arrived = self.partial.len();
        if arrived >= self.heard_partial_bytes as usize + HEARD_BYTES {
            self.heard_ms = now.mono_ms;
            self.heard_partial_bytes = arrived as u32;
        }
    }
}

/// One and a half times the Keep Alive.
pub(crate) fn keep_alive_ms(keep_alive_secs: u16) -> u64 {
    u64::from(keep_alive_secs) * 1500
}

/// A client that sends no more of a packet in one and a half times its Keep Alive is as good as silent. Together with
/// the largest packet this bounds how long a packet may take.
const HEARD_BYTES: usize = 1024;
