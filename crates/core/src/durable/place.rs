//! Where content stands in the log, and how records refer to it.

use crate::durable::record::MessageNumber;

/// Where a message's content stands, as the journal says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    segment: u32,
    offset: u32,
    length: u32,
}

impl Place {
    /// The place of `length` bytes at `position`, which has the number of its segment in the upper half and is not 0.
    #[must_use]
    pub fn new(position: u64, length: u32) -> Self {
        Self { segment: (position >> 32) as u32, offset: position as u32, length }
    }

    /// Where it begins.
    #[must_use]
    pub fn position(self) -> u64 {
        u64::from(self.segment) << 32 | u64::from(self.offset)
    }

    /// How many bytes it has there.
    #[must_use]
    pub fn length(self) -> u32 {
        self.length
    }

    /// The segment that it is in.
    #[must_use]
    pub fn segment(self) -> u32 {
        self.segment
    }
}

/// What a queue knows of content that it does not have in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) place: Place,
    /// Bytes of topic, properties and payload.
    pub(crate) size: u32,
    /// When it expires, in seconds since 1970, rounded up; `u32::MAX` is never.
    pub(crate) expires_secs: u32,
}

impl Stored {
    /// Milliseconds since 1970 → `expires_secs`.
    pub(crate) fn expiry_of(expires_at_ms: Option<u64>) -> u32 {
        expires_at_ms.map_or(u32::MAX, |at| u32::try_from(at.div_ceil(1000)).unwrap_or(u32::MAX))
    }
}

/// How a record refers to a message's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reference {
    /// It is behind the start of any checkpoint that may be asked for, and not far away: its shard has not heard yet where.
    Number(MessageNumber),
    /// It is there. Whoever writes this has marked it.
    Place(Stored),
    /// None is needed.
    Nothing,
}
