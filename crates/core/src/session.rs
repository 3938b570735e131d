//! A Session (section 4.1): what the server remembers of one client, connected or not.

use std::collections::HashSet;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::durable::record::SessionKey;
use crate::durable::spread::Had;
use crate::group::GroupKey;
use crate::identifiers::{ConnectionId, SessionId};
use crate::queue::Queue;
use crate::replay::Replay;
use crate::tree::NodeId;
use crate::will::PendingWill;
use crate::window::Window;

/// How long a session outlives its connection, in seconds (3.1.2.11.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SessionExpiry(pub(crate) u32);

impl SessionExpiry {
    pub(crate) const WITH_CONNECTION: SessionExpiry = SessionExpiry(0);

    /// 0xFFFFFFFF never expires.
    pub(crate) fn never(self) -> bool {
        self.0 == u32::MAX
    }

    /// Whether anything has to be kept for a next connection.
    pub(crate) fn outlives_connection(self) -> bool {
        self.0 > 0
    }
}

/// One client's state.
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) client_identifier: Arc<str>,
    /// Its name in the log; `None` if nothing of it is written down.
    pub(crate) key: Option<SessionKey>,
    pub(crate) connection: Option<ConnectionId>,
    pub(crate) expiry: SessionExpiry,
    /// Counts disconnects, so that an expiry timer of an earlier one is told apart.
    pub(crate) absence: u32,
    /// When it ends if its client stays away, in monotonic milliseconds.
    pub(crate) expires_at_ms: u64,
    /// When its client left, in milliseconds since 1970.
    pub(crate) left_at_ms: u64,
    /// The filters it subscribed to, as nodes of the tree.
    pub(crate) subscriptions: HashSet<NodeId, FixedState>,
    /// What its subscriptions count for, shared ones included.
    pub(crate) weight: usize,
    /// The shared subscriptions it is in.
    pub(crate) groups: HashSet<GroupKey, FixedState>,
    pub(crate) window: Window,
    pub(crate) queue: Queue,
    /// Identifiers of QoS 2 messages that were received and not released yet. [MQTT5-4.3.3-10]
    pub(crate) awaiting_release: HashSet<u16, FixedState>,
    /// Identifiers of messages that a crash has kept on some shards only: their client sends them again.
    pub(crate) half_taken: std::collections::HashMap<u16, Had, FixedState>,
    /// Retained messages that are still to be sent for new subscriptions.
    pub(crate) replay: Option<Box<Replay>>,
    /// A Will whose connection is gone and whose delay runs.
    pub(crate) pending_will: Option<Box<PendingWill>>,
}

impl Session {
    fn new(id: SessionId, client_identifier: Arc<str>) -> Self {
        Self {
            id,
            client_identifier,
            key: None,
            connection: None,
            expiry: SessionExpiry::WITH_CONNECTION,
            absence: 0,
            expires_at_ms: 0,
            left_at_ms: 0,
            subscriptions: HashSet::default(),
            weight: 0,
            groups: HashSet::default(),
            window: Window::default(),
            queue: Queue::default(),
            awaiting_release: HashSet::default(),
            half_taken: std::collections::HashMap::default(),
            replay: None,
            pending_will: None,
        }
    }

    /// Whether the exchange of another message may be begun. Messages of QoS 2 wait for the disk under their identifiers;
    /// those behind them take theirs meanwhile, so that one sync is for all.
    #[inline]
    pub(crate) fn may_begin(&self, maximum: u16) -> bool {
        match self.key {
            Some(_) => self.window.may_begin(maximum),
            None => self.window.has_room(maximum),
        }
    }

    /// Whether messages for it are kept while its client is away.
    pub(crate) fn is_durable(&self) -> bool {
        self.expiry.outlives_connection()
    }
}

/// The sessions of one organisation on one shard, by slot and by Client Identifier.
pub(crate) struct Sessions {
    slots: Vec<Option<Box<Session>>>,
    generations: Vec<u32>,
    free: Vec<u32>,
    by_client: HashMap<Arc<str>, u32, FixedState>,
}

impl Sessions {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            slots: Vec::new(),
            generations: Vec::new(),
            free: Vec::new(),
            by_client: HashMap::with_hasher(FixedState::with_seed(seed)),
        }
    }

    /// How many slots there are, used or not.
    pub(crate) fn slot_count(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_client.len()
    }

    /// The session of a Client Identifier. [MQTT5-3.1.3-2]
    pub(crate) fn find(&self, client_identifier: &str) -> Option<SessionId> {
        let index = *self.by_client.get(client_identifier)?;
        Some(SessionId { index, generation: self.generations[index as usize] })
    }

    /// Opens a session for a Client Identifier that has none.
    pub(crate) fn open(&mut self, client_identifier: &str) -> &mut Session {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.generations.push(0);
            (self.slots.len() - 1) as u32
        });
        let client_identifier: Arc<str> = client_identifier.into();
        self.by_client.insert(Arc::clone(&client_identifier), index);
        let id = SessionId { index, generation: self.generations[index as usize] };
        self.slots[index as usize].insert(Box::new(Session::new(id, client_identifier)))
    }

    /// Forgets a session and hands its last state out.
    pub(crate) fn close(&mut self, id: SessionId) -> Option<Box<Session>> {
        if self.generations.get(id.index as usize) != Some(&id.generation) {
            return None;
        }
        let session = self.slots[id.index as usize].take()?;
        self.by_client.remove(&session.client_identifier);
        self.generations[id.index as usize] += 1;
        self.free.push(id.index);
        Some(session)
    }

    pub(crate) fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        if self.generations.get(id.index as usize) != Some(&id.generation) {
            return None;
        }
        self.slots[id.index as usize].as_deref_mut()
    }

    /// The session in a slot, whichever it is: for routes, which are void as soon as a subscriber leaves.
    pub(crate) fn at(&mut self, index: u32) -> Option<&mut Session> {
        self.slots.get_mut(index as usize)?.as_deref_mut()
    }

    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.slots.iter().filter_map(|slot| slot.as_deref())
    }
}
