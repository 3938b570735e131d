//! A Network Connection as the core sees it: where its client is in the protocol, and what it is owed.

use std::collections::VecDeque;
use std::net::SocketAddr;

use hashbrown::HashMap;
use tidegate_mqtt::{Version, WillMessage};

use crate::held::Answer;
use crate::identifiers::{ConnectionId, OrganisationId, SessionId, Ticket};
use crate::limits::HELD_ACKNOWLEDGEMENTS_MAX;
use crate::outbound::Outbound;

/// Where a connection is in its life.
///
/// ```text
/// Opened ──CONNECT──► Authenticating ──accepted──► Connected ──► Closing
///    └──────────────────────┴───────refused─────────────────────────┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No CONNECT yet. [MQTT5-3.1.0-1]
    Opened,
    /// CONNECT was read; whoever knows credentials was asked and has not answered.
    Authenticating,
    /// CONNACK with success was sent.
    Connected,
    /// Nothing is read any more; what is owed is written, then the socket closes.
    Closing,
}

/// One connection.
pub(crate) struct Connection {
    pub(crate) id: ConnectionId,
    pub(crate) phase: Phase,
    pub(crate) version: Version,
    /// Set when the connection stands in the list of those to write to.
    pub(crate) dirty: bool,
    /// The client sent DISCONNECT.
    pub(crate) said_goodbye: bool,
    /// Input was refused: the shell is told when it is wanted again.
    pub(crate) paused: bool,
    /// Whether failures may be explained to the client (3.1.2.11.7).
    pub(crate) request_problem_information: bool,
    pub(crate) organisation: OrganisationId,
    /// Of the session; meaningless before `Connected`.
    pub(crate) session: SessionId,
    pub(crate) outbound: Outbound,
    /// The beginning of a packet whose end has not arrived, or packets that wait for an authentication.
    pub(crate) partial: Vec<u8>,
    /// When the client was heard; see `keep_alive`.
    pub(crate) heard_ms: u64,
    /// So many bytes of `partial` have counted as heard.
    pub(crate) heard_partial_bytes: u32,
    /// Keep Alive in seconds, as granted; 0 is off.
    pub(crate) keep_alive_secs: u16,
    /// How many QoS 1 and 2 messages may be unfinished towards this client. [MQTT5-3.3.4-9]
    pub(crate) send_maximum: u16,
    /// QoS 1 messages that were received and whose PUBACK waits for the journal.
    pub(crate) unacknowledged: u16,
    /// QoS 2 messages of earlier connections that were not released when this one began: Receive Maximum counts
    /// anew on each connection (4.9).
    pub(crate) unreleased_before: u16,
    /// The largest packet that the client accepts. [MQTT5-3.1.2-24]
    pub(crate) packet_bytes_max: u32,
    /// What few connections use.
    pub(crate) extra: Option<Box<Extra>>,
    pub(crate) peer: SocketAddr,
}

/// What most connections never need, out of the way so that an idle connection stays small.
#[derive(Default)]
pub(crate) struct Extra {
    pub(crate) will: Option<OwnedWill>,
    /// Topic Aliases that the client set; index = alias - 1. [MQTT5-3.3.2-8]
    pub(crate) inbound_aliases: Vec<Option<Box<str>>>,
    /// Topic Aliases that the server set.
    pub(crate) outbound_aliases: HashMap<Box<str>, u16>,
    /// The highest alias that the server may set. [MQTT5-3.1.2-26]
    pub(crate) outbound_alias_maximum: u16,
    /// Acknowledgements that wait, in the order in which they must leave. [MQTT5-4.6.0-2] [MQTT5-4.6.0-3]
    pub(crate) held: VecDeque<HeldAcknowledgement>,
    /// Tickets up to here are off the held acknowledgements.
    pub(crate) persisted: Option<Ticket>,
    /// Number of the first held acknowledgement; receipts of other shards name one by its number.
    pub(crate) held_first: u64,
}

/// An acknowledgement that must not leave before the message is durable.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeldAcknowledgement {
    pub(crate) answer: Answer,
    /// Waits for this record of the shard's own journal order.
    pub(crate) ticket: Option<Ticket>,
    /// Waits for so many receipts of other shards.
    pub(crate) receipts: u32,
}

/// A Will Message that outlives its CONNECT packet.
#[derive(Clone, Debug)]
pub(crate) struct OwnedWill {
    /// Its name in the log; `None` if it is not written down.
    pub(crate) number: Option<u64>,
    pub(crate) topic: Box<str>,
    pub(crate) payload: Box<[u8]>,
    /// Encoded, without Will Delay Interval and Message Expiry Interval.
    pub(crate) properties: Box<[u8]>,
    pub(crate) qos: tidegate_mqtt::QoS,
    pub(crate) retain: bool,
    pub(crate) delay_secs: u32,
    /// Counted from the moment of publishing (3.1.3.2.4).
    pub(crate) expiry_secs: Option<u32>,
}

impl OwnedWill {
    pub(crate) fn new(will: &WillMessage<'_>) -> Self {
        use tidegate_mqtt::{PropertyBuf, PropertyId};
        let local = [PropertyId::WillDelayInterval, PropertyId::MessageExpiryInterval];
        let mut properties = PropertyBuf::new();
        for property in will.properties.iter().filter(|property| !local.contains(&property.id)) {
            properties.push(property);
        }
        Self {
            number: None,
            topic: will.topic.as_str().into(),
            payload: will.payload.into(),
            properties: properties.as_properties().as_bytes().into(),
            qos: will.qos,
            retain: will.retain,
            delay_secs: will.properties.number(PropertyId::WillDelayInterval).unwrap_or(0),
            expiry_secs: will.properties.number(PropertyId::MessageExpiryInterval),
        }
    }
}

impl Connection {
    fn new(id: ConnectionId, peer: SocketAddr, now_ms: u64) -> Self {
        Self {
            id,
            phase: Phase::Opened,
            version: Version::V311,
            dirty: false,
            said_goodbye: false,
            paused: false,
            request_problem_information: true,
            organisation: OrganisationId::FIRST,
            session: SessionId { index: u32::MAX, generation: u32::MAX },
            outbound: Outbound::default(),
            partial: Vec::new(),
            heard_ms: now_ms,
            heard_partial_bytes: 0,
            keep_alive_secs: 0,
            send_maximum: u16::MAX,
            unacknowledged: 0,
            unreleased_before: 0,
            packet_bytes_max: u32::MAX,
            extra: None,
            peer,
        }
    }

    pub(crate) fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    /// Whether the client is sent packets.
    pub(crate) fn is_connected(&self) -> bool {
        self.phase == Phase::Connected
    }
}

/// The connections of one shard, by slot. The shell chooses the slots; the core only keeps to them.
#[derive(Default)]
pub(crate) struct Connections {
    slots: Vec<Option<Connection>>,
    pub(crate) open: usize,
}

impl Connections {
    pub(crate) fn open(&mut self, id: ConnectionId, peer: SocketAddr, now_ms: u64) {
        let index = id.index as usize;
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, || None);
        }
        self.slots[index] = Some(Connection::new(id, peer, now_ms));
        self.open += 1;
    }

    #[inline]
    pub(crate) fn get(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.slots.get_mut(id.index as usize)?.as_mut().filter(|connection| connection.id == id)
    }

    pub(crate) fn remove(&mut self, id: ConnectionId) -> Option<Connection> {
        self.get(id)?;
        self.open -= 1;
        self.slots[id.index as usize].take()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Connection> {
        self.slots.iter_mut().flatten()
    }
}

// An idle connection is to stay within 1 KiB, socket and session included.
const _: () = assert!(size_of::<Connection>() <= 256);

impl Connection {
    /// See `Core::wants_input`.
    pub(crate) fn wants_input(&self, outbound_bytes_max: usize) -> bool {
        match self.phase {
            Phase::Opened => true,
            Phase::Connected => self.outbound.len() < outbound_bytes_max && !self.waits_for_durability(),
            Phase::Authenticating | Phase::Closing => false,
        }
    }

    /// Nothing is read from the client because of this server: it owes too many acknowledgements.
    pub(crate) fn waits_for_durability(&self) -> bool {
        self.extra.as_ref().is_some_and(|extra| extra.held.len() >= HELD_ACKNOWLEDGEMENTS_MAX)
    }
}

#[cfg(test)]
impl Connections {
    /// How many clients are connected.
    pub(crate) fn connected(&self) -> usize {
        self.slots.iter().flatten().filter(|connection| connection.is_connected()).count()
    }
}
