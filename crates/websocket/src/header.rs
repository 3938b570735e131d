//! The header of one frame (section 5.2): read as the client sends it, written as the server does.
//!
//! ```text
//!  byte 0             byte 1                        then
//! ┌───┬─────┬──────┐ ┌────┬──────────────────────┐ ┌───────────────┬────────┐
//! │FIN│RSV 3│opcode│ │MASK│length, or 126, or 127│ │0, 2 or 8 bytes│4: mask │ payload
//! └───┴─────┴──────┘ └────┴──────────────────────┘ └───────────────┴────────┘
//! ```
//!
//! Knows one frame and nothing of those around it: what may follow what is the decoder's.

use crate::close::Failure;
use crate::mask::Mask;

/// What a frame is (section 11.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opcode {
    Continuation = 0x0,
    Text = 0x1,
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xA,
}

impl Opcode {
    fn from_wire(nibble: u8) -> Option<Self> {
        Some(match nibble {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }

    pub(crate) fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }
}

/// The header of a frame from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The last frame of its message.
    pub(crate) fin: bool,
    pub(crate) opcode: Opcode,
    pub(crate) mask: Mask,
    pub(crate) payload_len: u64,
}

/// Two bytes, eight more for a length, four for a mask.
pub(crate) const HEADER_BYTES_MAX: usize = 14;
/// What a control frame may hold (section 5.5).
pub(crate) const CONTROL_PAYLOAD_BYTES_MAX: usize = 125;

/// Reads a header at the front of `bytes`; with it, how many bytes it takes. Nothing as long as it is not whole.
///
/// What is wrong is said as soon as it is there, before the rest of the header arrives.
#[inline]
pub(crate) fn read(bytes: &[u8]) -> Result<Option<(Header, usize)>, Failure> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    if first & 0x70 != 0 {
        return Err(Failure::protocol("a reserved bit is set, and no extension was agreed"));
    }
    let Some(opcode) = Opcode::from_wire(first & 0x0F) else {
        return Err(Failure::protocol("the opcode is reserved"));
    };
    let fin = first & 0x80 != 0;
    if opcode.is_control() && !fin {
        return Err(Failure::protocol("a control frame is fragmented"));
    }
    let Some(&second) = bytes.get(1) else { return Ok(None) };
    if second & 0x80 == 0 {
        return Err(Failure::protocol("a frame of a client is not masked"));
    }
    let length = second & 0x7F;
    if opcode.is_control() && usize::from(length) > CONTROL_PAYLOAD_BYTES_MAX {
        return Err(Failure::protocol("a control frame holds more than 125 bytes"));
    }
    let (payload_len, rest) = match length {
        126 => match bytes[2..].split_first_chunk::<2>() {
            Some((len, rest)) => (u64::from(u16::from_be_bytes(*len)), rest),
            None => return Ok(None),
        },
        127 => match bytes[2..].split_first_chunk::<8>() {
            Some((len, rest)) => (u64::from_be_bytes(*len), rest),
            None => return Ok(None),
        },
        short => (u64::from(short), &bytes[2..]),
    };
    check_length(length, payload_len)?;
    let Some((mask, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
    let header = Header { fin, opcode, mask: Mask::from_wire(*mask), payload_len };
    Ok(Some((header, bytes.len() - rest.len())))
}

/// The shortest of the three forms, and never the top bit of the longest.
fn check_length(form: u8, payload_len: u64) -> Result<(), Failure> {
    let shortest = match form {
        126 => payload_len > 125,
        127 => payload_len > u64::from(u16::MAX),
        _ => true,
    };
    if !shortest {
        return Err(Failure::protocol("a payload length is longer than it needs to be"));
    }
    if payload_len >> 63 != 0 {
        return Err(Failure::protocol("the top bit of a payload length is set"));
    }
    Ok(())
}

/// Appends the header of a whole message in one frame, as a server sends it: without a mask.
pub(crate) fn write(opcode: Opcode, payload_len: usize, out: &mut Vec<u8>) {
    out.push(0x80 | opcode as u8);
    match payload_len {
        0..=125 => out.push(payload_len as u8),
        126..=0xFFFF => {
            out.push(126);
            out.extend_from_slice(&(payload_len as u16).to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(payload_len as u64).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests;
