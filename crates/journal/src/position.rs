//! Where things stand in the log, and the small numbers that name them.

use std::fmt;

/// Where a record stands: the number of its segment above, its offset in that segment below.
///
/// Positions rise over the life of a folder, whatever the size of its segments, and are never given to other content
/// while anybody may read them: the number of a segment is used once, also when its file is used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(u64);

impl Position {
    /// Before everything.
    pub const ZERO: Self = Self(0);

    /// The place at `offset` in segment number `segment`.
    #[must_use]
    pub const fn new(segment: u32, offset: u32) -> Self {
        Self((segment as u64) << 32 | offset as u64)
    }

    /// The number of the segment.
    #[must_use]
    pub const fn segment(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The offset in the segment.
    #[must_use]
    pub const fn offset(self) -> u32 {
        self.0 as u32
    }

    /// As a number that can be kept in a record.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        self.0
    }

    /// From a number that was kept in a record.
    #[must_use]
    pub const fn from_u64(number: u64) -> Self {
        Self(number)
    }

    /// The position of a record that was pushed at `offset` into a submission whose first record stands here.
    #[must_use]
    pub const fn plus(self, offset: Offset) -> Self {
        Self(self.0 + offset.0 as u64)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}:{}", self.segment(), self.offset())
    }
}

/// How far a record stands behind the first record of its submission. Known when it is pushed, so whoever keeps it can
/// tell the record's position as soon as the submission's is known: [`Position::plus`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub(crate) u32);

impl Offset {
    /// As a number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u32 {
        self.0
    }
}

/// The owner of records: chosen by whoever opens an appender, for example the number of a shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stream(pub u16);

/// The number of a submission of one appender. The first is 1, and each is one more than the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// One round of checkpoints, counted over the life of the folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Round(pub u64);

/// How long a record lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Part of its owner's state: dead as soon as a later checkpoint covers it. Read at a replay only.
    State,
    /// Alive as long as its owners mark it, however many checkpoints pass. Read by its position.
    Message,
}

impl Kind {
    pub(crate) const fn code(self) -> u32 {
        match self {
            Self::State => 1,
            Self::Message => 2,
        }
    }

    pub(crate) const fn from_code(code: u32) -> Option<Self> {
        match code {
            1 => Some(Self::State),
            2 => Some(Self::Message),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_rise_with_the_segment_and_then_with_the_offset() {
        assert!(Position::new(1, u32::MAX) < Position::new(2, 0));
        assert!(Position::new(2, 64) < Position::new(2, 65));
        let position = Position::new(7, 640).plus(Offset(24));
        assert_eq!((position.segment(), position.offset()), (7, 664));
        assert_eq!(Position::from_u64(position.to_u64()), position);
        assert_eq!(position.to_string(), "7:664");
    }
}
