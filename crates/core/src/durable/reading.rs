//! Content that waits in the log only is read back before its turn comes: a bounded number of messages at a time, and each
//! session a few after the other, so that a long queue does not keep others waiting.
//!
//! The shell answers late and in any order. By then the message may have been dropped, the session may be over, or the content
//! may have moved: an answer counts only for a message that still waits and refers to the place that was read.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use foldhash::fast::FixedState;

use crate::core::{Core, Timer};
use crate::durable::place::{Place, Stored};
use crate::durable::record::Record;
use crate::effects::Effects;
use crate::identifiers::{OrganisationId, SessionId};
use crate::message::StoredMessage;
use crate::queue::Accounts;
use crate::session::Session;
use crate::time::Now;

/// Content to read. The answer carries the tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// Where it stands.
    pub place: Place,
    /// Names the request.
    pub tag: u64,
}

/// What was read.
#[derive(Debug)]
pub struct Fetched {
    /// Of the request.
    pub tag: u64,
    /// The bytes of the record.
    pub result: Result<Vec<u8>, Unreadable>,
}

/// Why content cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Nothing is there any more: perhaps because it has moved.
    Gone,
    /// It is not what was written.
    Damaged,
    /// Not now.
    Io,
}

/// What is asked for, and who wants to ask.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    last_tag: u64,
    under_way: HashMap<u64, Wanted, FixedState>,
    listed: VecDeque<(OrganisationId, SessionId)>,
}

/// What a request is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted {
    /// The message of this arrival in the session's queue.
    Queue { organisation: OrganisationId, session: SessionId, arrival: u64, place: Place },
    /// An image.
    Image(Place),
}

impl Reading {
    /// The session's turn to read comes, if it has too little ahead.
    pub(crate) fn list(&mut self, organisation: OrganisationId, session: &mut Session) {
        if session.queue.wants_reading() && !session.queue.ahead.is_listed {
            session.queue.ahead.is_listed = true;
            self.listed.push_back((organisation, session.id));
        }
    }

    pub(crate) fn ask(&mut self, place: Place, wanted: Wanted, effects: &mut Effects) {
        self.last_tag += 1;
        self.under_way.insert(self.last_tag, wanted);
        effects.fetches.push(Fetch { place, tag: self.last_tag });
    }
}

impl Core {
    /// Sessions whose turn it is ask for what they will need.
    #[inline]
    pub(crate) fn read_ahead(&mut self, now: Now, effects: &mut Effects) {
        while self.reading.under_way.len() < READS_MAX
            && let Some((organisation, session)) = self.reading.listed.pop_front()
        {
            self.read_some(now, organisation, session, effects);
        }
    }

    fn read_some(&mut self, now: Now, organisation: OrganisationId, id: SessionId, effects: &mut Effects) {
        let own = &mut self.organisations[organisation.0 as usize];
        let Some(session) = own.sessions.get_mut(id) else { return };
        session.queue.ahead.is_listed = false;
        if session.connection.is_none() {
            return;
        }
        let accounts = Accounts {
            now,
            limits: &self.limits,
            allowance: &mut own.usage.queued_bytes,
            counters: &mut own.counters,
            cache: &mut self.queue_cache,
        };
        for _ in 0..READS_AT_ONCE {
            let Some((arrival, Stored { place, .. })) = session.queue.next_to_read(&accounts) else { return };
            let wanted = Wanted::Queue { organisation, session: id, arrival, place };
            self.reading.ask(place, wanted, effects);
        }
        session.queue.ahead.is_listed = true;
        self.reading.listed.push_back((organisation, id));
    }

    pub(crate) fn on_fetched(&mut self, now: Now, answers: Vec<Fetched>, effects: &mut Effects) {
        let mut went_on = Vec::new();
        for Fetched { tag, result } in answers {
            match self.reading.under_way.remove(&tag) {
                Some(Wanted::Image(place)) => self.evacuation.on_read(place, message_of(result)),
                Some(Wanted::Queue { organisation, session, arrival, place }) => {
                    let result = message_of(result);
                    let of = (organisation, session, arrival, place);
                    if self.on_read(now, of, result, effects)
                        && went_on.last() != Some(&(organisation, session))
                    {
                        went_on.push((organisation, session));
                    }
                }
                None => {}
            }
        }
        went_on.sort_unstable_by_key(|(organisation, session)| (organisation.0, session.index));
        went_on.dedup();
        for (organisation, session) in went_on {
            self.pump(now, organisation, session.index, effects);
        }
    }

    /// Whether the session may have something to send.
    fn on_read(
        &mut self,
        now: Now,
        (organisation, id, arrival, place): (OrganisationId, SessionId, u64, Place),
        result: Result<Arc<StoredMessage>, Unreadable>,
        effects: &mut Effects,
    ) -> bool {
        let own = &mut self.organisations[organisation.0 as usize];
        let Some(session) = own.sessions.get_mut(id) else { return false };
        if session.connection.is_none() {
            return false;
        }
        // Written anew for an image meanwhile, it can be sent as well.
        let Some(stored) = session.queue.in_log_at(arrival) else { return true };
        if stored.place != place {
            // It has moved.
            let wanted = Wanted::Queue { organisation, session: id, arrival, place: stored.place };
            self.reading.ask(stored.place, wanted, effects);
            return false;
        }
        let mut accounts = Accounts {
            now,
            limits: &self.limits,
            allowance: &mut own.usage.queued_bytes,
            counters: &mut own.counters,
            cache: &mut self.queue_cache,
        };
        match result {
            Ok(message) => {
                message.set_place(place, self.numbers.marks.epoch());
                accounts.counters.read_back += 1;
                session.queue.put(arrival, message, &mut accounts);
            }
            Err(Unreadable::Io) => {
                self.arm(now, now.mono_ms + READ_AGAIN_MS, Timer::Reading(organisation, id));
                return false;
            }
            Err(Unreadable::Gone | Unreadable::Damaged) => session.queue.lose(arrival, &mut accounts),
        }
        true
    }

    /// What could not be read is tried again.
    pub(crate) fn read_again(&mut self, organisation: OrganisationId, session: SessionId) {
        let own = &mut self.organisations[organisation.0 as usize];
        let session = own.sessions.get_mut(session).filter(|session| session.connection.is_some());
        if let Some(session) = session {
            session.queue.read_again();
            self.reading.list(organisation, session);
        }
    }

    /// Contents have arrived in the log: copies of them need not wait in memory.
    pub(crate) fn on_placed(&mut self, now: Now, places: &[Option<Place>]) {
        for &place in places {
            self.numbers.arrived(place);
            while let Some((organisation, session, arrival)) = self.numbers.next_waiting() {
                let own = &mut self.organisations[organisation.0 as usize];
                let Some(session) = own.sessions.get_mut(session) else { continue };
                let mut accounts = Accounts {
                    now,
                    limits: &self.limits,
                    allowance: &mut own.usage.queued_bytes,
                    counters: &mut own.counters,
                    cache: &mut self.queue_cache,
                };
                session.queue.let_go(arrival, &self.numbers.marks, &mut accounts);
            }
        }
    }
}

/// The message in what was read.
pub(crate) fn message_of(read: Result<Vec<u8>, Unreadable>) -> Result<Arc<StoredMessage>, Unreadable> {
    match Record::decode(&read?) {
        Some(Record::Message { message, .. }) => Ok(StoredMessage::new(&message)),
        _ => Err(Unreadable::Damaged),
    }
}

/// Reads under way on one shard; beyond, sessions wait for their turn. Well below what the journal takes.
const READS_MAX: usize = 4096;
/// Reads that a session asks for before another has its turn.
const READS_AT_ONCE: usize = 64;
/// What could not be read is asked for again after so long.
const READ_AGAIN_MS: u64 = 1000;
