//! Records → what they leave: one pass over the log, in its order, for all shards together. Nothing here depends on how
//! many shards there were or will be.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use foldhash::fast::FixedState;
use tidegate_mqtt::QoS;

use crate::connection::OwnedWill;
use crate::core::owner_of_client;
use crate::core::owner_of_topic;
use crate::durable::record::{AWAITS_RETAINED, Copy, MessageNumber, Presence, Record, SessionKey};
use crate::durable::spread::Had;
use crate::identifiers::OrganisationId;
use crate::message::StoredMessage;

/// Hears the records of a log and keeps what is still alive.
#[derive(Default)]
pub struct Recovery {
    sessions: HashMap<SessionKey, SessionDraft, FixedState>,
    messages: HashMap<MessageNumber, Heard, FixedState>,
    /// So many messages, and those that nobody refers to are looked for.
    messages_before_purge: usize,
    retained: HashMap<(u32, Box<str>), Arc<StoredMessage>, FixedState>,
    wills: BTreeMap<u64, WillDraft>,
    /// The highest number that was given to anything.
    highest: u64,
    lost: u64,
}

/// A message's content, for what refers to it by number.
struct Heard {
    message: Arc<StoredMessage>,
    /// Nobody referred to it when that was looked for last.
    was_idle: bool,
}

/// What a recovery leaves for one shard.
#[derive(Default)]
pub struct Restored {
    pub(crate) sessions: Vec<(SessionKey, SessionDraft)>,
    pub(crate) retained: Vec<(OrganisationId, Arc<StoredMessage>)>,
    pub(crate) wills: Vec<WillDraft>,
    pub(crate) highest: u64,
}

pub(crate) struct WillDraft {
    pub(crate) organisation: OrganisationId,
    pub(crate) client_identifier: Box<str>,
    pub(crate) will: OwnedWill,
}

/// One session on its way back.
pub(crate) struct SessionDraft {
    /// Copies of it came, and its image may follow: until then only they count.
    is_expected: bool,
    pub(crate) organisation: OrganisationId,
    pub(crate) client_identifier: Box<str>,
    pub(crate) presence: Presence,
    /// Options and Subscription Identifier of each filter.
    pub(crate) subscriptions: HashMap<Box<str>, (u8, u32), FixedState>,
    /// By sequence: an image is written in pieces, between which newer copies arrive.
    pub(crate) queue: BTreeMap<u64, CopyDraft>,
    /// Above all sequences that were ever seen.
    pub(crate) next_sequence: u64,
    /// In the order in which they were begun.
    pub(crate) window: Vec<(u16, CopyDraft)>,
    pub(crate) awaiting_release: HashSet<u16, FixedState>,
    /// Messages of which other shards shall have copies, and perhaps have not.
    pub(crate) half_taken: HashMap<u16, Had, FixedState>,
}

/// One copy on its way back.
pub(crate) struct CopyDraft {
    /// `None`: PUBREC came, only the identifier counts.
    pub(crate) message: Option<Arc<StoredMessage>>,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) identifiers: Option<Box<[u32]>>,
    pub(crate) group: Option<u64>,
    pub(crate) since_secs: u64,
}

impl Recovery {
    /// Everything is told again from another place: forget what was heard.
    pub fn begin(&mut self) {
        *self = Self::default();
    }

    /// Hears one record; `false` if it cannot be understood, so that something is lost.
    pub fn record(&mut self, bytes: &[u8]) -> bool {
        let Some(record) = Record::decode(bytes) else {
            self.lost += 1;
            return false;
        };
        match record {
            Record::Message { number, message } => {
                self.highest = self.highest.max(number);
                let message = StoredMessage::new(&message);
                self.messages.insert(number, Heard { message, was_idle: false });
                self.purge();
            }
            Record::Retained { organisation, number } => match self.messages.get(&number) {
                Some(Heard { message, .. }) => {
                    let topic = message.as_message().topic.into();
                    self.retained.insert((organisation, topic), Arc::clone(message));
                }
                None => self.lost += 1,
            },
            Record::Unretained { organisation, topic } => {
                self.retained.remove(&(organisation, Box::from(topic)));
            }
            Record::Will { number, organisation, client_identifier, will } => {
                self.highest = self.highest.max(number);
                let organisation = OrganisationId(organisation);
                let will = OwnedWill::of_parts(number, &will);
                let client_identifier = client_identifier.into();
                self.wills.insert(number, WillDraft { organisation, client_identifier, will });
            }
            Record::WillGone { number } => _ = self.wills.remove(&number),
            Record::Session { key, organisation, client_identifier, presence } => {
                self.highest = self.highest.max(key);
                let draft = SessionDraft::new(organisation, client_identifier, presence);
                let known = self.sessions.insert(key, draft);
                // The queue follows in pieces, and the last of them may not have been written.
                if let (Some(known), Some(draft)) = (known, self.sessions.get_mut(&key)) {
                    (draft.queue, draft.next_sequence) = (known.queue, known.next_sequence);
                }
            }
            Record::Ended { key } => _ = self.sessions.remove(&key),
            of_session => self.step(of_session),
        }
        true
    }

    /// A change of a session. One that is unknown has ended since, or its image comes later and has the change in it; the
    /// image refers to messages that were written before it, so copies keep those until then.
    fn step(&mut self, record: Record<'_>) {
        let (messages, sessions) = (&self.messages, &mut self.sessions);
        let lost = &mut self.lost;
        // The message of a session's copy may have been written before the log begins; then the image writes it again.
        let mut draft = |copy: Copy<'_>, since_secs, is_expected: bool| {
            let draft = CopyDraft::new(copy, since_secs, messages);
            *lost += u64::from(draft.is_none() && !is_expected);
            draft
        };
        match record {
            Record::Presence { key, presence } => {
                if let Some(session) = sessions.get_mut(&key) {
                    session.presence = presence;
                }
            }
            Record::Subscribed { key, filter, options, identifier } => {
                if let Some(session) = sessions.get_mut(&key) {
                    session.subscriptions.insert(filter.into(), (options, identifier));
                }
            }
            Record::Replayed { key } => {
                if let Some(session) = sessions.get_mut(&key) {
                    session.subscriptions.values_mut().for_each(|(options, _)| *options &= !AWAITS_RETAINED);
                }
            }
            Record::Unsubscribed { key, filter } => {
                if let Some(session) = sessions.get_mut(&key) {
                    session.subscriptions.remove(filter);
                }
            }
            Record::Queued { key, sequence, since_secs, copy } => {
                let session = sessions.entry(key).or_insert_with(SessionDraft::expected);
                session.next_sequence = session.next_sequence.max(sequence + 1);
                let copy = draft(copy, since_secs, session.is_expected);
                session.queue.extend(copy.map(|copy| (sequence, copy)));
            }
            Record::Sent { key, identifier, copy } => {
                let session = sessions.entry(key).or_insert_with(SessionDraft::expected);
                if let Some(copy) = draft(copy, 0, session.is_expected) {
                    session.begin(identifier, copy);
                }
            }
            Record::Begun { key, sequence, identifier } => {
                if let Some(session) = sessions.get_mut(&key) {
                    session.begin_queued(sequence, identifier);
                }
            }
            Record::Received { key, identifier } => {
                let session = sessions.get_mut(&key);
                if let Some((_, copy)) = session.and_then(|session| session.exchange(identifier)) {
                    copy.message = None;
                }
            }
            Record::Finished { key, identifier } => {
                if let Some(session) = sessions.get_mut(&key) {
                    session.finish(identifier);
                }
            }
            Record::Taken { key, identifier } => {
                if let Some(session) = sessions.get_mut(&key) {
                    session.awaiting_release.insert(identifier);
                    session.half_taken.remove(&identifier);
                }
            }
            Record::Offered { key, identifier, shards, kept } => {
                if let Some(session) = sessions.get_mut(&key) {
                    session.half_taken.insert(identifier, Had { shards, kept });
                }
            }
            Record::Kept { key, identifier, shard } => {
                let session = sessions.get_mut(&key);
                if let Some(had) = session.and_then(|session| session.half_taken.get_mut(&identifier)) {
                    had.kept |= 1 << shard;
                }
            }
            Record::Released { key, identifier } => {
                if let Some(session) = sessions.get_mut(&key) {
                    session.awaiting_release.remove(&identifier);
                }
            }
            // Handled by the caller.
            _ => {}
        }
    }

    /// Messages that are no longer referred to go, now and then: a long log must not be held as a whole. One goes when it
    /// is found idle twice: what refers to a message follows it, however old its number is, and an image of a queue has old
    /// numbers.
    fn purge(&mut self) {
        if self.messages.len() <= self.messages_before_purge.max(MESSAGES_BEFORE_PURGE_MIN) {
            return;
        }
        self.messages.retain(|_, heard| {
            let is_idle = Arc::strong_count(&heard.message) == 1;
            let was_idle = std::mem::replace(&mut heard.was_idle, is_idle);
            !(is_idle && was_idle)
        });
        self.messages_before_purge = self.messages.len() * 2;
    }

    /// How many records or copies could not be understood: with an undamaged log, none.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// How many sessions and retained messages came back.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.known_sessions().count(), self.retained.len())
    }

    pub(crate) fn known_sessions(&self) -> impl Iterator<Item = &SessionDraft> {
        self.sessions.values().filter(|session| !session.is_expected)
    }

    pub(crate) fn retained_messages(&self) -> impl Iterator<Item = (u32, &StoredMessage)> {
        self.retained.iter().map(|((organisation, _), message)| (*organisation, &**message))
    }

    pub(crate) fn promised_wills(&self) -> impl Iterator<Item = &WillDraft> {
        self.wills.values()
    }

    /// Deals everything out to shards: the parts in the order of their numbers.
    #[must_use]
    pub fn split(self, seed: u64, shards: u8) -> Vec<Restored> {
        let part = || Restored { highest: self.highest, ..Restored::default() };
        let mut parts: Vec<Restored> = (0..shards.max(1)).map(|_| part()).collect();
        for (key, draft) in self.sessions.into_iter().filter(|(_, draft)| !draft.is_expected) {
            let owner = owner_of_client(seed, shards, draft.organisation, &draft.client_identifier);
            parts[usize::from(owner.0)].sessions.push((key, draft));
        }
        for ((organisation, topic), message) in self.retained {
            let organisation = OrganisationId(organisation);
            let owner = owner_of_topic(seed, shards, organisation, &topic);
            parts[usize::from(owner.0)].retained.push((organisation, message));
        }
        for will in self.wills.into_values() {
            let owner = owner_of_client(seed, shards, will.organisation, &will.client_identifier);
            parts[usize::from(owner.0)].wills.push(will);
        }
        parts
    }
}

impl SessionDraft {
    fn new(organisation: u32, client_identifier: &str, presence: Presence) -> Self {
        Self {
            is_expected: false,
            organisation: OrganisationId(organisation),
            client_identifier: client_identifier.into(),
            presence,
            subscriptions: HashMap::default(),
            queue: BTreeMap::new(),
            next_sequence: 0,
            window: Vec::new(),
            awaiting_release: HashSet::default(),
            half_taken: HashMap::default(),
        }
    }

    fn expected() -> Self {
        let presence = Presence { expiry_secs: 0, left_at_ms: None };
        Self { is_expected: true, ..Self::new(0, "", presence) }
    }

    fn exchange(&mut self, identifier: u16) -> Option<&mut (u16, CopyDraft)> {
        self.window.iter_mut().find(|(of, _)| *of == identifier)
    }

    fn begin(&mut self, identifier: u16, copy: CopyDraft) {
        match self.exchange(identifier) {
            Some((_, known)) => *known = copy,
            None => self.window.push((identifier, copy)),
        }
    }

    /// What waited before this copy was dropped: a queue gives its first.
    fn begin_queued(&mut self, sequence: u64, identifier: u16) {
        while let Some(first) = self.queue.first_entry()
            && *first.key() <= sequence
        {
            let (at, copy) = first.remove_entry();
            if at == sequence && self.exchange(identifier).is_none() {
                self.window.push((identifier, copy));
            }
        }
    }

    fn finish(&mut self, identifier: u16) {
        if let Some(at) = self.window.iter().position(|(of, _)| *of == identifier) {
            self.window.remove(at);
        }
    }
}

impl CopyDraft {
    /// `None` if the message is not there.
    fn new(
        copy: Copy<'_>,
        since_secs: u64,
        messages: &HashMap<MessageNumber, Heard, FixedState>,
    ) -> Option<Self> {
        let message = match copy.received {
            true => None,
            false => Some(Arc::clone(&messages.get(&copy.message)?.message)),
        };
        let identifiers = (!copy.identifiers.is_empty()).then(|| copy.identifiers.into());
        Some(Self { message, qos: copy.qos, retain: copy.retain, identifiers, group: copy.group, since_secs })
    }
}

/// Looking for what is no longer referred to is not worth it before there are so many.
const MESSAGES_BEFORE_PURGE_MIN: usize = 100_000;

#[cfg(test)]
mod tests;
