//! One message to everybody who wants it: sessions here, other shards, shared subscriptions, the retained store.

use tidegate_mqtt::QoS;
use tidegate_observe::DropReason;

use crate::core::{Core, Timer, owner_of_client};
use crate::courier::{Courier, Delivered};
use crate::delivery::{Manner, Sharing};
use crate::durable::record::Record;
use crate::durable::recorder::recorder;
use crate::durable::spread::Had;
use crate::effects::Effects;
use crate::group::{Group, GroupKey, Groups, Member};
use crate::identifiers::{OrganisationId, SessionId, ShardId, Ticket};
use crate::message::{Keepable, Message};
use crate::organisation::Organisation;
use crate::retained::{Retained, Stored};
use crate::routes::Routes;
use crate::shards::{Batch, Errand, ForMember, ReceiptAddress};
use crate::time::Now;

/// What has to happen before the publisher may be told that its message is safe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Routed {
    /// A record of this shard has to be durable.
    pub(crate) ticket: Option<Ticket>,
    /// So many other shards have to say that theirs are.
    pub(crate) receipts: u32,
    /// Who had it before a crash.
    pub(crate) had: Option<Had>,
    /// Somebody had a matching subscription.
    pub(crate) matched: bool,
}

/// What an errand of another shard led to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ErrandDone {
    /// A record of this shard has to be durable.
    pub(crate) durable: bool,
    /// The message went on to another shard, and the duty to send the receipt with it.
    pub(crate) receipt_went_on: bool,
}

/// Where a message comes from.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Origin {
    /// The slot of the publisher's session, for No Local. A session's messages always enter on its own shard.
    pub(crate) publisher: Option<u32>,
    /// Where receipts of other shards go; `None` if nobody waits.
    pub(crate) receipt: Option<ReceiptAddress>,
    /// Who had it before a crash.
    pub(crate) had: Option<Had>,
}

/// The parts of the core that handing out one message needs.
struct Parts<'a> {
    courier: Courier<'a>,
    groups: &'a mut Groups,
    retained: &'a mut Retained,
    to_shards: &'a mut Vec<Batch>,
    organisation: OrganisationId,
    shard: ShardId,
    seed: u64,
}

impl Core {
    /// Routes a message that entered on this shard.
    #[inline]
    pub(crate) fn route(
        &mut self,
        now: Now,
        organisation: OrganisationId,
        message: Message<'_>,
        origin: Origin,
        effects: &mut Effects,
    ) -> Routed {
        let keeper = message.retain.then(|| self.owner_of_topic(organisation, message.topic));
        let shard = self.shard;
        let (mut parts, routes) = self.parts(now, organisation, effects);
        let route = routes.of(message.topic);
        let mut routed = Routed { matched: !route.is_empty(), had: origin.had, ..Routed::default() };
        let mut keep = Keepable::new(message);
        let mut durable = parts.deliver_here(route, &mut keep, origin.publisher, origin.had);
        for &group in &route.groups {
            durable |= parts.deliver_to_group(group, &mut keep, 0, origin.receipt, &mut routed.receipts);
        }
        let kept_elsewhere = keeper.filter(|&keeper| keeper != shard);
        if route.remote != 0 || kept_elsewhere.is_some() {
            let remote = (route.remote, route.remote_durable);
            parts.forward(&keep.message, remote, kept_elsewhere, origin.receipt, &mut routed.receipts);
        }
        let mut timer = None;
        if keeper == Some(shard) {
            durable |= parts.store_retained(&mut keep, &mut timer);
        }
        self.arm_retained(now, timer);
        if durable {
            routed.ticket = Some(self.ticket(effects));
        }
        routed
    }

    /// Delivers a message that entered on another shard.
    pub(crate) fn run_errand(
        &mut self,
        now: Now,
        organisation: OrganisationId,
        message: Message<'_>,
        errand: Errand,
        effects: &mut Effects,
    ) -> ErrandDone {
        let (mut parts, routes) = self.parts(now, organisation, effects);
        let mut keep = Keepable::new(message);
        let mut durable = false;
        if errand.route {
            let publication = errand.receipt.and_then(|receipt| receipt.publication);
            let had = publication.and_then(|publication| publication.had);
            durable |= parts.deliver_here(routes.of(message.topic), &mut keep, None, had);
        }
        let mut receipts = 0;
        if let Some(member) = errand.member {
            durable |= parts.deliver_to_member_here(member, &mut keep, errand.receipt, &mut receipts);
        }
        let mut timer = None;
        if errand.retain {
            durable |= parts.store_retained(&mut keep, &mut timer);
        }
        self.arm_retained(now, timer);
        ErrandDone { durable, receipt_went_on: receipts > 0 }
    }

    /// Gives a message of a shared subscription to another member, because the one that had it is gone, unless its
    /// time is over: for this member its delivery has not begun. [MQTT5-3.3.2-5]
    pub(crate) fn redistribute(
        &mut self,
        now: Now,
        organisation: OrganisationId,
        group: GroupKey,
        keep: &mut Keepable<'_>,
        effects: &mut Effects,
    ) {
        let (mut parts, _) = self.parts(now, organisation, effects);
        if keep.message.is_expired(now) {
            return parts.courier.counters.drop_one(DropReason::Expired);
        }
        parts.courier.encoder.begin(Sharing::Copy);
        let mut receipts = 0;
        if parts.deliver_to_group(group, keep, 0, None, &mut receipts) {
            self.ticket(effects);
        }
    }

    /// What handing out a message of one organisation needs.
    #[inline]
    fn parts<'a>(
        &'a mut self,
        now: Now,
        organisation: OrganisationId,
        effects: &'a mut Effects,
    ) -> (Parts<'a>, &'a mut Routes) {
        let (shard, seed) = (self.shard, self.seed);
        let own = &mut self.organisations[organisation.0 as usize];
        let Organisation { routes, groups, sessions, retained, usage, counters, .. } = own;
        let courier = Courier {
            now,
            organisation,
            connections: &mut self.connections,
            sessions,
            encoder: &mut self.encoder,
            pool: &mut self.pool,
            limits: &self.limits,
            allowance: &mut usage.queued_bytes,
            counters,
            cache: &mut self.queue_cache,
            reading: &mut self.reading,
            recorder: recorder!(self, effects),
            persisted: self.persisted,
            awaiting_identifiers: &mut self.awaiting_identifiers,
            dirty: &mut effects.write,
        };
        let to_shards = &mut effects.to_shards;
        (Parts { courier, groups, retained, to_shards, organisation, shard, seed }, routes)
    }

    /// What sending to sessions of one organisation needs.
    pub(crate) fn courier<'a>(
        &'a mut self,
        now: Now,
        organisation: OrganisationId,
        effects: &'a mut Effects,
    ) -> Courier<'a> {
        self.parts(now, organisation, effects).0.courier
    }

    fn arm_retained(&mut self, now: Now, timer: Option<(u64, Timer)>) {
        if let Some((deadline, timer)) = timer {
            self.arm(now, deadline, timer);
        }
    }
}

impl Parts<'_> {
    /// Copies for every session of this shard; whether one of them has to be durable.
    #[inline]
    fn deliver_here(
        &mut self,
        route: &crate::routes::Route,
        keep: &mut Keepable<'_>,
        publisher: Option<u32>,
        had: Option<Had>,
    ) -> bool {
        let sharing = if route.recipients.len() > 1 { Sharing::Share } else { Sharing::Copy };
        self.courier.encoder.begin(sharing);
        let (qos, retain) = (keep.message.qos, keep.message.retain);
        let mut durable = false;
        for recipient in &route.recipients {
            if had.is_some_and(|had| self.has_it(had, recipient.session)) {
                continue;
            }
            let granted = if publisher == Some(recipient.session) {
                // [MQTT5-3.8.3-3]
                let Some(granted) = recipient.qos_of_own else { continue };
                granted
            } else {
                recipient.qos
            };
            let manner = Manner {
                qos: granted.min(qos),
                retain: retain && recipient.retain_as_published,
                identifiers: route.identifiers(recipient),
                group: None,
            };
            durable |= self.courier.deliver(recipient.session, keep, manner) == Delivered::Durable;
        }
        durable
    }

    /// Whether a session got its copy before a crash.
    fn has_it(&mut self, had: Had, session: u32) -> bool {
        let (seed, organisation) = (self.seed, self.organisation);
        self.courier.sessions.at(session).is_some_and(|session| {
            had.has(owner_of_client(seed, had.shards, organisation, &session.client_identifier))
        })
    }

    /// One copy for one member of a group; whether this shard has to make it durable.
    fn deliver_to_group(
        &mut self,
        key: GroupKey,
        keep: &mut Keepable<'_>,
        hops: u8,
        receipt: Option<ReceiptAddress>,
        receipts: &mut u32,
    ) -> bool {
        let Some(group) = self.groups.get_mut(key) else {
            // The last member left while the message was on its way to another one.
            self.courier.counters.drop_one(DropReason::NoReader);
            return false;
        };
        let Some(member) = choose((key, group), &mut self.courier, self.shard, keep.message.qos) else {
            self.courier.counters.drop_one(DropReason::NoReader);
            return false;
        };
        let for_member = ForMember {
            group: key,
            session: member.session,
            qos: member.qos,
            identifier: member.identifier,
            retain_as_published: member.retain_as_published,
            hops,
        };
        if member.shard == self.shard {
            return self.hand_to(for_member, keep);
        }
        let durable = member.durable && member.qos.min(keep.message.qos) > QoS::AtMostOnce;
        let receipt = receipt.filter(|_| durable);
        *receipts += u32::from(receipt.is_some());
        let errand = Errand { route: false, retain: false, member: Some(for_member), receipt };
        let batch = &mut self.to_shards[usize::from(member.shard.0)];
        batch.push_publish(self.organisation, &keep.message, errand);
        false
    }

    /// A message for a member here that another shard chose. The member may have left meanwhile, or have its
    /// hands full: then another one gets it, a bounded number of times.
    fn deliver_to_member_here(
        &mut self,
        member: ForMember,
        keep: &mut Keepable<'_>,
        receipt: Option<ReceiptAddress>,
        receipts: &mut u32,
    ) -> bool {
        self.courier.encoder.begin(Sharing::Copy);
        let last_hop = member.hops >= MEMBER_HOPS_MAX;
        match room(&mut self.courier, member.session, member.group) {
            Room::Gone if last_hop => {
                self.courier.counters.drop_one(DropReason::NoReader);
                false
            }
            Room::Busy | Room::Gone if !last_hop => {
                self.deliver_to_group(member.group, keep, member.hops + 1, receipt, receipts)
            }
            _ => self.hand_to(member, keep),
        }
    }

    fn hand_to(&mut self, member: ForMember, keep: &mut Keepable<'_>) -> bool {
        let identifiers = [member.identifier];
        let manner = Manner {
            qos: member.qos.min(keep.message.qos),
            retain: keep.message.retain && member.retain_as_published,
            identifiers: if member.identifier == 0 { &[] } else { &identifiers },
            group: Some(member.group),
        };
        self.courier.deliver(member.session.index, keep, manner) == Delivered::Durable
    }

    /// Sends the message to the shards that want it, and to the one that keeps the topic's retained message.
    fn forward(
        &mut self,
        message: &Message<'_>,
        (remote, remote_durable): (u64, u64),
        keeper: Option<ShardId>,
        receipt: Option<ReceiptAddress>,
        receipts: &mut u32,
    ) {
        let mut shards = remote | keeper.map_or(0, |keeper| 1 << keeper.0);
        while shards != 0 {
            let shard = ShardId(shards.trailing_zeros() as u8);
            let bit = 1u64 << shard.0;
            shards &= !bit;
            let retain = keeper == Some(shard);
            let durable = retain || (remote_durable & bit != 0 && message.qos > QoS::AtMostOnce);
            let receipt = receipt.filter(|_| durable);
            *receipts += u32::from(receipt.is_some());
            let errand = Errand { route: remote & bit != 0, retain, member: None, receipt };
            self.to_shards[usize::from(shard.0)].push_publish(self.organisation, message, errand);
        }
    }

    /// Makes the message its topic's retained one; whether that has to be durable. What the server says of itself is
    /// said anew after a restart.
    fn store_retained(&mut self, keep: &mut Keepable<'_>, timer: &mut Option<(u64, Timer)>) -> bool {
        let now = self.courier.now;
        let organisation = self.organisation.0;
        match self.retained.store(keep, self.courier.limits) {
            // Whoever removed it may still wait to be told.
            Stored::Removed(false) => return *self.courier.recorder.last_ticket > self.courier.persisted,
            Stored::Removed(true) => {
                let topic = keep.message.topic;
                self.courier.recorder.write(&Record::Unretained { organisation, topic });
                return true;
            }
            Stored::Full => {
                self.courier.counters.drop_one(DropReason::RetainedFull);
                return false;
            }
            Stored::Done => {}
            Stored::ArmTimer(node, number, at) => {
                let deadline = now.mono_ms + at.saturating_sub(now.unix_ms);
                *timer = Some((deadline, Timer::Retained(self.organisation, node, number)));
            }
        }
        let is_durable = !keep.message.topic.starts_with('$');
        if is_durable {
            self.courier.recorder.write(&Record::Retained { organisation, message: keep.message });
        }
        is_durable
    }
}

/// The member whose turn it is, passing over those that are away or have their hands full. If all are, the
/// message waits for a connected one, else for one that comes back.
fn choose(
    (key, group): (GroupKey, &mut Group),
    courier: &mut Courier<'_>,
    shard: ShardId,
    qos: QoS,
) -> Option<Member> {
    let (mut busy, mut away) = (None, None);
    for member in group.in_turn() {
        if !member.connected {
            if member.durable && member.qos.min(qos) > QoS::AtMostOnce && away.is_none() {
                away = Some(*member);
            }
            continue;
        }
        // A remote member's room is not known here; its shard queues what it cannot send.
        if member.shard != shard || room(courier, member.session, key) == Room::Free {
            return Some(*member);
        }
        busy = busy.or(Some(*member));
    }
    busy.or(away)
}

/// Whether a session of this shard can take one more message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Free,
    /// Away, or its hands are full.
    Busy,
    Gone,
}

fn room(courier: &mut Courier<'_>, session: SessionId, group: GroupKey) -> Room {
    let Some(session) = courier.sessions.get_mut(session) else { return Room::Gone };
    // It unsubscribed before the shard that chose it knew. [MQTT5-3.10.4-2]
    if !session.groups.contains(&group) {
        return Room::Gone;
    }
    let Some(connection) = session.connection.and_then(|id| courier.connections.get(id)) else {
        return Room::Busy;
    };
    let free = connection.outbound.len() < courier.limits.outbound_bytes_max
        && session.queue.is_empty()
        && session.window.has_room(connection.send_maximum);
    if free { Room::Free } else { Room::Busy }
}

/// How often a message of a shared subscription follows members that leave, before it counts as unread.
const MEMBER_HOPS_MAX: u8 = 4;
