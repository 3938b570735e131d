//! Sending retained messages for new subscriptions (section 3.3.1.3), a piece at a time, from every shard that
//! may keep some.

use std::sync::Arc;

use tidegate_mqtt::{QoS, TopicFilter};

use crate::core::Core;
use crate::delivery::{Courier, Manner};
use crate::effects::Effects;
use crate::identifiers::{OrganisationId, SessionId, ShardId};
use crate::message::{Keepable, StoredMessage};
use crate::replay::{PIECE_MESSAGES, RemoteWalk, Replay, ReplayRequest};
use crate::retained::{VISITS_MAX, WalkId, WalkState};
use crate::shards::{ShardMessage, WalkOrder};
use crate::time::Now;

/// What a replay needs next.
enum Next {
    /// Nothing before the client or another shard did something.
    Wait,
    /// An order for a shard.
    Ask(ShardId, WalkOrder),
    /// A SUBACK whose subscriptions have no retained messages.
    Acknowledge(Vec<u8>),
    /// The replay is over.
    Done,
}

impl Core {
    /// A SUBSCRIBE asked for retained messages: nothing else may be sent to the session before them.
    pub(crate) fn expect_replays(&mut self, organisation: OrganisationId, session: SessionId) {
        let own = &mut self.organisations[organisation.0 as usize];
        if let Some(session) = own.sessions.get_mut(session) {
            session.replay.get_or_insert_default().unacknowledged += 1;
        }
    }

    /// Puts a SUBACK where it leaves at the right moment: with the retained messages of its own SUBSCRIBE if nothing
    /// else is under way, and never before one that is held already. Gives it back if it may leave at once.
    pub(crate) fn hold_suback(
        &mut self,
        organisation: OrganisationId,
        session: SessionId,
        suback: Vec<u8>,
        replays: &mut [ReplayRequest],
    ) -> Option<Vec<u8>> {
        let own = &mut self.organisations[organisation.0 as usize];
        let replay = own.sessions.get_mut(session).and_then(|session| session.replay.as_mut());
        let requests = replay.map(|replay| &mut replay.requests);
        let under_way = requests.as_ref().is_some_and(|requests| !requests.is_empty());
        let held =
            requests.and_then(|requests| requests.iter_mut().rev().find(|other| !other.suback.is_empty()));
        match (held, replays.first_mut()) {
            (Some(earlier), None) => earlier.suback.extend(suback),
            (None, Some(own)) if !under_way => own.suback = suback,
            (Some(_), Some(own)) => own.suback = suback,
            _ => return Some(suback),
        }
        None
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
        replay.unacknowledged = replay.unacknowledged.saturating_sub(1);
        replay.requests.extend(requests);
        self.continue_replay(now, organisation, session.index, effects);
    }

    /// Sends what was found as far as there is room, and orders the next piece when all of it is sent.
    pub(crate) fn continue_replay(
        &mut self,
        now: Now,
        organisation: OrganisationId,
        session: u32,
        effects: &mut Effects,
    ) {
        let mut visits = VISITS_MAX;
        loop {
            if !self.send_found(now, organisation, session, effects) {
                return;
            }
            let (shards, keeper) = (self.shards, self.keeper_of_next(organisation, session));
            let number = self.walks_asked + 1;
            let own = &mut self.organisations[organisation.0 as usize];
            let Some(target) = own.sessions.at(session) else { return };
            let id = target.id;
            let Some(replay) = target.replay.as_mut() else { return };
            match next(replay, keeper, shards, number) {
                Next::Wait => return,
                Next::Acknowledge(suback) => {
                    if let Some(connection) = target.connection {
                        self.send_encoded(connection, &suback, effects);
                    }
                }
                Next::Done => {
                    target.replay = None;
                    return self.pump_queue(now, organisation, session, effects);
                }
                Next::Ask(shard, walk) => {
                    self.walks_asked = number;
                    // Here at once, until the work of a turn is done; the rest comes by mail like that of others,
                    // so that everybody else has a turn in between.
                    if shard != self.shard || visits == 0 {
                        return effects.to(shard).push(ShardMessage::Walk {
                            organisation,
                            session: id,
                            walk,
                        });
                    }
                    visits = visits.saturating_sub(VISITS_OF_AN_ORDER);
                    if let Some(found) = self.walk(now, (self.shard, organisation), walk, &mut visits) {
                        self.accept_found(organisation, id, found);
                    }
                }
            }
        }
    }

    /// The only shard that can have what the next request asks for, if its filter names one topic.
    fn keeper_of_next(&mut self, organisation: OrganisationId, session: u32) -> Option<ShardId> {
        let own = &mut self.organisations[organisation.0 as usize];
        let replay = own.sessions.at(session)?.replay.as_ref()?;
        let next = replay.requests.get(usize::from(replay.started))?;
        let filter = next.filter.clone();
        (!filter.contains(['+', '#'])).then(|| self.owner_of_topic(organisation, &filter))
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
            let Some(request) = replay.requests.front_mut() else { return true };
            if replay.found.is_empty() {
                return true;
            }
            if !room {
                return false;
            }
            if !request.suback.is_empty() {
                let suback = std::mem::take(&mut request.suback);
                connection.outbound.buffer(courier.pool).extend_from_slice(&suback);
                courier.counters.packets_sent += 1;
            }
            let (qos, identifier) = (request.qos, request.identifier);
            let Some(stored) = replay.found.pop_front() else { return true };
            // The client may have been busy for longer than the message had to live. [MQTT5-3.3.2-5]
            if stored.as_message().is_expired(now) {
                continue;
            }
            send_one(&mut courier, session, &stored, qos, identifier);
        }
    }

    /// Looks for retained messages on this shard; `None` when nobody wants an answer.
    pub(crate) fn walk(
        &mut self,
        now: Now,
        (asked_by, organisation): (ShardId, OrganisationId),
        order: WalkOrder,
        visits: &mut usize,
    ) -> Option<Found> {
        let retained = &mut self.organisation(organisation).retained;
        let number = match order {
            WalkOrder::Begin { number, filter } => {
                if let Ok(filter) = TopicFilter::new(&filter) {
                    retained.begin_walk(WalkId { asked_by, number }, filter);
                }
                number
            }
            WalkOrder::Continue { number } => number,
            WalkOrder::Abandon { number } => {
                retained.abandon_walk(WalkId { asked_by, number });
                return None;
            }
        };
        let mut messages = Vec::new();
        let state = retained.step(WalkId { asked_by, number }, now, PIECE_MESSAGES, visits, &mut messages);
        Some(Found { number, more: state == WalkState::More, messages })
    }

    /// An answer to the walk that a session waits for.
    pub(crate) fn on_found(
        &mut self,
        now: Now,
        (organisation, session): (OrganisationId, SessionId),
        found: Found,
        effects: &mut Effects,
    ) {
        if self.accept_found(organisation, session, found) {
            self.continue_replay(now, organisation, session.index, effects);
        }
    }

    fn accept_found(&mut self, organisation: OrganisationId, session: SessionId, found: Found) -> bool {
        let session = self.organisation(organisation).sessions.get_mut(session);
        let Some(replay) = session.and_then(|session| session.replay.as_mut()) else { return false };
        // Of a walk that was given up meanwhile there is nothing to accept.
        let awaited = replay.walk.filter(|walk| walk.awaited && walk.number == found.number);
        let Some(walk) = awaited else { return false };
        replay.walk = found.more.then_some(RemoteWalk { awaited: false, ..walk });
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
        let mut requests = self.abandon_replay(organisation, session, effects);
        // Nobody was promised QoS 0.
        requests.retain(|request| request.qos > QoS::AtMostOnce);
        // A SUBACK of this connection is none of the next.
        requests.iter_mut().for_each(|request| request.suback = Vec::new());
        let own = &mut self.organisations[organisation.0 as usize];
        if let Some(session) = own.sessions.get_mut(session)
            && session.is_durable()
            && !requests.is_empty()
        {
            session.replay = Some(Box::new(Replay { requests: requests.into(), ..Replay::default() }));
        }
    }

    /// Gives the replay up, wherever it searches; the wishes that are not fulfilled.
    pub(crate) fn abandon_replay(
        &mut self,
        organisation: OrganisationId,
        session: SessionId,
        effects: &mut Effects,
    ) -> Vec<ReplayRequest> {
        let own = self.organisation(organisation);
        let Some(replay) = own.sessions.get_mut(session).and_then(|session| session.replay.take()) else {
            return Vec::new();
        };
        if let Some(RemoteWalk { shard, number, awaited }) = replay.walk {
            let walk = WalkOrder::Abandon { number };
            if shard == self.shard && !awaited {
                self.organisation(organisation).retained.abandon_walk(WalkId { asked_by: shard, number });
            } else {
                // By the way that the order took, so that it comes after it.
                effects.to(shard).push(ShardMessage::Walk { organisation, session, walk });
            }
        }
        replay.requests.into()
    }
}

fn send_one(courier: &mut Courier<'_>, session: u32, stored: &Arc<StoredMessage>, qos: QoS, identifier: u32) {
    let mut keep = Keepable::of(stored);
    let identifiers = [identifier];
    let manner = Manner {
        qos: qos.min(keep.message.qos),
        // [MQTT5-3.3.1-8]
        retain: true,
        identifiers: if identifier == 0 { &[] } else { &identifiers },
        group: None,
    };
    courier.send_now(session, &mut keep, manner);
}

/// What to do when all that was found is sent; a new walk gets the number `number`.
fn next(replay: &mut Replay, keeper: Option<ShardId>, shards: u8, number: u64) -> Next {
    loop {
        if let Some(walk) = &mut replay.walk {
            if walk.awaited {
                return Next::Wait;
            }
            walk.awaited = true;
            return Next::Ask(walk.shard, WalkOrder::Continue { number: walk.number });
        }
        if let Some(shard) = replay.shards.pop() {
            let Some(request) = replay.requests.front() else { return Next::Done };
            replay.walk = Some(RemoteWalk { shard, number, awaited: true });
            return Next::Ask(shard, WalkOrder::Begin { number, filter: request.filter.clone() });
        }
        if replay.started
            && let Some(finished) = replay.requests.pop_front()
        {
            replay.started = false;
            if !finished.suback.is_empty() {
                match replay.requests.front_mut() {
                    // The next filter of the same SUBSCRIBE may still have something.
                    Some(next) if next.suback.is_empty() => next.suback = finished.suback,
                    _ => return Next::Acknowledge(finished.suback),
                }
            }
        }
        if replay.requests.is_empty() {
            return if replay.unacknowledged > 0 { Next::Wait } else { Next::Done };
        }
        replay.started = true;
        match keeper {
            Some(keeper) => replay.shards.push(keeper),
            None => replay.shards.extend((0..shards).map(ShardId)),
        }
    }
}

/// What one piece of a walk found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// As the order had it.
    pub(crate) number: u64,
    /// Whether there is more to go on with.
    pub(crate) more: bool,
    pub(crate) messages: Vec<Arc<StoredMessage>>,
}

/// What beginning or going on with a walk costs, in visits of nodes.
const VISITS_OF_AN_ORDER: usize = 16;
