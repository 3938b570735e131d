//! Why bytes are not a packet, whose fault it is, and the Reason Code that says so.

use crate::reason::ReasonCode;

/// Which kind of rule was broken; decides between "malformed" and "protocol error" in logs and answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The bytes cannot be parsed (section 1.2, Malformed Packet).
    Malformed,
    /// The bytes parse, and say something that the protocol forbids (section 1.2, Protocol Error).
    ProtocolError,
    /// The packet is legal, and this receiver does not accept it (size, version).
    NotAccepted,
}

/// A packet that could not be decoded. Always the fault of the peer; the connection ends with `reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// Which kind of rule was broken.
    pub fault: Fault,
    /// What a 5.0 peer is told. 3.1 and 3.1.1 peers are closed. [MQTT5-4.13.1-1]
    pub reason: ReasonCode,
    /// One sentence for logs and the Reason String: what was wrong. Never holds bytes of the peer.
    pub text: &'static str,
}

impl DecodeError {
    /// The bytes cannot be parsed: 0x81.
    #[must_use]
    pub const fn malformed(text: &'static str) -> Self {
        Self { fault: Fault::Malformed, reason: ReasonCode::MalformedPacket, text }
    }

    /// The packet says something that is forbidden: 0x82.
    #[must_use]
    pub const fn protocol(text: &'static str) -> Self {
        Self { fault: Fault::ProtocolError, reason: ReasonCode::ProtocolError, text }
    }

    /// A broken rule for which the specification has a Reason Code of its own.
    #[must_use]
    pub const fn with_reason(reason: ReasonCode, text: &'static str) -> Self {
        let fault = match reason {
            ReasonCode::PacketTooLarge | ReasonCode::UnsupportedProtocolVersion => Fault::NotAccepted,
            ReasonCode::MalformedPacket => Fault::Malformed,
            _ => Fault::ProtocolError,
        };
        Self { fault, reason, text }
    }
}

impl std::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.text, self.reason)
    }
}

impl std::error::Error for DecodeError {}
