//! The records: one change each, in a form of our own. Numbers are variable byte integers of up to 64 bits, texts and
//! bytes carry their length. The first byte says which record it is; a byte that is unknown was written by a newer
//! program, and the journal's format version keeps those from being read.

use std::borrow::Cow;

use tidegate_mqtt::QoS;

use crate::message::Message;

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
    /// `filter` with its `$share` prefix if it has one; `options` as on the wire of 5.0.
    Subscribed {
        key: SessionKey,
        filter: &'a str,
        options: u8,
        identifier: u32,
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
    /// The client has released it.
    Released {
        key: SessionKey,
        identifier: u16,
    },
    /// The message is its topic's retained one.
    Retained {
        organisation: u32,
        number: MessageNumber,
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
    pub(crate) message: MessageNumber,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    /// PUBREC came already: only the identifier is kept, and `message` means nothing.
    pub(crate) received: bool,
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
                to.tag(6).number(*number).byte(flags(message.qos, message.retain, false));
                to.number(message.expires_at_ms.map_or(0, |at| at.saturating_add(1)));
                to.bytes(message.topic.as_bytes()).bytes(message.properties).bytes(message.payload);
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
            Record::Retained { organisation, number } => {
                to.tag(14).number(u64::from(*organisation)).number(*number);
            }
            Record::Unretained { organisation, topic } => {
                to.tag(15).number(u64::from(*organisation)).bytes(topic.as_bytes());
            }
            Record::Will { number, organisation, client_identifier, will } => {
                to.tag(16).number(*number).number(u64::from(*organisation));
                to.bytes(client_identifier.as_bytes()).will(will);
            }
            Record::WillGone { number } => _ = to.tag(17).number(*number),
        }
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
            6 => from.message()?,
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
            14 => Record::Retained { organisation: from.small()?, number: from.number()? },
            15 => Record::Unretained { organisation: from.small()?, topic: from.text()? },
            16 => Record::Will {
                number: from.number()?,
                organisation: from.small()?,
                client_identifier: from.text()?,
                will: from.will()?,
            },
            17 => Record::WillGone { number: from.number()? },
            _ => return None,
        };
        from.0.is_empty().then_some(record)
    }
}

fn flags(qos: QoS, retain: bool, more: bool) -> u8 {
    qos as u8 | u8::from(retain) << 2 | u8::from(more) << 3
}

struct Encode<'o>(&'o mut Vec<u8>);

impl Encode<'_> {
    fn tag(&mut self, tag: u8) -> &mut Self {
        self.byte(tag)
    }

    fn byte(&mut self, byte: u8) -> &mut Self {
        self.0.push(byte);
        self
    }

    fn number(&mut self, mut number: u64) -> &mut Self {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.byte(number as u8)
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    fn of_identifier(&mut self, tag: u8, key: SessionKey, identifier: u16) {
        self.tag(tag).number(key).number(u64::from(identifier));
    }

    fn presence(&mut self, presence: Presence) {
        self.number(u64::from(presence.expiry_secs));
        self.number(presence.left_at_ms.map_or(0, |at| at.saturating_add(1)));
    }

    fn copy(&mut self, copy: &Copy<'_>) {
        let more = u8::from(copy.group.is_some()) << 4 | u8::from(!copy.identifiers.is_empty()) << 5;
        self.byte(flags(copy.qos, copy.retain, copy.received) | more).number(copy.message);
        if let Some(group) = copy.group {
            self.0.extend_from_slice(&group.to_le_bytes());
        }
        if !copy.identifiers.is_empty() {
            self.number(copy.identifiers.len() as u64);
            copy.identifiers.iter().for_each(|&identifier| _ = self.number(u64::from(identifier)));
        }
    }

    fn will(&mut self, will: &WillParts<'_>) {
        self.byte(flags(will.qos, will.retain, will.expiry_secs.is_some()))
            .number(u64::from(will.delay_secs));
        self.number(u64::from(will.expiry_secs.unwrap_or(0)));
        self.bytes(will.topic.as_bytes()).bytes(will.properties).bytes(will.payload);
    }
}

struct Decode<'a>(&'a [u8]);

impl<'a> Decode<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn small(&mut self) -> Option<u32> {
        self.number()?.try_into().ok()
    }

    fn identifier(&mut self) -> Option<u16> {
        let identifier = self.number()?.try_into().ok()?;
        (identifier != 0).then_some(identifier)
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.number()?.try_into().ok()?;
        self.take(len)
    }

    fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    /// QoS, RETAIN, and the bits above them.
    fn flags(&mut self) -> Option<(QoS, bool, u8)> {
        let flags = self.byte()?;
        Some((QoS::from_u8(flags & 3)?, flags & 4 != 0, flags >> 3))
    }

    fn time(&mut self) -> Option<Option<u64>> {
        Some(self.number()?.checked_sub(1))
    }

    fn presence(&mut self) -> Option<Presence> {
        Some(Presence { expiry_secs: self.small()?, left_at_ms: self.time()? })
    }

    fn message(&mut self) -> Option<Record<'a>> {
        let number = self.number()?;
        let (qos, retain, _) = self.flags()?;
        let expires_at_ms = self.time()?;
        let (topic, properties, payload) = (self.text()?, self.bytes()?, self.bytes()?);
        let message = Message { topic, properties, payload, qos, retain, expires_at_ms };
        Some(Record::Message { number, message })
    }

    fn copy(&mut self) -> Option<Copy<'a>> {
        let (qos, retain, more) = self.flags()?;
        let message = self.number()?;
        let group = match more & 2 {
            0 => None,
            _ => Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?)),
        };
        let mut identifiers = Vec::new();
        if more & 4 != 0 {
            for _ in 0..self.small()? {
                identifiers.push(self.small()?);
            }
        }
        let (received, identifiers) = (more & 1 != 0, identifiers.into());
        Some(Copy { message, qos, retain, received, identifiers, group })
    }

    fn will(&mut self) -> Option<WillParts<'a>> {
        let (qos, retain, more) = self.flags()?;
        let (delay_secs, expiry_secs) = (self.small()?, self.small()?);
        let expiry_secs = (more & 1 != 0).then_some(expiry_secs);
        let (topic, properties, payload) = (self.text()?, self.bytes()?, self.bytes()?);
        Some(WillParts { topic, payload, properties, qos, retain, delay_secs, expiry_secs })
    }
}

#[cfg(test)]
mod tests;
