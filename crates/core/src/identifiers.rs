//! The small numbers by which things are named inside a process. None of them is ever on the wire.

/// Which organisation (tenant) something belongs to. One exists until credentials name others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrganisationId(pub u32);

impl OrganisationId {
    /// The organisation that exists without configuration.
    pub const FIRST: OrganisationId = OrganisationId(0);
}

/// Which shard (thread with its connections and sessions); at most [`ShardId::COUNT_MAX`] exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardId(pub u8);

impl ShardId {
    /// Interest in a filter is a bit per shard in a `u64`.
    pub const COUNT_MAX: usize = 64;
}

/// A connection of one shard. `index` is reused after the connection ended, `generation` then differs, so that
/// an answer that comes late never reaches a stranger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionId {
    /// Slot of the shard's connection table.
    pub index: u32,
    /// How often the slot was used before.
    pub generation: u32,
}

/// A session of one organisation on one shard; reused and told apart as [`ConnectionId`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId {
    /// Slot of the organisation's session table.
    pub index: u32,
    /// How often the slot was used before.
    pub generation: u32,
}

/// A place in the shard's order of durable records. An acknowledgement that waits for one leaves when the
/// journal says that everything up to it is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);
