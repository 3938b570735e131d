//! The server's frames, around payload that stays where it is.
//!
//! One write carries one frame:
//!
//! ```text
//! ┌─────────────────────────────────┬─────────────────────────┐
//! │ head: [Pong]… [Close] or header │ payload, in n pieces    │ → one vectored write
//! └─────────────────────────────────┴─────────────────────────┘
//!   ours, a few bytes                 the caller's
//! ```
//!
//! The kernel may take any part of it. Once the header of a frame is on its way exactly the announced payload must
//! follow, so a Pong or a Close that is owed meanwhile waits for the end of that frame.

use crate::close::CloseCode;
use crate::header::{self, CONTROL_PAYLOAD_BYTES_MAX, Opcode};

/// What to send next: first `head`, then `payload` bytes of payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer<'a> {
    /// Control frames, and the header of the frame in which the payload travels. Often empty, never long.
    pub head: &'a [u8],
    /// How many bytes of payload belong behind it; never more than were asked for.
    pub payload: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Sender {
    /// What goes before the payload, and how much of it is sent.
    head: Vec<u8>,
    head_sent: usize,
    /// What is missing of the frame that was begun.
    payload_left: usize,
    /// Control frames that go behind the frame that was begun.
    waiting: Vec<u8>,
    /// Close is in `waiting`, in `head`, or sent: nothing comes after it.
    closed: bool,
}

impl Sender {
    /// See [`crate::WebSocket::offer`].
    #[inline]
    pub(crate) fn offer(&mut self, payload_len: usize) -> Offer<'_> {
        if payload_len > 0 {
            return self.offer_message(Opcode::Binary, payload_len);
        }
        self.queue_waiting();
        Offer { head: &self.head[self.head_sent..], payload: 0 }
    }

    /// See [`crate::WebSocket::offer_message`].
    #[inline]
    pub(crate) fn offer_message(&mut self, opcode: Opcode, payload_len: usize) -> Offer<'_> {
        self.queue_waiting();
        if self.payload_left == 0 && !self.closed {
            header::write(opcode, payload_len, &mut self.head);
            self.payload_left = payload_len;
        }
        Offer { head: &self.head[self.head_sent..], payload: self.payload_left.min(payload_len) }
    }

    /// Between two frames what waits may go; when the kernel takes nothing it goes on waiting, and stays bounded.
    #[inline]
    fn queue_waiting(&mut self) {
        if self.payload_left == 0 && self.head.is_empty() && !self.waiting.is_empty() {
            std::mem::swap(&mut self.head, &mut self.waiting);
        }
    }

    /// See [`crate::WebSocket::sent`].
    #[inline]
    pub(crate) fn sent(&mut self, count: usize) -> usize {
        let of_head = count.min(self.head.len() - self.head_sent);
        self.head_sent += of_head;
        if self.head_sent == self.head.len() {
            self.head_sent = 0;
            self.head.clear();
            self.head.shrink_to(HEAD_BYTES_KEPT);
        }
        let of_payload = (count - of_head).min(self.payload_left);
        self.payload_left -= of_payload;
        of_payload
    }

    /// Whether something of ours, or payload of a frame that was begun, is still to be sent.
    pub(crate) fn is_owed(&self) -> bool {
        !self.head.is_empty() || !self.waiting.is_empty() || self.payload_left > 0
    }

    /// Answers a Ping (section 5.5.3).
    ///
    /// Each is answered, as long as the client takes the answers. When too many wait only the newest is, as the section
    /// allows.
    pub(crate) fn pong(&mut self, payload: &[u8]) {
        if self.closed {
            return;
        }
        if self.waiting.len() + 2 + payload.len() > PONG_BYTES_MAX {
            self.waiting.clear();
        }
        header::write(Opcode::Pong, payload.len(), &mut self.waiting);
        self.waiting.extend_from_slice(payload);
    }

    /// The last frame (section 5.5.1). A second one is not sent.
    pub(crate) fn close(&mut self, code: Option<CloseCode>, reason: &str) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        let Some(code) = code else { return header::write(Opcode::Close, 0, &mut self.waiting) };
        let reason = &reason[..reason.floor_char_boundary(CONTROL_PAYLOAD_BYTES_MAX - 2)];
        header::write(Opcode::Close, 2 + reason.len(), &mut self.waiting);
        self.waiting.extend_from_slice(&code.get().to_be_bytes());
        self.waiting.extend_from_slice(reason.as_bytes());
    }

    /// Whether Close was sent or waits to be.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }
}

/// Pongs that wait for a client that does not read: some dozens, or one answer to a Ping of any size.
const PONG_BYTES_MAX: usize = 1024;
/// Room kept between writes, for the header of a frame.
const HEAD_BYTES_KEPT: usize = 16;
