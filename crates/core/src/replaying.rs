//! Sending retained messages for new subscriptions (section 3.3.1.3), a piece at a time, from every shard that
//! may keep some.

use std::sync::Arc;

use crate::core::Core;
use crate::courier::Courier;
use crate::delivery::Manner;
use crate::durable::record::Record;
use crate::effects::Effects;
use crate::identifiers::{OrganisationId, SessionId, ShardId};
use crate::message::{Keepable, StoredMessage};
use crate::organisation::Organisation;
use crate::replay::{
    FILTER_BYTES_PER_SEARCH_MAX, FoundMessage, PIECE_MESSAGES, PIECE_MESSAGES_MIN, REQUESTS_PER_SEARCH_MAX,
    RemoteWalk, Replay, ReplayRequest, SUBACK_BYTES_HELD_MAX,
};
use crate::retained::{VISITS_MAX, WalkId, WalkState};
use crate::shards::{ShardMessage, WalkFilter, WalkOrder};
use crate::time::Now;

/// What a replay needs next.
enum Next {
    /// Nothing before the client or another shard did something.
    Wait,
    /// Some shards are to go on with the search.
    Continue(Vec<ShardId>, u64),
    /// SUBACKs whose subscriptions have no retained messages.
    Acknowledge(Vec<u8>),
    /// The next search may begin.
    Begin,
    /// The replay is over.
    Done,
}

impl Core {
    /// A SUBSCRIBE asked for retained messages: nothing else may be sent to the session before them.
    pub(crate) fn expect_replays(&mut self, organisation: OrganisationId, session: SessionId, count: usize) {
        let own = &mut self.organisations[organisation.0 as usize];
        if let Some(session) = own.sessions.get_mut(session) {
            session.replay.get_or_insert_default().expected += count;
        }
    }

    /// Puts a SUBACK where it leaves at the right moment: with the retained messages of its own SUBSCRIBE if nothing
    /// else is under way, and never before one that is held already. Gives back what may leave at once.
    pub(crate) fn hold_suback(
        &mut self,
        organisation: OrganisationId,
        session: SessionId,
        suback: Vec<u8>,
        replays: &[ReplayRequest],
    ) -> Option<Vec<u8>> {
        let own = &mut self.organisations[organisation.0 as usize];
        let replay = own.sessions.get_mut(session).and_then(|session| session.replay.as_mut());
        let Some(replay) = replay else { return Some(suback) };
        let begins = !replays.is_empty() && replay.is_idle();
        if replay.suback.is_empty() && !begins {
            return Some(suback);
        }
        replay.suback.extend(suback);
        (replay.suback.len() > SUBACK_BYTES_HELD_MAX).then(|| std::mem::take(&mut replay.suback))
    }

    pub(crate) fn begin_replays(
        &mut self,
        now: Now,
        organisation: OrganisationId,
        session: SessionId,
        requests: Vec<ReplayRequest>,
        effects: &mut Effects,
    ) {
        let own = &mut self.organisations[organisation.0 as usize];
        let Some(target) = own.sessions.get_mut(session) else { return };
        let replay = target.replay.get_or_insert_default();
        replay.expected = replay.expected.saturating_sub(requests.len());
        replay.waiting.extend(requests);
        self.continue_replay(now, organisation, session.index, effects);
    }

    /// Sends what was found as far as there is room, and orders the next pieces when all of it is sent.
    pub(crate) fn continue_replay(
        &mut self,
        now: Now,
        organisation: OrganisationId,
        session: u32,
        effects: &mut Effects,
    ) {
        let mut visits = VISITS_MAX;
        loop {
            self.send_held_suback(organisation, session, effects);
            if !self.send_found(now, organisation, session, effects) {
                return;
            }
            let own = &mut self.organisations[organisation.0 as usize];
            let Some(target) = own.sessions.at(session) else { return };
            let id = target.id;
            let Some(replay) = target.replay.as_mut() else { return };
            let orders = match next(replay) {
                Next::Wait => return,
                Next::Acknowledge(suback) => {
                    if let Some(connection) = target.connection {
                        self.send_encoded(connection, &suback, effects);
                    }
                    continue;
                }
                Next::Done => {
                    target.replay = None;
                    if let Some(key) = target.key {
                        self.recorder(effects).write(&Record::Replayed { key });
                    }
                    return self.pump_queue(now, organisation, session, effects);
                }
                Next::Begin => self.begin_search(organisation, session),
                Next::Continue(shards, number) => {
                    let order = |shard| (shard, WalkOrder::Continue { number });
                    shards.into_iter().map(order).collect()
                }
            };
            for (shard, walk) in orders {
                // Here at once, until the work of a turn is done; the rest comes by mail like that of others, so that
                // everybody else has a turn in between.
                if shard == self.shard && visits > 0 {
                    visits = visits.saturating_sub(VISITS_OF_AN_ORDER);
                    if let Some(found) = self.walk(now, (self.shard, organisation), &walk, &mut visits) {
                        self.accept_found(organisation, (self.shard, id), found);
                    }
                } else {
                    effects.to(shard).push(ShardMessage::Walk { organisation, session: id, walk });
                }
            }
        }
    }

    /// Takes as many requests as one search may have; the order for each shard that may keep what they ask for.
    fn begin_search(&mut self, organisation: OrganisationId, session: u32) -> Vec<(ShardId, WalkOrder)> {
        let number = self.walks_asked + 1;
        let Organisation { sessions, routes, .. } = &mut self.organisations[organisation.0 as usize];
        let Some(target) = sessions.at(session) else { return Vec::new() };
        let Some(mut replay) = target.replay.take() else { return Vec::new() };
        let mut filters = Vec::new();
        let mut bytes = 0;
        while filters.len() < REQUESTS_PER_SEARCH_MAX
            && bytes < FILTER_BYTES_PER_SEARCH_MAX
            && let Some(request) = replay.waiting.pop_front()
        {
            if !request.is_wanted(target) {
                continue;
            }
            let filter = routes.tree().path(request.node);
            if request.is_for(self.seed, &filter) {
                bytes += filter.len();
                filters.push(filter);
                replay.current.push(request);
            }
        }
        let mut orders: Vec<(ShardId, Vec<WalkFilter>)> =
            (0..self.shards).map(|shard| (ShardId(shard), Vec::new())).collect();
        for (place, filter) in filters.into_iter().enumerate() {
            let filter = WalkFilter { request: place as u32, filter: filter.into() };
            if filter.filter.contains(['+', '#']) {
                orders.iter_mut().for_each(|(_, filters)| filters.push(filter.clone()));
            } else {
                // Only one shard can have what it asks for.
                let keeper = self.owner_of_topic(organisation, &filter.filter);
                orders[usize::from(keeper.0)].1.push(filter);
            }
        }
        orders.retain(|(_, filters)| !filters.is_empty());
        self.walks_asked = number;
        replay.number = number;
        replay.unsubscribed = false;
        replay.walks = orders.iter().map(|&(shard, _)| RemoteWalk { shard, awaited: true, at: 0 }).collect();
        if let Some(target) = self.organisations[organisation.0 as usize].sessions.at(session) {
            target.replay = Some(replay);
        }
        orders.into_iter().map(|(shard, filters)| (shard, WalkOrder::Begin { number, filters })).collect()
    }

    /// The SUBACK goes before what was found.
    fn send_held_suback(&mut self, organisation: OrganisationId, session: u32, effects: &mut Effects) {
        let own = &mut self.organisations[organisation.0 as usize];
        if let Some(target) = own.sessions.at(session)
            && let Some(connection) = target.connection
            && let Some(replay) = target.replay.as_mut()
            && !replay.found.is_empty()
            && !replay.suback.is_empty()
        {
            let suback = std::mem::take(&mut replay.suback);
            self.send_encoded(connection, &suback, effects);
        }
    }

    /// Whether everything that was found is sent.
    fn send_found(
        &mut self,
        now: Now,
        organisation: OrganisationId,
        session: u32,
        effects: &mut Effects,
    ) -> bool {
        let mut courier = self.courier(now, organisation, effects);
        loop {
            let Some(target) = courier.sessions.at(session) else { return false };
            let Some(connection) = target.connection.and_then(|id| courier.connections.get(id)) else {
                return false;
            };
            let room = connection.outbound.len() < courier.limits.outbound_bytes_max / 2
                && target.window.has_room(connection.send_maximum);
            let Some(replay) = target.replay.as_mut() else { return false };
            if replay.found.is_empty() {
                return true;
            }
            if !room {
                return false;
            }
            let rechecks = replay.unsubscribed;
            let Some((place, stored)) = replay.found.pop_front() else { return true };
            let Some(&request) = replay.current.get(place as usize) else { continue };
            // [MQTT5-3.10.4-2] [MQTT3-3.10.4-2]
            let is_wanted = !rechecks || request.is_wanted(target);
            // The client may have been busy for longer than the message had to live. [MQTT5-3.3.2-5]
            if is_wanted && !stored.as_message().is_expired(now) {
                send_one(&mut courier, session, &stored, request);
            }
        }
    }

    /// Looks for retained messages on this shard; `None` when nobody wants an answer.
    pub(crate) fn walk(
        &mut self,
        now: Now,
        (asked_by, organisation): (ShardId, OrganisationId),
        order: &WalkOrder,
        visits: &mut usize,
    ) -> Option<Found> {
        let piece = (PIECE_MESSAGES / usize::from(self.shards)).max(PIECE_MESSAGES_MIN);
        let retained = &mut self.organisation(organisation).retained;
        let number = match order {
            WalkOrder::Begin { number, filters } => {
                retained.begin_walk(WalkId { asked_by, number: *number }, filters);
                *number
            }
            WalkOrder::Continue { number } => *number,
            WalkOrder::Abandon { number } => {
                retained.abandon_walk(WalkId { asked_by, number: *number });
                return None;
            }
        };
        let mut messages = Vec::new();
        let state = retained.step(WalkId { asked_by, number }, now, piece, visits, &mut messages);
        Some(Found { number, state, messages })
    }

    /// An answer to the search that a session waits for.
    pub(crate) fn on_found(
        &mut self,
        now: Now,
        (organisation, from): (OrganisationId, ShardId),
        session: SessionId,
        found: Found,
        effects: &mut Effects,
    ) {
        if self.accept_found(organisation, (from, session), found) {
            self.continue_replay(now, organisation, session.index, effects);
        }
    }

    fn accept_found(
        &mut self,
        organisation: OrganisationId,
        (from, session): (ShardId, SessionId),
        found: Found,
    ) -> bool {
        let session = self.organisation(organisation).sessions.get_mut(session);
        let Some(replay) = session.and_then(|session| session.replay.as_mut()) else { return false };
        // Of a search that was given up meanwhile there is nothing to accept.
        let awaited = |walk: &&mut RemoteWalk| walk.awaited && walk.shard == from;
        let walk = replay.walks.iter_mut().find(awaited).filter(|_| replay.number == found.number);
        let Some(walk) = walk else { return false };
        match found.state {
            WalkState::More { at } => (walk.awaited, walk.at) = (false, at),
            WalkState::Complete => replay.walks.retain(|walk| walk.shard != from),
        }
        replay.found.extend(found.messages);
        true
    }

    /// The connection is gone: what was not sent is looked for again when the client comes back.
    pub(crate) fn suspend_replay(
        &mut self,
        organisation: OrganisationId,
        session: SessionId,
        effects: &mut Effects,
    ) {
        let Some(replay) = self.abandon_replay(organisation, session, effects) else { return };
        let mut waiting = replay.unfulfilled();
        waiting.retain(ReplayRequest::is_promised);
        let own = &mut self.organisations[organisation.0 as usize];
        if let Some(session) = own.sessions.get_mut(session)
            && session.is_durable()
            && !waiting.is_empty()
        {
            // A SUBACK of this connection is none of the next.
            session.replay = Some(Box::new(Replay { waiting, ..Replay::default() }));
        }
    }

    /// Gives the replay up, wherever it searches; what was left of it.
    pub(crate) fn abandon_replay(
        &mut self,
        organisation: OrganisationId,
        session: SessionId,
        effects: &mut Effects,
    ) -> Option<Box<Replay>> {
        let own = self.organisation(organisation);
        let replay = own.sessions.get_mut(session)?.replay.take()?;
        let number = replay.number;
        for &RemoteWalk { shard, awaited, .. } in &replay.walks {
            if shard == self.shard && !awaited {
                self.organisation(organisation).retained.abandon_walk(WalkId { asked_by: shard, number });
            } else {
                // By the way that the order took, so that it comes after it.
                let walk = WalkOrder::Abandon { number };
                effects.to(shard).push(ShardMessage::Walk { organisation, session, walk });
            }
        }
        Some(replay)
    }
}

fn send_one(courier: &mut Courier<'_>, session: u32, stored: &Arc<StoredMessage>, request: ReplayRequest) {
    let mut keep = Keepable::of(stored);
    let identifiers = [request.identifier];
    let manner = Manner {
        qos: request.qos.min(keep.message.qos),
        // [MQTT5-3.3.1-8]
        retain: true,
        identifiers: if request.identifier == 0 { &[] } else { &identifiers },
        group: None,
    };
    courier.send_now(session, &mut keep, manner);
}

/// What to do when all that was found is sent.
fn next(replay: &mut Replay) -> Next {
    let pausing = replay.walks.iter_mut().filter(|walk| !walk.awaited);
    let shards: Vec<ShardId> = pausing
        .map(|walk| {
            walk.awaited = true;
            walk.shard
        })
        .collect();
    if !shards.is_empty() {
        return Next::Continue(shards, replay.number);
    }
    if !replay.walks.is_empty() {
        return Next::Wait;
    }
    let finished = !replay.current.is_empty();
    replay.current.clear();
    if !replay.suback.is_empty() && (finished || replay.waiting.is_empty()) {
        return Next::Acknowledge(std::mem::take(&mut replay.suback));
    }
    match (replay.waiting.is_empty(), replay.expected) {
        (false, _) => Next::Begin,
        (true, 0) => Next::Done,
        _ => Next::Wait,
    }
}

/// What one piece of a search found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// As the order had it.
    pub(crate) number: u64,
    /// Whether there is more to go on with.
    pub(crate) state: WalkState,
    pub(crate) messages: Vec<FoundMessage>,
}

/// What going on with a search costs, in visits of nodes.
const VISITS_OF_AN_ORDER: usize = 16;
