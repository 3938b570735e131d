//! A Will Message whose connection is gone, and the moment it is due (section 3.1.2.5).

use crate::connection::OwnedWill;

/// Published when its delay or its session ends, whichever is first, unless the client comes back before.
/// [MQTT5-3.1.3-9] [MQTT5-3.1.2-8]
pub(crate) struct PendingWill {
    pub(crate) will: OwnedWill,
    /// When its delay is over, in monotonic milliseconds.
    pub(crate) due_ms: u64,
}
