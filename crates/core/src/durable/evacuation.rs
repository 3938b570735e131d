//! Segments that the journal wants to free although a little in them is alive: while images are written, what refers to them is
//! made to refer to content that is written anew. What is in the log only is read first; the images wait for it.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;

use crate::core::Core;
use crate::durable::place::Place;
use crate::durable::reading::{Unreadable, Wanted};
use crate::effects::Effects;
use crate::identifiers::{OrganisationId, SessionId};
use crate::message::StoredMessage;
use crate::queue::{Accounts, Content};
use crate::time::Now;

/// What was read from such segments, for all that refer to it, until the images are written.
#[derive(Debug, Default)]
pub(crate) struct Evacuation {
    contents: HashMap<u64, Evacuee, FixedState>,
    /// How many of them are not read yet.
    awaited: usize,
}

/// One message that moves.
#[derive(Clone, Debug)]
pub(crate) enum Evacuee {
    Awaited,
    Read(Arc<StoredMessage>),
    /// The disk refuses at the moment: it is referred to where it is, and so its segment stays.
    Stays,
    /// There is nothing to refer to.
    Lost,
}

impl Core {
    /// What a queue has in memory by now, from a number on, is written anew as soon as its image comes to it.
    pub(crate) fn move_evacuees(
        &mut self,
        (organisation, id): (OrganisationId, SessionId),
        from: u64,
        now: Now,
    ) {
        if self.evacuation.is_empty() {
            return;
        }
        let own = &mut self.organisations[organisation.0 as usize];
        let Some(session) = own.sessions.get_mut(id) else { return };
        let mut found = Vec::new();
        for (_, arrival, queued) in session.queue.numbered_from(from) {
            let Content::Log(stored) = queued.content else { continue };
            match self.evacuation.get(stored.place) {
                Some(evacuee @ (Evacuee::Read(_) | Evacuee::Lost)) => found.push((arrival, evacuee.clone())),
                Some(Evacuee::Stays) => {}
                Some(Evacuee::Awaited) | None if self.numbers.marks.is_evacuated(stored.place) => break,
                Some(Evacuee::Awaited) | None => {}
            }
            if found.len() >= AT_ONCE {
                break;
            }
        }
        let mut accounts = Accounts {
            now,
            limits: &self.limits,
            allowance: &mut own.usage.queued_bytes,
            counters: &mut own.counters,
            cache: &mut self.queue_cache,
        };
        for (arrival, evacuee) in found {
            match evacuee {
                Evacuee::Read(message) => session.queue.put(arrival, message, &mut accounts),
                _ => session.queue.lose(arrival, &mut accounts),
            }
        }
    }

    /// Asks for what the image of a queue cannot go on without, and some of what comes behind it.
    pub(crate) fn read_evacuees(
        &mut self,
        (organisation, id): (OrganisationId, SessionId),
        from: u64,
        effects: &mut Effects,
    ) {
        let own = &mut self.organisations[organisation.0 as usize];
        let Some(session) = own.sessions.get_mut(id) else { return };
        let mut bytes = 0;
        for (_, _, queued) in session.queue.numbered_from(from).take(AT_ONCE) {
            let Content::Log(stored) = queued.content else { continue };
            if bytes > BYTES_AT_ONCE {
                return;
            }
            if self.numbers.marks.is_evacuated(stored.place) && self.evacuation.awaits(stored.place) {
                bytes += stored.size as usize;
                self.reading.ask(stored.place, Wanted::Image(stored.place), effects);
            }
        }
    }
}

impl Evacuation {
    /// Images begin anew, or are written.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    fn is_empty(&self) -> bool {
        self.contents.is_empty()
    }

    /// Whether the images have to wait.
    pub(crate) fn is_awaiting(&self) -> bool {
        self.awaited > 0
    }

    pub(crate) fn get(&self, place: Place) -> Option<&Evacuee> {
        self.contents.get(&place.position())
    }

    /// Content is to be read; whether it was not asked for yet.
    pub(crate) fn awaits(&mut self, place: Place) -> bool {
        if self.contents.contains_key(&place.position()) {
            return false;
        }
        self.contents.insert(place.position(), Evacuee::Awaited);
        self.awaited += 1;
        true
    }

    pub(crate) fn on_read(&mut self, place: Place, read: Result<Arc<StoredMessage>, Unreadable>) {
        let Some(evacuee) = self.contents.get_mut(&place.position()) else { return };
        if !matches!(evacuee, Evacuee::Awaited) {
            return;
        }
        self.awaited -= 1;
        *evacuee = match read {
            Ok(message) => Evacuee::Read(message),
            Err(Unreadable::Io) => Evacuee::Stays,
            Err(Unreadable::Gone | Unreadable::Damaged) => Evacuee::Lost,
        };
    }
}

/// Messages of a queue that move together.
const AT_ONCE: usize = 256;
/// And their bytes.
const BYTES_AT_ONCE: usize = 1024 * 1024;
