//! One WebSocket connection after its upgrade: both directions, and how it ends.

use crate::close::{self, CloseCode, Failure};
use crate::decoder::{Decoder, Item};
use crate::header::Opcode;
use crate::sender::{Offer, Sender};

/// What a connection accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether text is served.
    pub text: TextMessages,
    /// The largest message, in bytes of payload; 0 for any. A message may be larger than a packet and hold many of
    /// them, so whoever bounds packets needs no bound here: nothing is kept of a message while it arrives.
    pub message_bytes_max: u64,
}

/// What is done with messages of text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TextMessages {
    /// The connection ends with 1003, as MQTT wants it. [MQTT5-6.0.0-1]
    #[default]
    Refused,
    /// They are served, and must be UTF-8.
    Accepted,
}

/// The two kinds of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// UTF-8, checked as it arrives.
    Text,
    /// Any bytes.
    Binary,
}

/// What one read has brought, when only the bytes matter and not the messages they came in.
#[derive(Debug, PartialEq, Eq)]
pub struct Received<'b> {
    /// The payload of all frames, in one piece, where it arrived.
    pub payload: &'b [u8],
    /// That nothing comes after this payload, and why.
    pub end: Option<End>,
}

/// What the client has done.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'b> {
    /// Some of a message: a frame, or as much of it as has arrived.
    Payload {
        /// The bytes, the mask taken off; empty only at the end of a message.
        bytes: &'b [u8],
        /// What the message is.
        kind: MessageKind,
        /// These were its last bytes.
        ends_message: bool,
    },
    /// The last event. What [`WebSocket::offer`] has is still to be sent, then the TCP connection is to be closed.
    End(End),
}

/// Why nothing more is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The client sent Close, with this code if it gave one. Ours answers it, unless it went first.
    Closed(Option<CloseCode>),
    /// The client broke a rule. A Close says so.
    Failed(Failure),
}

/// One connection. Moves with its socket from thread to thread; less than 200 bytes when idle.
#[derive(Debug)]
pub struct WebSocket {
    decoder: Decoder,
    sender: Sender,
    ended: bool,
}

impl WebSocket {
    /// A connection of which the upgrade was accepted.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { decoder: Decoder::new(options), sender: Sender::default(), ended: false }
    }

    /// Takes the frames off all bytes of one read: the stream that a client writes, as over plain TCP.
    ///
    /// Where frames follow each other their payloads are moved together, so that packets are whole in one slice, however
    /// the client has cut them into frames. A read within one frame moves nothing. Pings are answered with the next
    /// write: see [`WebSocket::is_owed`].
    pub fn receive_stream<'b>(&mut self, bytes: &'b mut [u8]) -> Received<'b> {
        let (mut read, mut start, mut len) = (0, 0, 0);
        let mut end = None;
        while end.is_none() && read < bytes.len() {
            let (used, item) = self.step(&mut bytes[read..]);
            read += used;
            match item {
                Taken::Payload { len: part, .. } => {
                    if len == 0 {
                        start = read - part;
                    } else {
                        bytes.copy_within(read - part..read, start + len);
                    }
                    len += part;
                }
                Taken::End(why) => end = Some(why),
                Taken::Nothing => {}
            }
        }
        Received { payload: &bytes[start..start + len], end }
    }

    /// The next event in `unread`, which becomes what is left of it. Nothing when it is used up.
    ///
    /// For those who want to know where messages end. Call it until it gives nothing; after an end it gives nothing and
    /// throws away what arrives.
    pub fn receive<'b>(&mut self, unread: &mut &'b mut [u8]) -> Option<Event<'b>> {
        while !unread.is_empty() {
            let (used, item) = self.step(unread);
            let (taken, rest) = std::mem::take(unread).split_at_mut(used);
            *unread = rest;
            match item {
                Taken::Payload { len, kind, ends_message } => {
                    return Some(Event::Payload { bytes: &taken[used - len..], kind, ends_message });
                }
                Taken::End(end) => return Some(Event::End(end)),
                Taken::Nothing => {}
            }
        }
        None
    }

    /// What to write now, when `payload_len` bytes of payload wait: its `head`, then as much payload as it says.
    ///
    /// All that waits travels as one binary message in one frame. When the kernel has taken only a part, the rest of the
    /// frame is offered until it is sent, so payload that was offered once must stay in its place. Ask also when no
    /// payload waits: there may be a Pong or a Close.
    #[inline]
    pub fn offer(&mut self, payload_len: usize) -> Offer<'_> {
        self.sender.offer(payload_len)
    }

    /// Begins a message of either kind, which may be empty; [`WebSocket::offer`] goes on with it. That text is UTF-8 is
    /// the caller's promise.
    pub fn offer_message(&mut self, kind: MessageKind, payload_len: usize) -> Offer<'_> {
        let opcode = match kind {
            MessageKind::Text => Opcode::Text,
            MessageKind::Binary => Opcode::Binary,
        };
        self.sender.offer_message(opcode, payload_len)
    }

    /// The kernel took `count` bytes of what was offered; returns how many of them were payload.
    #[inline]
    pub fn sent(&mut self, count: usize) -> usize {
        self.sender.sent(count)
    }

    /// Whether there is something to write although no new payload waits.
    #[must_use]
    pub fn is_owed(&self) -> bool {
        self.sender.is_owed()
    }

    /// Says goodbye: behind the frame that was begun, and before payload that was not offered yet, which is not sent any
    /// more. What the client still sends is thrown away, until its Close comes.
    ///
    /// Of `reason`, one sentence for a person, 123 bytes are sent.
    pub fn close(&mut self, code: CloseCode, reason: &str) {
        self.sender.close(Some(code), reason);
    }

    /// Whether Close was sent or waits to be.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.sender.is_closed()
    }

    /// One step of the decoder, and what it demands of the other direction.
    #[inline]
    fn step(&mut self, bytes: &mut [u8]) -> (usize, Taken) {
        if self.ended {
            return (bytes.len(), Taken::Nothing);
        }
        let step = match self.decoder.step(bytes) {
            Ok(step) => step,
            Err(failure) => return (bytes.len(), Taken::End(self.fail(failure))),
        };
        let taken = match step.item {
            Item::Payload { .. } if self.sender.is_closed() => Taken::Nothing,
            Item::Payload { len, kind, ends_message } => Taken::Payload { len, kind, ends_message },
            Item::Control(opcode) => self.on_control(opcode),
            Item::Nothing => Taken::Nothing,
        };
        (step.used, taken)
    }

    fn on_control(&mut self, opcode: Opcode) -> Taken {
        let payload = self.decoder.control_payload();
        match opcode {
            Opcode::Ping => self.sender.pong(payload),
            Opcode::Close => {
                return Taken::End(match close::read(payload) {
                    Ok(code) => {
                        self.ended = true;
                        self.sender.close(code, "");
                        End::Closed(code)
                    }
                    Err(failure) => self.fail(failure),
                });
            }
            // A Pong that nobody asked for is legal, and says nothing (section 5.5.3).
            _ => {}
        }
        Taken::Nothing
    }

    /// Section 7.1.7.
    fn fail(&mut self, failure: Failure) -> End {
        self.ended = true;
        self.sender.close(Some(failure.code), failure.text);
        End::Failed(failure)
    }
}

/// What one step gave, with payload as the last `len` of the bytes that it used.
enum Taken {
    Payload { len: usize, kind: MessageKind, ends_message: bool },
    End(End),
    Nothing,
}

#[cfg(test)]
mod tests;
