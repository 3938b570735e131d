//! An application message inside the server: borrowed on its way through, shared where it is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use tidegate_mqtt::{Properties, PropertyBuf, PropertyId, QoS};

use crate::durable::place::{Place, Stored};
use crate::time::Now;

/// A message on its way: borrowed from the packet it came in, or from where it is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) topic: &'a str,
    /// The properties that travel with the message, encoded: all of the PUBLISH but Topic Alias, Message Expiry
    /// Interval and Subscription Identifier, in their order. [MQTT5-3.3.2-17]
    pub(crate) properties: &'a [u8],
    pub(crate) payload: &'a [u8],
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    /// Milliseconds since 1970.
    pub(crate) expires_at_ms: Option<u64>,
}

impl<'a> Message<'a> {
    /// Seconds left to live at `now`; `None` if the message does not expire. [MQTT5-3.3.2-6]
    pub(crate) fn expiry_left_secs(&self, now: Now) -> Option<u32> {
        self.expires_at_ms
            .map(|at| u32::try_from(at.saturating_sub(now.unix_ms).div_ceil(1000)).unwrap_or(u32::MAX))
    }

    /// Whether it must not be delivered any more. [MQTT5-3.3.2-5]
    pub(crate) fn is_expired(&self, now: Now) -> bool {
        self.expires_at_ms.is_some_and(|at| at <= now.unix_ms)
    }

    /// Bytes that keeping the message takes.
    pub(crate) fn size(&self) -> usize {
        self.topic.len() + self.properties.len() + self.payload.len()
    }
}

/// The properties of a PUBLISH (or Will) that are forwarded, and the one that is turned into a time.
///
/// Copies only when something has to be left out; `scratch` then holds the copy.
pub(crate) fn forwarded<'a>(
    properties: Properties<'a>,
    now: Now,
    scratch: &'a mut PropertyBuf,
) -> (&'a [u8], Option<u64>) {
    if properties.is_empty() {
        return (&[], None);
    }
    let expires_at_ms = properties
        .number(PropertyId::MessageExpiryInterval)
        .map(|secs| now.unix_ms.saturating_add(u64::from(secs) * 1000));
    let local = [PropertyId::TopicAlias, PropertyId::MessageExpiryInterval, PropertyId::WillDelayInterval];
    if !local.iter().any(|&id| properties.has(id)) {
        return (properties.as_bytes(), expires_at_ms);
    }
    scratch.clear();
    for property in properties.iter().filter(|property| !local.contains(&property.id)) {
        scratch.push(property);
    }
    (scratch.as_properties().as_bytes(), expires_at_ms)
}

/// A message that is kept: once, however many sessions hold it.
#[derive(Debug)]
pub(crate) struct StoredMessage {
    /// Its name in the log; 0 until it has one.
    number: AtomicU64,
    /// Where its content stands in the log, as far as its shard has heard; 0 is nowhere.
    position: AtomicU64,
    length: AtomicU32,
    /// The last epoch of the shard's [marks](crate::durable::marks) in which that place may be referred to.
    valid_until: AtomicU32,
    /// The [stretch](crate::durable::recorder) of the log in which its content was written and is not known to be there
    /// yet; 0 is none.
    stretch: AtomicU32,
    /// In how many queues it waits and counts for the cache.
    waiting: AtomicU32,
    /// Topic, properties, payload, one behind the other.
    bytes: Box<[u8]>,
    topic_len: u16,
    qos: QoS,
    retain: bool,
    properties_len: u32,
    /// `u64::MAX`: never.
    expires_at_ms: u64,
}

impl StoredMessage {
    pub(crate) fn new(message: &Message<'_>) -> Arc<Self> {
        let mut bytes = Vec::with_capacity(message.size());
        bytes.extend_from_slice(message.topic.as_bytes());
        bytes.extend_from_slice(message.properties);
        bytes.extend_from_slice(message.payload);
        Arc::new(Self {
            number: AtomicU64::new(0),
            position: AtomicU64::new(0),
            length: AtomicU32::new(0),
            valid_until: AtomicU32::new(0),
            stretch: AtomicU32::new(0),
            waiting: AtomicU32::new(0),
            bytes: bytes.into_boxed_slice(),
            topic_len: message.topic.len() as u16,
            qos: message.qos,
            retain: message.retain,
            properties_len: message.properties.len() as u32,
            expires_at_ms: message.expires_at_ms.unwrap_or(u64::MAX),
        })
    }

    pub(crate) fn as_message(&self) -> Message<'_> {
        let (topic, rest) = self.bytes.split_at(usize::from(self.topic_len));
        let (properties, payload) = rest.split_at(self.properties_len as usize);
        Message {
            // Invariant: the bytes were a `&str` when the message was stored.
            topic: std::str::from_utf8(topic).unwrap_or_default(),
            properties,
            payload,
            qos: self.qos,
            retain: self.retain,
            expires_at_ms: (self.expires_at_ms != u64::MAX).then_some(self.expires_at_ms),
        }
    }

    /// Bytes of topic, properties and payload.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Its name in the log; `next` gives one if it has none. Shards share retained messages while they search for them:
    /// whoever is first names it.
    pub(crate) fn number(&self, next: impl FnOnce() -> u64) -> u64 {
        match self.number.load(Ordering::Relaxed) {
            0 => {
                let number = next();
                let first = self.number.compare_exchange(0, number, Ordering::Relaxed, Ordering::Relaxed);
                first.map_or_else(|named| named, |_| number)
            }
            number => number,
        }
    }

    /// Where its content is, if the place may still be referred to in this epoch of the shard's marks. This and all below
    /// is asked and told only by the shard that named the message.
    pub(crate) fn place(&self, epoch: u32) -> Option<Place> {
        let position = self.position.load(Ordering::Relaxed);
        let is_valid = position != 0 && self.valid_until.load(Ordering::Relaxed) >= epoch;
        is_valid.then(|| Place::new(position, self.length.load(Ordering::Relaxed)))
    }

    /// What is kept of it when its content leaves memory.
    pub(crate) fn as_stored(&self, place: Place) -> Stored {
        let expires_at_ms = (self.expires_at_ms != u64::MAX).then_some(self.expires_at_ms);
        Stored { place, size: self.bytes.len() as u32, expires_secs: Stored::expiry_of(expires_at_ms) }
    }

    /// Its content is there from now on.
    pub(crate) fn set_place(&self, place: Place, valid_until: u32) {
        self.position.store(place.position(), Ordering::Relaxed);
        self.length.store(place.length(), Ordering::Relaxed);
        self.valid_until.store(valid_until, Ordering::Relaxed);
    }

    /// Its place was marked.
    pub(crate) fn keep_place(&self, valid_until: u32) {
        self.valid_until.fetch_max(valid_until, Ordering::Relaxed);
    }

    /// Whether its content must be written for what refers to it by number: it is not on its way, or for so long that whoever
    /// reads the log may have forgotten it. Then it is on its way from here on.
    pub(crate) fn needs_writing(&self, stretch: u32) -> bool {
        self.stretch.swap(stretch, Ordering::Relaxed) < stretch
    }

    /// It is no longer on its way: its place is known, or it did not arrive.
    pub(crate) fn has_arrived(&self) {
        self.stretch.store(0, Ordering::Relaxed);
    }

    /// It waits in one queue more; whether it waited in none.
    pub(crate) fn begin_waiting(&self) -> bool {
        self.waiting.fetch_add(1, Ordering::Relaxed) == 0
    }

    /// It waits in one queue less; whether it waits in none.
    pub(crate) fn end_waiting(&self) -> bool {
        self.waiting.fetch_sub(1, Ordering::Relaxed) == 1
    }
}

/// A message that may have to be kept: stored at the first demand, shared from then on.
pub(crate) struct Keepable<'a> {
    pub(crate) message: Message<'a>,
    stored: Option<Arc<StoredMessage>>,
}

impl<'a> Keepable<'a> {
    pub(crate) fn new(message: Message<'a>) -> Self {
        Self { message, stored: None }
    }

    pub(crate) fn of(stored: &'a Arc<StoredMessage>) -> Self {
        Self { message: stored.as_message(), stored: Some(Arc::clone(stored)) }
    }

    pub(crate) fn stored(&mut self) -> Arc<StoredMessage> {
        Arc::clone(self.stored.get_or_insert_with(|| StoredMessage::new(&self.message)))
    }
}
