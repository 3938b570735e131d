//! Frames of a client, one after the other: where each begins, what may follow what, and its payload in the clear.
//!
//! The state lives between reads, so that a read may end anywhere: within a header, a payload or a message. What is to
//! be answered is not known here; see [`crate::websocket`].

use crate::close::Failure;
use crate::header::{self, HEADER_BYTES_MAX, Header, Opcode};
use crate::utf8::Utf8;
use crate::websocket::{MessageKind, Options, TextMessages};

#[derive(Debug)]
pub(crate) struct Decoder {
    options: Options,
    /// A header of which the end has not arrived.
    begun: [u8; HEADER_BYTES_MAX],
    begun_len: u8,
    /// The frame whose payload is arriving, and how much of it is missing.
    frame: Option<Header>,
    /// The message that is arriving, in one frame or several.
    message: Option<MessageKind>,
    /// Payload that the frames of this message have announced.
    message_bytes: u64,
    utf8: Utf8,
    /// The payload of a control frame. It is kept for the next one: at most 125 bytes, for who sends any.
    control: Vec<u8>,
}

/// What was found at the front of the bytes.
#[derive(Debug)]
pub(crate) struct Step {
    /// Bytes that this step took.
    pub(crate) used: usize,
    pub(crate) item: Item,
}

#[derive(Debug)]
pub(crate) enum Item {
    /// Payload of a message: the last `len` of the bytes that were used, the mask taken off.
    Payload { len: usize, kind: MessageKind, ends_message: bool },
    /// A whole control frame; its payload is [`Decoder::control_payload`].
    Control(Opcode),
    /// The bytes are used up.
    Nothing,
}

impl Decoder {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            options,
            begun: [0; HEADER_BYTES_MAX],
            begun_len: 0,
            frame: None,
            message: None,
            message_bytes: 0,
            utf8: Utf8::default(),
            control: Vec::new(),
        }
    }

    /// The payload of the control frame that [`Decoder::step`] has just found.
    pub(crate) fn control_payload(&self) -> &[u8] {
        &self.control
    }

    /// Takes the next thing off the front of `bytes`, the mask of its payload off in place.
    #[inline]
    pub(crate) fn step(&mut self, bytes: &mut [u8]) -> Result<Step, Failure> {
        let mut used = 0;
        loop {
            let Some(mut header) = self.frame else {
                match self.read_header(&bytes[used..])? {
                    Some(header_used) => used += header_used,
                    None => return Ok(Step { used: bytes.len(), item: Item::Nothing }),
                }
                continue;
            };
            let arrived = &mut bytes[used..];
            let len = usize::try_from(header.payload_len).unwrap_or(usize::MAX).min(arrived.len());
            let payload = &mut arrived[..len];
            header.mask.take_off(payload);
            header.payload_len -= len as u64;
            let is_whole = header.payload_len == 0;
            self.frame = (!is_whole).then_some(header);
            used += len;
            let item = if header.opcode.is_control() {
                self.control.extend_from_slice(payload);
                is_whole.then_some(Item::Control(header.opcode))
            } else {
                self.on_payload(payload, is_whole && header.fin)?
            };
            if let Some(item) = item {
                return Ok(Step { used, item });
            }
            if !is_whole {
                return Ok(Step { used, item: Item::Nothing });
            }
        }
    }

    /// Begins the frame at the front of `bytes` and says how much its header took, or keeps what is there of it.
    #[inline]
    fn read_header(&mut self, bytes: &[u8]) -> Result<Option<usize>, Failure> {
        if self.begun_len == 0 {
            if let Some((header, used)) = header::read(bytes)? {
                self.begin(header)?;
                return Ok(Some(used));
            }
            self.begun[..bytes.len()].copy_from_slice(bytes);
            self.begun_len = bytes.len() as u8;
            return Ok(None);
        }
        for (used, byte) in (1..).zip(bytes) {
            self.begun[usize::from(self.begun_len)] = *byte;
            self.begun_len += 1;
            if let Some((header, _)) = header::read(&self.begun[..usize::from(self.begun_len)])? {
                self.begun_len = 0;
                self.begin(header)?;
                return Ok(Some(used));
            }
        }
        Ok(None)
    }

    /// What may follow what (section 5.4).
    #[inline]
    fn begin(&mut self, header: Header) -> Result<(), Failure> {
        match (header.opcode, self.message) {
            (Opcode::Close | Opcode::Ping | Opcode::Pong, _) => {
                self.control.clear();
                self.control.reserve_exact(header.payload_len as usize);
            }
            (Opcode::Continuation, Some(_)) => self.announce(header.payload_len)?,
            (Opcode::Continuation, None) => {
                return Err(Failure::protocol("a continuation frame continues nothing"));
            }
            (Opcode::Text | Opcode::Binary, Some(_)) => {
                return Err(Failure::protocol("a message begins within another"));
            }
            (Opcode::Binary, None) => self.begin_message(MessageKind::Binary, header.payload_len)?,
            (Opcode::Text, None) => {
                if self.options.text == TextMessages::Refused {
                    return Err(Failure::TEXT_REFUSED);
                }
                self.begin_message(MessageKind::Text, header.payload_len)?;
            }
        }
        self.frame = Some(header);
        Ok(())
    }

    fn begin_message(&mut self, kind: MessageKind, payload_len: u64) -> Result<(), Failure> {
        self.message = Some(kind);
        self.message_bytes = 0;
        self.announce(payload_len)
    }

    /// A frame says how much of a message it holds, before it arrives.
    fn announce(&mut self, payload_len: u64) -> Result<(), Failure> {
        self.message_bytes = self.message_bytes.saturating_add(payload_len);
        match self.options.message_bytes_max {
            0 => Ok(()),
            max if self.message_bytes <= max => Ok(()),
            _ => Err(Failure::TOO_BIG),
        }
    }

    /// Some of a message; nothing to tell when it is empty and not the end.
    #[inline]
    fn on_payload(&mut self, payload: &[u8], ends_message: bool) -> Result<Option<Item>, Failure> {
        let kind = self.message.unwrap_or(MessageKind::Binary);
        if kind == MessageKind::Text {
            let valid = self.utf8.check(payload).is_ok() && (!ends_message || self.utf8.is_whole());
            if !valid {
                return Err(Failure::NOT_UTF8);
            }
        }
        if ends_message {
            self.message = None;
        }
        let says_something = ends_message || !payload.is_empty();
        Ok(says_something.then_some(Item::Payload { len: payload.len(), kind, ends_message }))
    }
}
