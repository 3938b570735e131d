//! What shards tell each other. One batch per target per turn; a single queue per receiver keeps the order, so
//! that whatever one shard learned from another before it sent something is known to the third as well.

use std::sync::Arc;

use tidegate_mqtt::{QoS, ReasonCode};
use tidegate_observe::Counters;

use crate::durable::spread::Publication;
use crate::group::{GroupKey, Member};
use crate::identifiers::{ConnectionId, OrganisationId, SessionId, ShardId};
use crate::message::Message;
use crate::replaying::Found;
use crate::subscription::Interest;

/// The messages of one turn from one shard to another, small ones packed one behind the other.
#[derive(Debug, Default)]
pub struct Batch {
    pub(crate) messages: Vec<ShardMessage>,
    /// Topics, properties and payloads of the forwarded messages.
    pub(crate) bytes: Vec<u8>,
    /// What the other messages refer to.
    apart_bytes: usize,
}

impl Batch {
    /// Nothing to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Roughly the memory it takes, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len() + self.apart_bytes + self.messages.len() * size_of::<ShardMessage>()
    }

    pub(crate) fn push(&mut self, message: ShardMessage) {
        self.apart_bytes += message.apart_bytes();
        self.messages.push(message);
    }

    pub(crate) fn push_publish(
        &mut self,
        organisation: OrganisationId,
        message: &Message<'_>,
        errand: Errand,
    ) {
        let from = self.bytes.len();
        self.bytes.extend_from_slice(message.topic.as_bytes());
        self.bytes.extend_from_slice(message.properties);
        self.bytes.extend_from_slice(message.payload);
        self.messages.push(ShardMessage::Publish(Forwarded {
            organisation,
            from,
            topic_len: message.topic.len() as u16,
            properties_len: message.properties.len() as u32,
            payload_len: message.payload.len() as u32,
            qos: message.qos,
            retain: message.retain,
            expires_at_ms: message.expires_at_ms,
            errand,
        }));
    }
}

/// What the receiving shard shall do with a forwarded message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errand {
    /// Deliver it to the subscribers there.
    pub(crate) route: bool,
    /// It is the topic's new retained message, which lives there.
    pub(crate) retain: bool,
    /// Deliver it to this member of a shared subscription there.
    pub(crate) member: Option<ForMember>,
    /// Say when it is durable there.
    pub(crate) receipt: Option<ReceiptAddress>,
}

/// A message for one member of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ForMember {
    pub(crate) group: GroupKey,
    pub(crate) session: SessionId,
    pub(crate) qos: QoS,
    pub(crate) identifier: u32,
    pub(crate) retain_as_published: bool,
    /// How often another member was tried before.
    pub(crate) hops: u8,
}

/// A held acknowledgement that waits for a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReceiptAddress {
    /// Where the message entered, whoever passed it on.
    pub(crate) shard: ShardId,
    pub(crate) connection: ConnectionId,
    pub(crate) number: u64,
    /// A QoS 2 message of a durable session: whoever keeps copies says so in the log.
    pub(crate) publication: Option<Publication>,
}

/// A message inside a [`Batch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forwarded {
    pub(crate) organisation: OrganisationId,
    from: usize,
    topic_len: u16,
    properties_len: u32,
    payload_len: u32,
    qos: QoS,
    retain: bool,
    expires_at_ms: Option<u64>,
    pub(crate) errand: Errand,
}

impl Forwarded {
    pub(crate) fn message<'a>(&self, bytes: &'a [u8]) -> Message<'a> {
        let (topic, rest) = bytes[self.from..].split_at(usize::from(self.topic_len));
        let (properties, rest) = rest.split_at(self.properties_len as usize);
        Message {
            // Invariant: `push_publish` wrote a `&str` here.
            topic: std::str::from_utf8(topic).unwrap_or_default(),
            properties,
            payload: &rest[..self.payload_len as usize],
            qos: self.qos,
            retain: self.retain,
            expires_at_ms: self.expires_at_ms,
        }
    }
}

/// One thing that a shard tells another.
#[derive(Debug)]
pub(crate) enum ShardMessage {
    /// An application message.
    Publish(Forwarded),
    /// What the sender wants of messages that match a filter, from now on.
    Interest { organisation: OrganisationId, filter: Box<str>, interest: Interest },
    /// Answer with `Reached` when everything before this was heeded.
    Barrier(u64),
    /// Everything before that barrier was heeded.
    Reached(u64),
    /// A session joined a shared subscription, or something about its membership changed.
    Join { organisation: OrganisationId, filter: Box<str>, share_name: Box<str>, member: Member },
    /// A session left a shared subscription.
    Leave { organisation: OrganisationId, filter: Box<str>, share_name: Box<str>, session: SessionId },
    /// The copy that a held acknowledgement waits for is durable.
    Receipt(ReceiptAddress),
    /// It cannot be made durable.
    Denied(ReceiptAddress, ReasonCode),
    /// Look for retained messages: begin a walk, or go on with one.
    Walk { organisation: OrganisationId, session: SessionId, walk: WalkOrder },
    /// The answer to `Walk`.
    Found { organisation: OrganisationId, session: SessionId, found: Found },
    /// The sender's running totals, for `$SYS`.
    Counters { organisation: OrganisationId, counters: Box<Counters> },
    /// Send your running totals to that shard.
    CountersWanted { to: ShardId },
}

impl ShardMessage {
    /// Bytes that it refers to: a filter may be a thousand times as long as the message that carries it.
    fn apart_bytes(&self) -> usize {
        match self {
            ShardMessage::Interest { filter, .. } => filter.len(),
            ShardMessage::Join { filter, share_name, .. }
            | ShardMessage::Leave { filter, share_name, .. } => filter.len() + share_name.len(),
            ShardMessage::Walk { walk: WalkOrder::Begin { filters, .. }, .. } => {
                filters.iter().map(|filter| size_of::<WalkFilter>() + filter.filter.len()).sum()
            }
            ShardMessage::Found { found, .. } => {
                found.messages.iter().map(|(_, message)| message.size()).sum()
            }
            _ => 0,
        }
    }
}

/// What to do about a walk. Whoever orders it gives the number, so that an answer which comes late is known for what
/// it is, and a walk can be given up before it was heard of.
#[derive(Clone, Debug)]
pub(crate) enum WalkOrder {
    Begin { number: u64, filters: Vec<WalkFilter> },
    Continue { number: u64 },
    Abandon { number: u64 },
}

/// A filter to search for, and the place of the request that it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct WalkFilter {
    pub(crate) request: u32,
    pub(crate) filter: Arc<str>,
}
