//! Images: everything that a shard owns, written anew, a piece a turn, so that the journal can let go of what was written
//! before. An image of a session replaces what was known of it but its queue, whose pieces
//! replace what they hold; what happens to it between two pieces is written as ever.

use std::collections::HashSet;

use foldhash::fast::FixedState;

use crate::core::Core;
use crate::durable::evacuation::Evacuee;
use crate::durable::marks::Mark;
use crate::durable::place::Reference;
use crate::durable::record::{AWAITS_RETAINED, Presence, Record, SessionKey};
use crate::durable::recorder::recorder;
use crate::durable::spread::Had;
use crate::effects::Effects;
use crate::identifiers::{OrganisationId, SessionId};
use crate::queue::Content;
use crate::replay::ReplayRequest;
use crate::time::Now;
use crate::tree::NodeId;

/// How far the images of a checkpoint are.
#[derive(Debug)]
pub(crate) struct Imaging {
    organisation: usize,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// The session in this slot is next.
    Session(u32),
    /// The queue of this session, from this sequence on.
    Queue(SessionId, u64),
    /// Retained messages from this place of the store on.
    Retained(u32),
}

impl Core {
    /// A checkpoint begins: write images of everything, a piece with each [`Core::continue_checkpoint`]. What they refer to in
    /// these segments is written anew.
    pub fn begin_checkpoint(&mut self, evacuated: &[u32]) {
        self.numbers.marks.begin(evacuated.to_vec());
        self.evacuation.clear();
        self.imaging = Some(Imaging { organisation: 0, stage: Stage::Session(0) });
    }

    /// Whether a checkpoint is under way.
    #[must_use]
    pub fn is_in_checkpoint(&self) -> bool {
        self.imaging.is_some()
    }

    /// Whether a piece of images could be written now: they may have to wait for what is read.
    #[must_use]
    pub fn wants_to_continue_checkpoint(&self) -> bool {
        self.imaging.is_some() && !self.evacuation.is_awaiting()
    }

    /// What the log refers to by its place, once the images are written: for the journal, with the news that they are.
    pub fn take_marks(&mut self) -> Vec<Mark> {
        self.evacuation.clear();
        self.numbers.marks.take()
    }

    /// Writes about [`PIECE_BYTES`] of images; whether that was the last piece.
    pub fn continue_checkpoint(&mut self, now: Now, effects: &mut Effects) -> bool {
        self.write_images(now, PIECE_BYTES, effects)
    }

    /// See [`Core::continue_checkpoint`].
    pub(crate) fn write_images(&mut self, now: Now, piece_bytes: usize, effects: &mut Effects) -> bool {
        let end = effects.records.size() + piece_bytes;
        while effects.records.size() < end {
            if self.evacuation.is_awaiting() {
                return false;
            }
            let Some(imaging) = self.imaging.take() else { return true };
            self.imaging = self.write_piece(now, imaging, piece_bytes, effects);
            let next = self.queue_being_imaged();
            self.numbers.set_image_of_queue(next);
            if self.imaging.is_none() {
                return true;
            }
        }
        false
    }

    fn write_piece(
        &mut self,
        now: Now,
        imaging: Imaging,
        piece_bytes: usize,
        effects: &mut Effects,
    ) -> Option<Imaging> {
        let Imaging { organisation, stage } = imaging;
        let id = OrganisationId(u32::try_from(organisation).ok()?);
        let own = self.organisations.get_mut(organisation)?;
        let stage = match stage {
            Stage::Session(slot) if (slot as usize) < own.sessions.slot_count() => {
                let session = own.sessions.at(slot).filter(|session| session.key.is_some());
                match session.map(|session| session.id) {
                    Some(session) => {
                        self.write_head(id, session, effects);
                        Stage::Queue(session, 0)
                    }
                    None => {
                        self.write_will_of(id, slot, effects);
                        Stage::Session(slot + 1)
                    }
                }
            }
            Stage::Session(_) => Stage::Retained(0),
            Stage::Queue(session, from) => {
                match self.write_queue(now, (id, session), from, piece_bytes, effects) {
                    Some(next) => Stage::Queue(session, next),
                    None => Stage::Session(session.index + 1),
                }
            }
            Stage::Retained(place) if own.retained.is_end(place) => {
                return Some(Imaging { organisation: organisation + 1, stage: Stage::Session(0) });
            }
            Stage::Retained(place) => Stage::Retained(self.write_retained(id, place, piece_bytes, effects)),
        };
        Some(Imaging { organisation, stage })
    }

    /// Everything of a session but its queue.
    fn write_head(&mut self, organisation: OrganisationId, id: SessionId, effects: &mut Effects) {
        self.write_will_of(organisation, id.index, effects);
        let own = &mut self.organisations[organisation.0 as usize];
        let connection = own.sessions.get_mut(id).and_then(|session| session.connection);
        let unreceipted = connection.map(|connection| self.unreceipted(connection)).unwrap_or_default();
        let own = &mut self.organisations[organisation.0 as usize];
        let Some(session) = own.sessions.get_mut(id) else { return };
        let Some(key) = session.key else { return };
        let left_at_ms = session.connection.is_none().then_some(session.left_at_ms);
        let presence = Presence { expiry_secs: session.expiry.0, left_at_ms };
        let client_identifier = std::sync::Arc::clone(&session.client_identifier);
        let of_suback = session.connection.into_iter().flat_map(|id| self.barriers.replays_of(id));
        let under_way = session.replay.iter().flat_map(|replay| replay.unfulfilled());
        let replays: HashSet<NodeId, FixedState> = under_way
            .chain(of_suback)
            .filter(ReplayRequest::is_promised)
            .map(|request| request.node)
            .collect();
        let subscriptions: Vec<NodeId> = session.subscriptions.iter().copied().collect();
        let groups: Vec<_> = session.groups.iter().copied().collect();
        let shards = self.shards;
        let kept = 1 << self.shard.0;
        let mut half_taken: Vec<_> =
            session.half_taken.iter().map(|(&identifier, &had)| (identifier, had)).collect();
        // Those that wait for other shards are written when their copies are durable.
        let is_durable =
            |&taken: &u16| !unreceipted.contains(&taken) && !self.unanswered.has((organisation, id, taken));
        let taken: Vec<u16> = session.awaiting_release.iter().copied().filter(is_durable).collect();
        let offered = session.awaiting_release.iter().filter(|taken| !is_durable(taken));
        half_taken.extend(offered.map(|&identifier| (identifier, Had { shards, kept })));
        let organisation_number = organisation.0;
        let mut recorder = recorder!(self, effects);
        recorder.write(&Record::Session {
            key,
            organisation: organisation_number,
            client_identifier: &client_identifier,
            presence,
        });
        for (identifier, exchange) in session.window.iter_mut() {
            let copy = exchange.copy(&mut recorder);
            recorder.write(&Record::Sent { key, identifier: identifier.get(), copy });
        }
        for identifier in taken {
            recorder.write(&Record::Taken { key, identifier });
        }
        for (identifier, Had { shards, kept }) in half_taken {
            recorder.write(&Record::Offered { key, identifier, shards, kept });
        }
        for node in subscriptions {
            let tree = own.routes.tree();
            let filter = tree.path(node);
            let subscription = tree.value(node).subscription_of(id.index);
            let Some(subscription) = subscription else { continue };
            let awaits_retained = if replays.contains(&node) { AWAITS_RETAINED } else { 0 };
            let (options, identifier) = (subscription.options().as_u8(), subscription.identifier);
            let options = options | awaits_retained;
            recorder.write(&Record::Subscribed { key, filter: &filter, options, identifier });
        }
        for group in groups {
            let Some((filter, member)) = own.groups.membership(group, (self.shard, id)) else { continue };
            let (options, identifier) = (member.options().as_u8(), member.identifier);
            recorder.write(&Record::Subscribed { key, filter: &filter, options, identifier });
        }
    }

    /// The Will of the session's client, connected or waiting for its delay.
    fn write_will_of(&mut self, organisation: OrganisationId, slot: u32, effects: &mut Effects) {
        let own = &mut self.organisations[organisation.0 as usize];
        let Some(session) = own.sessions.at(slot) else { return };
        let client_identifier = std::sync::Arc::clone(&session.client_identifier);
        let pending = session.pending_will.as_ref().map(|pending| &pending.will);
        let connection = session.connection.and_then(|id| self.connections.get(id));
        let of_connection = connection.and_then(|connection| connection.extra.as_ref()?.will.as_ref());
        for will in pending.into_iter().chain(of_connection) {
            let Some(number) = will.number else { continue };
            let record = Record::Will {
                number,
                organisation: organisation.0,
                client_identifier: &client_identifier,
                will: will.parts(),
            };
            effects.records.push(&record);
        }
    }

    /// A piece of a queue, from a sequence on; where the next begins, if there is more or something has to be read first.
    fn write_queue(
        &mut self,
        now: Now,
        (organisation, id): (OrganisationId, SessionId),
        from: u64,
        piece_bytes: usize,
        effects: &mut Effects,
    ) -> Option<u64> {
        let own = &mut self.organisations[organisation.0 as usize];
        let session = own.sessions.get_mut(id)?;
        let key = session.key?;
        self.move_evacuees((organisation, id), from, now);
        let own = &mut self.organisations[organisation.0 as usize];
        let session = own.sessions.get_mut(id)?;
        let mut recorder = recorder!(self, effects);
        let end = recorder.records.size() + piece_bytes;
        let mut waits_from = None;
        for (sequence, arrival, queued) in session.queue.numbered_from(from) {
            if recorder.records.size() >= end {
                return Some(sequence);
            }
            if let Content::Log(stored) = queued.content
                && recorder.numbers.marks.is_evacuated(stored.place)
                && !matches!(self.evacuation.get(stored.place), Some(Evacuee::Stays))
            {
                waits_from = Some(sequence);
                break;
            }
            let since_secs = queued.since_unix_secs(now);
            let is_in_memory = matches!(queued.content, Content::Memory(_));
            let may_leave = queued.may_leave();
            let Some(copy) = queued.copy(&mut recorder) else { continue };
            let is_there = matches!(copy.message, Reference::Place(_));
            recorder.write(&Record::Queued { key, sequence, since_secs, copy });
            if is_in_memory && may_leave && !is_there && self.queue_cache.is_over(&self.limits) {
                recorder.note_waiting(organisation, id, arrival);
            }
        }
        let from = waits_from?;
        self.read_evacuees((organisation, id), from, effects);
        Some(from)
    }

    /// A piece of the retained messages; where the next begins.
    fn write_retained(
        &mut self,
        organisation: OrganisationId,
        mut place: u32,
        piece_bytes: usize,
        effects: &mut Effects,
    ) -> u32 {
        let own = &mut self.organisations[organisation.0 as usize];
        let mut recorder = recorder!(self, effects);
        let end = recorder.records.size() + piece_bytes;
        let mut visits = VISITS_PER_PIECE;
        while recorder.records.size() < end
            && let Some(message) = own.retained.next_durable(&mut place, &mut visits)
        {
            let message = message.as_message();
            recorder.write(&Record::Retained { organisation: organisation.0, message });
        }
        place
    }

    /// The session whose queue is written in pieces, and where the next piece begins.
    fn queue_being_imaged(&mut self) -> Option<(SessionKey, u64)> {
        let Some(Imaging { organisation, stage: Stage::Queue(session, from) }) = &self.imaging else {
            return None;
        };
        let own = self.organisations.get_mut(*organisation)?;
        Some((own.sessions.get_mut(*session)?.key?, *from))
    }
}

/// What one piece is meant to be: written within a turn without others noticing.
const PIECE_BYTES: usize = 256 * 1024;
/// Places of the store of retained messages that one piece looks at.
const VISITS_PER_PIECE: usize = 16 * 1024;
