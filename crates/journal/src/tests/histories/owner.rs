//! An owner of a stream as the model sees it: counters that are changed by State records, and messages.
//!
//! It is written the way a broker would: what it does takes effect in its memory at once, and on the disk when it is
//! committed.

use std::collections::BTreeMap;

use crate::*;

/// What a record says. The number makes each record one of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Saying {
    /// The counter has this value. As a first mention, and as an image.
    Set { key: u8, value: u64 },
    /// The counter, if there is one, grows.
    Add { key: u8, more: u64 },
    /// There is no such counter.
    Delete { key: u8 },
    /// A message: the record itself.
    Message { id: u64, length: u32 },
    /// This message is what stands elsewhere in the log, where it was written as `content`. An image, or a reference of
    /// one more to what is there.
    MessageAt { id: u64, place: Place },
    /// The message is no longer needed.
    Done { id: u64 },
}

impl Saying {
    pub(super) fn kind(&self) -> Kind {
        if matches!(self, Self::Message { .. }) { Kind::Message } else { Kind::State }
    }

    pub(super) fn encode(&self, number: u64) -> Vec<u8> {
        let (code, a, b, c, d) = match *self {
            Self::Set { key, value } => (b's', u64::from(key), value, 0, 0),
            Self::Add { key, more } => (b'a', u64::from(key), more, 0, 0),
            Self::Delete { key } => (b'd', u64::from(key), 0, 0, 0),
            Self::Message { id, length } => (b'm', id, u64::from(length), 0, 0),
            Self::MessageAt { id, place: Place { content, position, length } } => {
                (b'p', id, content, position.to_u64(), u64::from(length))
            }
            Self::Done { id } => (b'r', id, 0, 0, 0),
        };
        let mut bytes = vec![code];
        for word in [number, a, b, c, d] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        if let Self::Message { id, length } = *self {
            bytes.resize(length as usize, id as u8);
        }
        bytes
    }

    /// The number that a record was encoded with.
    pub(super) fn number(bytes: &[u8]) -> Option<u64> {
        Some(u64::from_le_bytes(bytes.get(1..9)?.try_into().ok()?))
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let (a, b, c, d) = (word(9)?, word(17)?, word(25)?, word(33)?);
        Some(match *bytes.first()? {
            b's' => Self::Set { key: a as u8, value: b },
            b'a' => Self::Add { key: a as u8, more: b },
            b'd' => Self::Delete { key: a as u8 },
            b'm' => Self::Message { id: a, length: b as u32 },
            b'p' => {
                let place = Place { content: b, position: Position::from_u64(c), length: d as u32 };
                Self::MessageAt { id: a, place }
            }
            b'r' => Self::Done { id: a },
            _ => return None,
        })
    }
}

/// The shortest message: what `encode` writes before the filling.
pub(super) const MESSAGE_BYTES_MIN: u32 = 41;

/// What an owner knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Owned {
    pub(super) counters: BTreeMap<u8, u64>,
    /// Where each message stands. Several may be the same record.
    pub(super) messages: BTreeMap<u64, Place>,
}

/// A Message record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// What it says that it is.
    pub(super) content: u64,
    pub(super) position: Position,
    pub(super) length: u32,
}

impl Place {
    /// Whether these are the bytes of that record.
    pub(super) fn is(&self, bytes: &[u8]) -> bool {
        Saying::decode(bytes) == Some(Saying::Message { id: self.content, length: self.length })
    }
}

impl Owned {
    /// As a replay does it.
    pub(super) fn apply(&mut self, saying: &Saying, position: Position) {
        match *saying {
            Saying::Set { key, value } => {
                self.counters.insert(key, value);
            }
            Saying::Add { key, more } => {
                if let Some(value) = self.counters.get_mut(&key) {
                    *value += more;
                }
            }
            Saying::Delete { key } => {
                self.counters.remove(&key);
            }
            Saying::Message { id, length } => {
                self.messages.insert(id, Place { content: id, position, length });
            }
            Saying::MessageAt { id, place } => {
                self.messages.insert(id, place);
            }
            Saying::Done { id } => {
                self.messages.remove(&id);
            }
        }
    }
}
