//! The retained messages that a new subscription still has to get, a piece at a time: the next piece is fetched
//! when the client has taken the last, so a subscription to everything costs little memory.

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
}

/// The replays of one session: the first is under way, the others wait.
#[derive(Default)]
pub(crate) struct Replay {
    pub(crate) requests: VecDeque<ReplayRequest>,
    /// Whether the first request is under way.
    pub(crate) started: bool,
    /// Shards that still have to be asked for the first request.
    pub(crate) shards: Vec<ShardId>,
    /// The walk under way: where, its number there, and whether an answer is awaited.
    pub(crate) walk: Option<RemoteWalk>,
    /// Found and not sent yet.
    pub(crate) found: VecDeque<Arc<StoredMessage>>,
    /// Topics that got a newer retained message live while an answer was awaited: what the answer says of them
    /// is old. Bounded by [`SUPERSEDED_MAX`].
    pub(crate) superseded: Vec<Box<str>>,
}

/// A walk on some shard, this one included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RemoteWalk {
    pub(crate) shard: ShardId,
    /// `None` until the first answer names it.
    pub(crate) number: Option<u32>,
    pub(crate) awaited: bool,
}

impl Replay {
    /// A live message with RETAIN overtook the replay: an older one for its topic must not follow it.
    pub(crate) fn supersede(&mut self, topic: &str) {
        self.found.retain(|message| message.as_message().topic != topic);
        let awaited = self.walk.is_some_and(|walk| walk.awaited);
        if awaited && self.superseded.len() < SUPERSEDED_MAX {
            self.superseded.push(topic.into());
        }
    }

    /// The answer to the awaited piece.
    pub(crate) fn accept(&mut self, messages: Vec<Arc<StoredMessage>>) {
        let superseded = std::mem::take(&mut self.superseded);
        self.found.extend(messages.into_iter().filter(|message| {
            let topic = message.as_message().topic;
            !superseded.iter().any(|newer| **newer == *topic)
        }));
    }
}

/// Messages of one piece: enough to keep a connection busy, few enough to forget.
pub(crate) const PIECE_MESSAGES: usize = 256;
/// At the bound an old value may follow a newer one, once, for topics published within one hand-over.
const SUPERSEDED_MAX: usize = 1024;
