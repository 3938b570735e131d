//! Why a WebSocket connection ends: the codes of section 7.4, and what a Close frame may hold.

/// The status code of a Close frame, one that may stand in a frame (section 7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: everything that was to be said was said.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the server stops.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke a rule of the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: the peer sent a kind of message that is not accepted here, as text is.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1007: text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: a rule of this server that has no code of its own.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message is larger than is accepted here.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1011: the server cannot go on.
    pub const INTERNAL_ERROR: Self = Self(1011);

    /// The code, when it is one that a peer may send.
    ///
    /// 1004, 1005, 1006 and 1015 are reserved: the last three say locally that there was no code. 1012 to 1014 were
    /// registered with IANA after the RFC. 3000 to 3999 are for libraries, 4000 to 4999 for private use.
    #[must_use]
    pub const fn from_wire(code: u16) -> Option<Self> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl std::fmt::Display for CloseCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A rule that the peer broke. The connection ends: the peer is told `code`, a person reads `text`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What the Close frame says.
    pub code: CloseCode,
    /// One sentence for logs and for the Close frame: what was wrong. Never holds bytes of the peer.
    pub text: &'static str,
}

impl Failure {
    pub(crate) const fn protocol(text: &'static str) -> Self {
        Self { code: CloseCode::PROTOCOL_ERROR, text }
    }

    pub(crate) const TEXT_REFUSED: Self =
        Self { code: CloseCode::UNSUPPORTED_DATA, text: "MQTT travels in binary frames, not in text frames" };
    pub(crate) const NOT_UTF8: Self = Self { code: CloseCode::INVALID_PAYLOAD, text: "text is not UTF-8" };
    pub(crate) const TOO_BIG: Self =
        Self { code: CloseCode::MESSAGE_TOO_BIG, text: "the message is larger than this server accepts" };
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.text, self.code)
    }
}

impl std::error::Error for Failure {}

/// Reads the payload of a Close frame (section 5.5.1): nothing, or a code and a reason in UTF-8.
pub(crate) fn read(payload: &[u8]) -> Result<Option<CloseCode>, Failure> {
    if payload.is_empty() {
        return Ok(None);
    }
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return Err(Failure::protocol("a Close frame holds half a status code"));
    };
    let Some(code) = CloseCode::from_wire(u16::from_be_bytes(*code)) else {
        return Err(Failure::protocol("a Close frame holds a status code that may not be sent"));
    };
    if std::str::from_utf8(reason).is_err() {
        return Err(Failure { text: "the reason in a Close frame is not UTF-8", ..Failure::NOT_UTF8 });
    }
    Ok(Some(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_codes_that_mean_something_on_the_wire_may_be_sent() {
        let legal = |code: u16| match code {
            0..=999 => false,
            // Section 7.4.1, and the registry for 1012 to 1014.
            1004 | 1005 | 1006 | 1015 => false,
            1000..=1014 => true,
            // Section 7.4.2: reserved for the protocol; then libraries and private use.
            1016..=2999 => false,
            3000..=4999 => true,
            _ => false,
        };
        for code in 0..=u16::MAX {
            assert_eq!(CloseCode::from_wire(code).map(CloseCode::get), legal(code).then_some(code));
        }
    }

    #[test]
    fn a_close_frame_is_empty_or_has_a_whole_code_and_a_reason_in_utf8() {
        assert_eq!(read(b""), Ok(None));
        assert_eq!(read(&[3, 0xE8]), Ok(Some(CloseCode::NORMAL)));
        assert_eq!(read(b"\x03\xE9bye \xE2\x82\xAC"), Ok(Some(CloseCode::GOING_AWAY)));
        assert_eq!(read(&[3]).unwrap_err().code, CloseCode::PROTOCOL_ERROR);
        assert_eq!(read(&[3, 0xED]).unwrap_err().code, CloseCode::PROTOCOL_ERROR);
        assert_eq!(read(b"\x03\xE8\xE2\x82").unwrap_err().code, CloseCode::INVALID_PAYLOAD);
    }
}
