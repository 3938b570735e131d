//! The retained messages that new subscriptions still have to get. All filters of a SUBSCRIBE are looked for together,
//! on all shards at once, and a piece at a time: the next pieces are fetched when the client has taken the last, so a
//! subscription to everything costs little memory.
//!
//! From the SUBSCRIBE to the end of its replay, live messages for the session wait in its queue: a retained message
//! may be an earlier message of the same topic and publisher, and must not arrive after a later one.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::FixedState;
use tidegate_mqtt::QoS;

use crate::identifiers::ShardId;
use crate::message::StoredMessage;
use crate::session::Session;
use crate::tree::NodeId;

/// One subscription's wish for retained messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReplayRequest {
    /// The filter's node, as long as the session subscribes to it.
    pub(crate) node: NodeId,
    /// Of the filter: when the subscription is gone, the node may be another filter's.
    hash: u64,
    pub(crate) qos: QoS,
    /// Subscription Identifier; 0 is none.
    pub(crate) identifier: u32,
}

// A session may have a hundred thousand of these.
const _: () = assert!(size_of::<ReplayRequest>() == 24);

/// The replays of one session.
#[derive(Default)]
pub(crate) struct Replay {
    /// Requests whose SUBACK is not due yet.
    pub(crate) expected: usize,
    /// Requests that wait for the search under way to end.
    pub(crate) waiting: VecDeque<ReplayRequest>,
    /// Requests of the search under way; what is found names its request by its place in here.
    pub(crate) current: Vec<ReplayRequest>,
    /// Number of the search under way, on whatever shard; an answer with another number is of one that was given up.
    pub(crate) number: u64,
    /// The shards that still search, and whether they are at it or wait to be told to go on.
    pub(crate) walks: Vec<RemoteWalk>,
    /// Found and not sent yet, with the request that each is for.
    pub(crate) found: VecDeque<FoundMessage>,
    /// SUBACKs that have not left, encoded; usually one. They go right before the first message that was found, or
    /// when it is known that there is none. So a client that has it gets what it publishes to itself without delay.
    pub(crate) suback: Vec<u8>,
    /// Something was unsubscribed since the search began.
    pub(crate) unsubscribed: bool,
}

/// A retained message, and the place of the request that it is for.
pub(crate) type FoundMessage = (u32, Arc<StoredMessage>);

/// A search on some shard, this one included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RemoteWalk {
    pub(crate) shard: ShardId,
    /// Whether an answer is to come.
    pub(crate) awaited: bool,
    /// The request that it is at; it is done with those before.
    pub(crate) at: u32,
}

impl Replay {
    /// How many requests are not fulfilled.
    pub(crate) fn request_count(&self) -> usize {
        self.expected + self.waiting.len() + self.current.len()
    }

    /// Whether nothing is looked for and nothing waits to be.
    pub(crate) fn is_idle(&self) -> bool {
        self.current.is_empty() && self.waiting.is_empty()
    }

    /// The requests that are not fulfilled: those that a search is not done with, or whose messages are not all sent.
    pub(crate) fn unfulfilled(&self) -> VecDeque<ReplayRequest> {
        let walks = self.walks.iter().map(|walk| walk.at);
        let first = walks.chain(self.found.iter().map(|(request, _)| *request)).min();
        let current = first.and_then(|first| self.current.get(first as usize..)).unwrap_or_default();
        current.iter().chain(&self.waiting).copied().collect()
    }
}

impl ReplayRequest {
    /// `seed` makes the hash unpredictable for peers.
    pub(crate) fn new(seed: u64, (filter, node): (&str, NodeId), qos: QoS, identifier: u32) -> Self {
        Self { node, hash: FixedState::with_seed(seed).hash_one(filter), qos, identifier }
    }

    /// Nobody is promised QoS 0 beyond the connection.
    pub(crate) fn is_promised(&self) -> bool {
        self.qos > QoS::AtMostOnce
    }

    /// Whether it is for this filter.
    pub(crate) fn is_for(&self, seed: u64, filter: &str) -> bool {
        self.hash == FixedState::with_seed(seed).hash_one(filter)
    }

    /// Whether the session has not unsubscribed meanwhile.
    pub(crate) fn is_wanted(&self, session: &Session) -> bool {
        session.subscriptions.contains(&self.node)
    }
}

/// Messages of one piece, of all shards together: enough to keep a connection busy, few enough to forget.
pub(crate) const PIECE_MESSAGES: usize = 256;
/// What a shard finds in one piece at least, however many there are.
pub(crate) const PIECE_MESSAGES_MIN: usize = 16;
/// Requests of one search, so that what is said to other shards and found by them has a bound.
pub(crate) const REQUESTS_PER_SEARCH_MAX: usize = 4096;
/// Bytes of the filters of one search, as above; one filter is always taken.
pub(crate) const FILTER_BYTES_PER_SEARCH_MAX: usize = 1024 * 1024;
/// Bytes of SUBACKs that wait for a search; beyond, they leave before its end is known.
pub(crate) const SUBACK_BYTES_HELD_MAX: usize = 64 * 1024;
