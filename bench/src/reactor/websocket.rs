//! The client's side of WebSocket, as far as a load generator needs it: it asks for the subprotocol `mqtt`, sends each
//! packet in a masked frame of its own, and joins what the server's frames hold. Written from RFC 6455, without a look
//! at the broker's own layer.

use crate::codec;
use std::io;

/// The nonce of the example in RFC 6455, and the answer that a server has to derive from it. A load generator needs no
/// other: it does not guard against proxies.
const NONCE: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPTED: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const FINAL: u8 = 0x80;
const MASKED: u8 = 0x80;
const BINARY: u8 = 0x2;
const CONTINUATION: u8 = 0x0;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// Two bytes and a length of up to eight; servers do not mask.
const HEADER_BYTES_MAX: usize = 10;

/// More than any answer to an upgrade takes.
const ANSWER_BYTES_MAX: usize = 4096;

#[derive(Debug)]
pub(super) struct WebSocket {
    /// What has come of the answer to the upgrade; none once it is complete.
    answer: Option<Vec<u8>>,
    /// The front of a header whose rest has not come.
    header: [u8; HEADER_BYTES_MAX],
    header_bytes: usize,
    /// The frame that is being read, and how much of it is missing.
    opcode: u8,
    missing: u64,
    ping: Vec<u8>,
    random: u32,
}

impl Default for WebSocket {
    fn default() -> Self {
        Self {
            answer: Some(Vec::new()),
            header: [0; HEADER_BYTES_MAX],
            header_bytes: 0,
            opcode: BINARY,
            missing: 0,
            ping: Vec::new(),
            random: 0x9E37_79B9,
        }
    }
}

impl WebSocket {
    /// Appends the request for the upgrade.
    pub(super) fn ask(out: &mut Vec<u8>) {
        let request = format!(
            "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {NONCE}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
        );
        out.extend_from_slice(request.as_bytes());
    }

    #[inline]
    pub(super) fn is_open(&self) -> bool {
        self.answer.is_none()
    }

    /// Appends a frame for each of the `packets`.
    #[inline]
    pub(super) fn frame(&mut self, packets: &[u8], out: &mut Vec<u8>) {
        let mut rest = packets;
        while !rest.is_empty() {
            // Invariant: the queue of a connection holds whole packets of our own.
            let length = codec::first_packet(rest).map_or(rest.len(), <[u8]>::len);
            let (packet, others) = rest.split_at(length);
            self.append(BINARY, packet, out);
            rest = others;
        }
    }

    fn append(&mut self, opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
        out.push(FINAL | opcode);
        match payload.len() {
            short @ 0..=125 => out.push(MASKED | short as u8),
            medium @ 126..=0xFFFF => {
                out.push(MASKED | 126);
                out.extend_from_slice(&(medium as u16).to_be_bytes());
            }
            long => {
                out.push(MASKED | 127);
                out.extend_from_slice(&(long as u64).to_be_bytes());
            }
        }
        let key = self.next_key();
        out.extend_from_slice(&key);
        let start = out.len();
        out.extend_from_slice(payload);
        mask(&mut out[start..], key);
    }

    /// A step of xorshift: cheap, never zero, and different for each frame.
    fn next_key(&mut self) -> [u8; 4] {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        self.random.to_ne_bytes()
    }

    /// Moves the payloads in `bytes` to their front and returns how much they are. Answers to pings go to `replies`.
    #[inline]
    pub(super) fn unframe(&mut self, bytes: &mut [u8], replies: &mut Vec<u8>) -> io::Result<usize> {
        let mut read = if self.is_open() { 0 } else { self.read_answer(bytes)? };
        let mut end = 0;
        while read < bytes.len() {
            if self.missing == 0 {
                read += self.read_header(bytes[read]).map_err(io::Error::other)?;
            } else {
                let count = (bytes.len() - read).min(usize::try_from(self.missing).unwrap_or(usize::MAX));
                if self.opcode == PING {
                    self.ping.extend_from_slice(&bytes[read..read + count]);
                } else {
                    bytes.copy_within(read..read + count, end);
                    end += count;
                }
                read += count;
                self.missing -= count as u64;
            }
            if self.opcode == PING && self.missing == 0 && self.header_bytes == 0 {
                let ping = std::mem::take(&mut self.ping);
                self.append(PONG, &ping, replies);
                self.opcode = BINARY;
            }
        }
        Ok(end)
    }

    /// Takes one byte of a header; with its last, the frame begins.
    fn read_header(&mut self, byte: u8) -> Result<usize, String> {
        self.header[self.header_bytes] = byte;
        self.header_bytes += 1;
        let header = &self.header[..self.header_bytes];
        let length = match header {
            [_, length @ 0..=125] => u64::from(*length),
            [_, 126, high, low] => u64::from(u16::from_be_bytes([*high, *low])),
            [_, 127, length @ ..] if length.len() == 8 => {
                length.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte))
            }
            [_] | [_, 126 | 127, ..] => return Ok(1),
            _ => return Err("the broker masked a frame".to_owned()),
        };
        self.opcode = match header[0] & 0x7F {
            opcode @ (BINARY | CONTINUATION | PING) => opcode,
            other => return Err(format!("the broker sent a frame with opcode {other}")),
        };
        self.missing = length;
        self.header_bytes = 0;
        Ok(1)
    }

    /// Returns how many of `bytes` belong to the answer.
    fn read_answer(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(answer) = &mut self.answer else { return Ok(0) };
        let before = answer.len();
        answer.extend_from_slice(bytes);
        let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
            if answer.len() > ANSWER_BYTES_MAX {
                return Err(io::Error::other("the broker answers an upgrade without end"));
            }
            return Ok(bytes.len());
        };
        let text = String::from_utf8_lossy(&answer[..end]).into_owned();
        if !text.starts_with("HTTP/1.1 101") || !text.contains(ACCEPTED) {
            return Err(io::Error::other(format!("the broker refused the WebSocket: {text}")));
        }
        self.answer = None;
        Ok(end + 4 - before)
    }
}

/// Eight bytes at a time, since this is done for every byte that is sent.
#[inline]
fn mask(payload: &mut [u8], key: [u8; 4]) {
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut chunks = payload.chunks_exact_mut(8);
    for chunk in &mut chunks {
        // Invariant: chunks of eight have eight bytes.
        let masked = chunk.try_into().map_or(0, u64::from_ne_bytes) ^ wide;
        chunk.copy_from_slice(&masked.to_ne_bytes());
    }
    for (byte, key) in chunks.into_remainder().iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests;
