//! Records → what they leave: one pass over the log, in its order, for all shards together. Nothing here depends on how
//! many shards there were or will be.
//!
//! Content is not kept: what waits in queues comes back as places in the log, and only what must be in memory is read when
//! all was heard ([`contents`]).

mod contents;
mod draft;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::fast::FixedState;

use crate::connection::OwnedWill;
use crate::core::owner_of_client;
use crate::core::owner_of_topic;
use crate::durable::place::{Place, Reference, Stored};
use crate::durable::record::{AWAITS_RETAINED, Copy, Record, SessionKey};
use crate::durable::spread::Had;
use crate::group::GroupKey;
use crate::identifiers::OrganisationId;
use crate::message::StoredMessage;
use crate::queue::{Content, Queued};

use contents::Contents;
pub(crate) use draft::{QueueDraft, SessionDraft};

/// Hears the records of a log and keeps what is still alive.
#[derive(Default)]
pub struct Recovery {
    sessions: HashMap<SessionKey, SessionDraft, FixedState>,
    contents: Contents,
    retained: HashMap<(u32, Box<str>), Arc<StoredMessage>, FixedState>,
    wills: BTreeMap<u64, WillDraft>,
    /// The highest number that was given to anything.
    highest: u64,
    lost: u64,
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

impl Recovery {
    /// Everything is told again from another place: forget what was heard.
    pub fn begin(&mut self) {
        *self = Self::default();
    }

    /// Hears one record, which stands at `position`; `false` if it cannot be understood, so that something is lost.
    pub fn record(&mut self, bytes: &[u8], position: u64) -> bool {
        let Some(record) = Record::decode(bytes) else {
            self.lost += 1;
            return false;
        };
        match record {
            Record::Message { number, message } => {
                self.highest = self.highest.max(number);
                let place = Place::new(position, bytes.len() as u32);
                let expires_secs = Stored::expiry_of(message.expires_at_ms);
                self.contents.hear(number, Stored { place, size: message.size() as u32, expires_secs });
            }
            Record::Retained { organisation, message } => {
                self.retained.insert((organisation, message.topic.into()), StoredMessage::new(&message));
            }
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
                    draft.queue = known.queue;
                }
            }
            Record::Ended { key } => _ = self.sessions.remove(&key),
            of_session => self.step(of_session),
        }
        true
    }

    /// A change of a session. One that is unknown has ended since, or its image comes later and has the change in it.
    fn step(&mut self, record: Record<'_>) {
        let (contents, sessions) = (&self.contents, &mut self.sessions);
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
                session.queue.put(sequence, copied(&copy, contents).since(since_secs));
            }
            Record::Sent { key, identifier, copy } => {
                let session = sessions.entry(key).or_insert_with(SessionDraft::expected);
                let queued = (copy.message != Reference::Nothing).then(|| copied(&copy, contents));
                session.begin(identifier, queued);
            }
            Record::Begun { key, sequence, identifier } => {
                if let Some(session) = sessions.get_mut(&key) {
                    session.begin_queued(sequence, identifier);
                }
            }
            Record::Received { key, identifier } => {
                let session = sessions.get_mut(&key);
                if let Some((_, copy)) = session.and_then(|session| session.exchange(identifier)) {
                    *copy = None;
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

    /// How many records and copies are lost: with an undamaged log, none. Known when all was [held](Self::hold) and
    /// [read](Self::read).
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Says for each copy where its content stands. What cannot be there is lost.
    pub fn hold(&mut self, mut is_there: impl FnMut(Place) -> bool) {
        let mut lost = 0;
        for copy in known(&mut self.sessions).flat_map(SessionDraft::copies_mut) {
            match copy.content {
                Content::Log(stored) if is_there(stored.place) => continue,
                Content::Memory(_) => continue,
                Content::Log(_) | Content::Lost => {}
            }
            copy.content = Content::Lost;
            lost += 1;
        }
        self.lost += lost;
    }

    /// Reads what has to be in memory when clients come: what is in flight, and what came through a shared subscription.
    pub fn read(&mut self, read: impl FnMut(Place) -> Option<Vec<u8>>) {
        let needed = known(&mut self.sessions).flat_map(SessionDraft::needed_mut).collect();
        self.lost += contents::read(needed, read);
    }

    /// Reads everything, for people to look at.
    pub fn read_all(&mut self, read: impl FnMut(Place) -> Option<Vec<u8>>) {
        let all = known(&mut self.sessions).flat_map(SessionDraft::copies_mut).collect();
        self.lost += contents::read(all, read);
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

fn known(
    sessions: &mut HashMap<SessionKey, SessionDraft, FixedState>,
) -> impl Iterator<Item = &mut SessionDraft> {
    sessions.values_mut().filter(|session| !session.is_expected)
}

/// A copy on its way back. Content that is unknown was written before the log begins; then an image says where, if the copy is
/// alive.
fn copied(copy: &Copy<'_>, contents: &Contents) -> Queued {
    let stored = match copy.message {
        Reference::Number(number) => contents.get(number),
        Reference::Place(stored) => Some(stored),
        Reference::Nothing => None,
    };
    let content = stored.map_or(Content::Lost, Content::Log);
    let group = copy.group.and_then(GroupKey::from_u64);
    Queued::new(content, (copy.qos, copy.retain), &copy.identifiers, group)
}

#[cfg(test)]
mod tests;
