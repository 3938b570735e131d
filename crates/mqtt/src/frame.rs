//! Finds one MQTT Control Packet at the front of a stream of bytes (section 2.1, Fixed header).

use crate::error::DecodeError;
use crate::packet::PacketType;
use crate::reason::ReasonCode;

/// One whole packet in the caller's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The type, from the high four bits of the first byte.
    pub packet_type: PacketType,
    /// The low four bits of the first byte.
    pub flags: u8,
    /// Variable header and payload: the `Remaining Length` bytes.
    pub body: &'a [u8],
    /// Length of the whole packet with its fixed header, in bytes.
    pub len: usize,
}

/// What stands at the front of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split<'a> {
    /// A whole packet.
    Frame(Frame<'a>),
    /// The fixed header is not complete yet (fewer than 5 bytes are there).
    NeedHeader,
    /// The packet will have `len` bytes in all; fewer are there.
    NeedBytes {
        /// Length of the whole packet, at most the `packet_bytes_max` that was asked for.
        len: usize,
    },
}

/// Looks for one packet at the front of `buffer`, of at most `packet_bytes_max` bytes in all.
///
/// # Errors
/// 0x81 for packet type 0 and for a Remaining Length of more than four bytes; 0x95 for a packet larger than
/// `packet_bytes_max`, as soon as its header says so, before its body arrives.
#[inline]
pub fn split(buffer: &[u8], packet_bytes_max: usize) -> Result<Split<'_>, DecodeError> {
    let Some(&first) = buffer.first() else { return Ok(Split::NeedHeader) };
    let Some(packet_type) = PacketType::from_u8(first >> 4) else {
        return Err(DecodeError::malformed("packet type 0 is reserved"));
    };
    let mut remaining = 0usize;
    let mut header = 1;
    loop {
        let Some(&byte) = buffer.get(header) else { return Ok(Split::NeedHeader) };
        remaining |= usize::from(byte & 0x7F) << (7 * (header - 1));
        header += 1;
        if byte & 0x80 == 0 {
            break;
        }
        // Four bytes are the most; a fifth is never waited for (CVE-2026-21888 in another broker).
        if header == 5 {
            return Err(DecodeError::malformed("the remaining length has more than four bytes"));
        }
    }
    let len = header + remaining;
    if len > packet_bytes_max {
        return Err(DecodeError::with_reason(
            ReasonCode::PacketTooLarge,
            "the packet is larger than this server accepts",
        ));
    }
    match buffer.get(header..len) {
        Some(body) => Ok(Split::Frame(Frame { packet_type, flags: first & 0x0F, body, len })),
        None => Ok(Split::NeedBytes { len }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_length_byte_is_malformed_before_it_arrives() {
        assert_eq!(split(&[0x30, 0xFF, 0xFF, 0xFF], 1 << 28), Ok(Split::NeedHeader));
        let error = split(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF], 1 << 28).unwrap_err();
        assert_eq!(error.reason, ReasonCode::MalformedPacket);
    }

    #[test]
    fn a_packet_above_the_maximum_is_refused_by_its_header_alone() {
        let error = split(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F], 1024).unwrap_err();
        assert_eq!(error.reason, ReasonCode::PacketTooLarge);
    }

    #[test]
    fn the_missing_length_is_told() {
        assert_eq!(split(&[0x30, 0x05, 0, 1], 1024), Ok(Split::NeedBytes { len: 7 }));
    }
}
