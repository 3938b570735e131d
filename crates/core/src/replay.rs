//! The retained messages that a new subscription still has to get, a piece at a time: the next piece is fetched
//! when the client has taken the last, so a subscription to everything costs little memory.
//!
//! From the SUBSCRIBE to the end of its replay, live messages for the session wait in its queue: a retained message
//! may be an earlier message of the same topic and publisher, and must not arrive after a later one.

use std::collections::VecDeque;
use std::sync::Arc;

use tidegate_mqtt::QoS;

use crate::identifiers::ShardId;
use crate::message::StoredMessage;

/// One subscription's wish for retained messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReplayRequest {
    pub(crate) filter: Box<str>,
    pub(crate) qos: QoS,
    /// Subscription Identifier; 0 is none.
    pub(crate) identifier: u32,
    /// SUBACKs that have not left, encoded; usually one. They go right before the first message that was found, or when it is known
    /// that there is none. So a client that has it gets what it publishes to itself without delay.
    pub(crate) suback: Vec<u8>,
}

/// The replays of one session: the first is under way, the others wait.
#[derive(Default)]
pub(crate) struct Replay {
    pub(crate) requests: VecDeque<ReplayRequest>,
    /// Whether the first request is under way.
    pub(crate) started: bool,
    /// Shards that still have to be asked for the first request.
    pub(crate) shards: Vec<ShardId>,
    /// The walk under way.
    pub(crate) walk: Option<RemoteWalk>,
    /// Found and not sent yet.
    pub(crate) found: VecDeque<Arc<StoredMessage>>,
    /// SUBACKs that must leave before their retained messages are looked for.
    pub(crate) unacknowledged: u32,
}

/// A walk on some shard, this one included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RemoteWalk {
    pub(crate) shard: ShardId,
    /// Given by the shard that asks; an answer with another number is of a walk that was given up.
    pub(crate) number: u64,
    /// Whether an answer is to come.
    pub(crate) awaited: bool,
}

/// Messages of one piece: enough to keep a connection busy, few enough to forget.
pub(crate) const PIECE_MESSAGES: usize = 256;
