//! The records: one change each, in a form of our own. Numbers are variable byte integers of up to 64 bits, texts and
//! bytes carry their length. The first byte says which record it is; a byte that is unknown was written by a newer
//! program, and the journal's format version keeps those from being read.

mod form;

use std::borrow::Cow;

use tidegate_mqtt::QoS;

use crate::durable::place::Reference;
use crate::message::Message;
use form::{Decode, Encode};

/// Names a durable session for ever, whatever slot and shard it has.
pub(crate) type SessionKey = u64;
/// Names a stored message in the log.
pub(crate) type MessageNumber = u64;

/// One change.
#[derive(Clone, Debug)]
pub(crate) enum Record<'a> {
    /// A session as it is from here on: replaces all that was known of this key but its queue.
    Session {
        key: SessionKey,
        organisation: u32,
        client_identifier: &'a str,
        presence: Presence,
    },
    /// Its client came or went.
    Presence {
        key: SessionKey,
        presence: Presence,
    },
    /// It is over.
    Ended {
        key: SessionKey,
    },
    /// `filter` with its `$share` prefix if it has one; `options` as on the wire of 5.0, and [`AWAITS_RETAINED`].
    Subscribed {
        key: SessionKey,
        filter: &'a str,
        options: u8,
        identifier: u32,
    },
    /// All retained messages that its subscriptions asked for are sent.
    Replayed {
        key: SessionKey,
    },
    Unsubscribed {
        key: SessionKey,
        filter: &'a str,
    },
    /// The content that copies refer to by number.
    Message {
        number: MessageNumber,
        message: Message<'a>,
    },
    /// A copy waits at the end of the session's queue, since `since_secs` after 1970. Sequences rise.
    Queued {
        key: SessionKey,
        sequence: u64,
        since_secs: u64,
        copy: Copy<'a>,
    },
    /// A copy was given an identifier without having waited.
    Sent {
        key: SessionKey,
        identifier: u16,
        copy: Copy<'a>,
    },
    /// A copy that waited was given an identifier; what waited before it was dropped, if it is still there.
    Begun {
        key: SessionKey,
        sequence: u64,
        identifier: u16,
    },
    /// PUBREC came: from here on only the identifier is needed.
    Received {
        key: SessionKey,
        identifier: u16,
    },
    /// The exchange is over.
    Finished {
        key: SessionKey,
        identifier: u16,
    },
    /// The client has used this identifier for a QoS 2 message of its own.
    Taken {
        key: SessionKey,
        identifier: u16,
    },
    /// The client has sent a QoS 2 message that other shards shall keep copies of. Until `Taken` follows only those of `kept`
    /// are known to have theirs, of so many shards; see `spread`.
    Offered {
        key: SessionKey,
        identifier: u16,
        shards: u8,
        kept: u64,
    },
    /// One more shard has its copies of such a message.
    Kept {
        key: SessionKey,
        identifier: u16,
        shard: u8,
    },
    /// The client has released it.
    Released {
        key: SessionKey,
        identifier: u16,
    },
    /// The message is its topic's retained one. Its content stands in here, so that a start needs nothing else for it.
    Retained {
        organisation: u32,
        message: Message<'a>,
    },
    /// The topic has no retained message.
    Unretained {
        organisation: u32,
        topic: &'a str,
    },
    /// A connected client's Will, or one that waits for its delay.
    Will {
        number: u64,
        organisation: u32,
        client_identifier: &'a str,
        will: WillParts<'a>,
    },
    /// It was published or discarded.
    WillGone {
        number: u64,
    },
}

/// A bit of a subscription's options that MQTT reserves: retained messages are still to be sent for it.
pub(crate) const AWAITS_RETAINED: u8 = 0x40;

/// Whether a session's client is there, and how long the session waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Presence {
    /// Session Expiry Interval.
    pub(crate) expiry_secs: u32,
    /// When the client left, in milliseconds since 1970; `None`: it is connected.
    pub(crate) left_at_ms: Option<u64>,
}

/// One session's copy of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Copy<'a> {
    /// [`Reference::Nothing`]: PUBREC came already, only the identifier is kept.
    pub(crate) message: Reference,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    /// Subscription Identifiers.
    pub(crate) identifiers: Cow<'a, [u32]>,
    /// The shared subscription that it came through, by its key under the folder's seed.
    pub(crate) group: Option<u64>,
}

/// See `OwnedWill`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WillParts<'a> {
    pub(crate) topic: &'a str,
    pub(crate) payload: &'a [u8],
    pub(crate) properties: &'a [u8],
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) delay_secs: u32,
    pub(crate) expiry_secs: Option<u32>,
}

impl<'a> Record<'a> {
    /// Appends the record to `out`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let mut to = Encode(out);
        match self {
            Record::Session { key, organisation, client_identifier, presence } => {
                to.tag(1).number(*key).number(u64::from(*organisation)).bytes(client_identifier.as_bytes());
                to.presence(*presence);
            }
            Record::Presence { key, presence } => to.tag(2).number(*key).presence(*presence),
            Record::Ended { key } => _ = to.tag(3).number(*key),
            Record::Subscribed { key, filter, options, identifier } => {
                to.tag(4).number(*key).bytes(filter.as_bytes()).byte(*options).number(u64::from(*identifier));
            }
            Record::Unsubscribed { key, filter } => _ = to.tag(5).number(*key).bytes(filter.as_bytes()),
            Record::Message { number, message } => {
                to.tag(CONTENT).number(*number).message(message);
            }
            Record::Queued { key, sequence, since_secs, copy } => {
                to.tag(7).number(*key).number(*sequence).number(*since_secs).copy(copy);
            }
            Record::Sent { key, identifier, copy } => {
                to.tag(8).number(*key).number(u64::from(*identifier)).copy(copy);
            }
            Record::Begun { key, sequence, identifier } => {
                to.tag(9).number(*key).number(*sequence).number(u64::from(*identifier));
            }
            Record::Received { key, identifier } => to.of_identifier(10, *key, *identifier),
            Record::Finished { key, identifier } => to.of_identifier(11, *key, *identifier),
            Record::Taken { key, identifier } => to.of_identifier(12, *key, *identifier),
            Record::Released { key, identifier } => to.of_identifier(13, *key, *identifier),
            Record::Retained { organisation, message } => {
                to.tag(14).number(u64::from(*organisation)).message(message);
            }
            Record::Unretained { organisation, topic } => {
                to.tag(15).number(u64::from(*organisation)).bytes(topic.as_bytes());
            }
            Record::Will { number, organisation, client_identifier, will } => {
                to.tag(16).number(*number).number(u64::from(*organisation));
                to.bytes(client_identifier.as_bytes()).will(will);
            }
            Record::WillGone { number } => _ = to.tag(17).number(*number),
            Record::Replayed { key } => _ = to.tag(18).number(*key),
            Record::Offered { key, identifier, shards, kept } => {
                to.of_identifier(19, *key, *identifier);
                to.byte(*shards).number(*kept);
            }
            Record::Kept { key, identifier, shard } => {
                to.of_identifier(20, *key, *identifier);
                to.byte(*shard);
            }
        }
    }

    /// Whether an encoded record is a message's content, which is read by its place.
    pub(crate) fn is_content(bytes: &[u8]) -> bool {
        bytes.first() == Some(&CONTENT)
    }

    /// Reads one record; `None` if the bytes are none of ours.
    pub(crate) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let mut from = Decode(bytes);
        let record = match from.byte()? {
            1 => Record::Session {
                key: from.number()?,
                organisation: from.small()?,
                client_identifier: from.text()?,
                presence: from.presence()?,
            },
            2 => Record::Presence { key: from.number()?, presence: from.presence()? },
            3 => Record::Ended { key: from.number()? },
            4 => Record::Subscribed {
                key: from.number()?,
                filter: from.text()?,
                options: from.byte()?,
                identifier: from.small()?,
            },
            5 => Record::Unsubscribed { key: from.number()?, filter: from.text()? },
            CONTENT => Record::Message { number: from.number()?, message: from.message()? },
            7 => Record::Queued {
                key: from.number()?,
                sequence: from.number()?,
                since_secs: from.number()?,
                copy: from.copy()?,
            },
            8 => Record::Sent { key: from.number()?, identifier: from.identifier()?, copy: from.copy()? },
            9 => Record::Begun {
                key: from.number()?,
                sequence: from.number()?,
                identifier: from.identifier()?,
            },
            10 => Record::Received { key: from.number()?, identifier: from.identifier()? },
            11 => Record::Finished { key: from.number()?, identifier: from.identifier()? },
            12 => Record::Taken { key: from.number()?, identifier: from.identifier()? },
            13 => Record::Released { key: from.number()?, identifier: from.identifier()? },
            14 => Record::Retained { organisation: from.small()?, message: from.message()? },
            15 => Record::Unretained { organisation: from.small()?, topic: from.text()? },
            16 => Record::Will {
                number: from.number()?,
                organisation: from.small()?,
                client_identifier: from.text()?,
                will: from.will()?,
            },
            17 => Record::WillGone { number: from.number()? },
            18 => Record::Replayed { key: from.number()? },
            19 => Record::Offered {
                key: from.number()?,
                identifier: from.identifier()?,
                shards: from.shards()?,
                kept: from.number()?,
            },
            20 => {
                let (key, identifier) = (from.number()?, from.identifier()?);
                Record::Kept { key, identifier, shard: from.byte().filter(|shard| *shard < 64)? }
            }
            _ => return None,
        };
        from.0.is_empty().then_some(record)
    }
}

/// The first byte of content.
const CONTENT: u8 = 6;

#[cfg(test)]
mod tests;
