//! A QoS 2 message of a durable session whose copies are kept on several shards. Their records are submitted one after the
//! other, so a crash may keep some and lose others, and then the publisher sends the message again. Whoever has it must not get
//! it twice, and whoever has not must get it.
//!
//! So the publisher's shard writes, together with its own copies, that the message was offered, and each of the others,
//! together with its copies, that it has them. When all have, the identifier counts as taken. One that a restart finds offered
//! only was not answered: its client sends the message again, and the sessions of the shards that had their copies are passed
//! over. Members of shared subscriptions are not: which of them had it is not written down.

use crate::durable::record::SessionKey;
use crate::identifiers::ShardId;

/// The shards that had their copies when the process died.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Had {
    /// How many shards there were: it decides which sessions were on which.
    pub(crate) shards: u8,
    /// A bit for each that had its copies.
    pub(crate) kept: u64,
}

impl Had {
    pub(crate) fn has(self, shard: ShardId) -> bool {
        self.kept & 1 << shard.0 != 0
    }
}

/// Names such a message to a shard that shall keep copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Publication {
    pub(crate) key: SessionKey,
    pub(crate) identifier: u16,
    /// Who had it before a crash.
    pub(crate) had: Option<Had>,
}
