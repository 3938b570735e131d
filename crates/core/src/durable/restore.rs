//! What a recovery left → the state of a shard. Done before any client is let in; then every shard has told the others
//! what its sessions want, and [`Core::publish_restored_wills`] speaks for the clients that a crash cut off.

use std::sync::Arc;

use tidegate_mqtt::{PacketIdentifier, QoS, SharedFilter, SubscriptionOptions, Version};

use crate::core::{Core, Timer};
use crate::durable::record::{AWAITS_RETAINED, Presence, Record, SessionKey};
use crate::durable::recovery::{QueueDraft, Restored, SessionDraft, WillDraft};
use crate::effects::Effects;
use crate::group::{GroupKey, Member};
use crate::identifiers::{OrganisationId, SessionId};
use crate::message::{Keepable, StoredMessage};
use crate::queue::{Content, Queued};
use crate::replay::ReplayRequest;
use crate::retained::Stored;
use crate::session::SessionExpiry;
use crate::shards::ShardMessage;
use crate::subscription::{Subscription, weight};
use crate::time::Now;
use crate::will::PendingWill;
use crate::window::{Awaiting, Exchange, Window};

impl Core {
    /// Takes over what was there before a restart. Effects tell the other shards; nothing is sent to anybody else.
    pub fn restore(&mut self, now: Now, restored: Restored, effects: &mut Effects) {
        self.numbers.begin_after(restored.highest);
        for (key, draft) in restored.sessions {
            self.restore_session(now, key, draft, effects);
        }
        for (organisation, message) in restored.retained {
            self.restore_retained(now, organisation, &message);
        }
        for will in restored.wills {
            self.restore_will(now, will);
        }
    }

    /// Publishes the Wills of clients whose sessions ended with the process, and those that are due.
    pub fn publish_restored_wills(&mut self, now: Now, effects: &mut Effects) {
        for (organisation, will) in std::mem::take(&mut self.restored_wills) {
            self.publish_will(now, organisation, None, &will, effects);
        }
    }

    fn restore_session(&mut self, now: Now, key: SessionKey, draft: SessionDraft, effects: &mut Effects) {
        let organisation = draft.organisation;
        let limits = self.limits.clone();
        self.organisation(organisation);
        let (own, cache) = (&mut self.organisations[organisation.0 as usize], &mut self.queue_cache);
        if own.sessions.find(&draft.client_identifier).is_some() {
            return;
        }
        own.usage.sessions.settle(own.usage.sessions.used() + 1);
        let window: Vec<_> = draft.window.into_iter().filter_map(exchange).collect();
        own.counters.queued += window.len() as u64;
        let session = own.sessions.open(&draft.client_identifier);
        let id = session.id;
        session.key = Some(key);
        session.expiry = SessionExpiry(draft.presence.expiry_secs);
        session.awaiting_release = draft.awaiting_release;
        session.half_taken = draft.half_taken;
        session.window = Window::restored(window);
        // A client that was connected is gone since now.
        let left_at_ms = draft.presence.left_at_ms.unwrap_or(now.unix_ms);
        let gone_ms = now.unix_ms.saturating_sub(left_at_ms);
        let left_ms = (u64::from(draft.presence.expiry_secs) * 1000).saturating_sub(gone_ms);
        session.expires_at_ms = now.mono_ms + left_ms;
        session.left_at_ms = left_at_ms;
        let (never, deadline, absence) = (session.expiry.never(), session.expires_at_ms, session.absence);
        let mut queue = std::mem::take(&mut session.queue);
        let QueueDraft { first, messages } = draft.queue;
        queue.restore(first, messages, &mut own.accounts(now, &limits, cache));
        if let Some(session) = own.sessions.get_mut(id) {
            session.queue = queue;
        }
        if !never {
            self.arm(now, deadline, Timer::SessionExpiry(organisation, id, absence));
        }
        for (filter, (options, identifier)) in draft.subscriptions {
            self.restore_subscription(organisation, id, &filter, (options, identifier), effects);
        }
        if draft.presence.left_at_ms.is_none() {
            let presence = Presence { left_at_ms: Some(left_at_ms), ..draft.presence };
            self.recorder(effects).write(&Record::Presence { key, presence });
        }
    }

    fn restore_subscription(
        &mut self,
        organisation: OrganisationId,
        id: SessionId,
        filter: &str,
        (options, identifier): (u8, u32),
        effects: &mut Effects,
    ) {
        let awaits_retained = options & AWAITS_RETAINED != 0;
        let options = SubscriptionOptions::from_u8(options & !AWAITS_RETAINED, Version::V5);
        let Ok(options) = options else { return };
        let own = &mut self.organisations[organisation.0 as usize];
        let Some(session) = own.sessions.get_mut(id) else { return };
        let shared = SharedFilter::parse(filter);
        if matches!(shared, Some(Err(_))) {
            return;
        }
        let plain = shared.and_then(Result::ok).map_or(filter, |shared| shared.filter.as_str());
        session.weight += weight(plain);
        own.counters.subscriptions += 1;
        own.usage.subscriptions.settle(own.usage.subscriptions.used() + weight(plain) as u64);
        match shared.and_then(Result::ok) {
            None => {
                let tree = own.routes.change();
                let node = tree.insert(filter);
                tree.value_mut(node).subscribe(Subscription::new(id.index, options, identifier), true);
                session.subscriptions.insert(node);
                if awaits_retained {
                    let request = ReplayRequest::new(self.seed, (filter, node), options.qos, identifier);
                    session.replay.get_or_insert_default().waiting.push_back(request);
                }
                self.announce(organisation, node, filter, effects);
            }
            Some(shared) => {
                let (filter, share_name) = (shared.filter.as_str(), shared.share_name);
                let key = GroupKey::new(self.seed, filter, share_name);
                session.groups.insert(key);
                own.counters.shared_subscriptions += 1;
                let member = Member {
                    shard: self.shard,
                    session: id,
                    qos: options.qos,
                    identifier,
                    retain_as_published: options.retain_as_published,
                    connected: false,
                    durable: true,
                };
                own.groups.join(own.routes.change(), key, (filter, share_name), member);
                for other in self.other_shards() {
                    let (filter, share_name) = (filter.into(), share_name.into());
                    effects.to(other).push(ShardMessage::Join { organisation, filter, share_name, member });
                }
            }
        }
    }

    fn restore_retained(&mut self, now: Now, organisation: OrganisationId, message: &Arc<StoredMessage>) {
        let limits = self.limits.clone();
        let own = self.organisation(organisation);
        let mut keep = Keepable::of(message);
        if keep.message.is_expired(now) {
            return;
        }
        if let Stored::ArmTimer(node, timer, at) = own.retained.store(&mut keep, &limits) {
            let deadline = now.mono_ms + at.saturating_sub(now.unix_ms);
            self.arm(now, deadline, Timer::Retained(organisation, node, timer));
        }
    }

    /// A Will waits for its delay, counted from when the client left, if its session can still come back.
    fn restore_will(&mut self, now: Now, draft: WillDraft) {
        let WillDraft { organisation, client_identifier, will } = draft;
        let own = self.organisation(organisation);
        let session = own.sessions.find(&client_identifier).and_then(|id| own.sessions.get_mut(id));
        let Some(session) = session.filter(|_| will.delay_secs > 0) else {
            return self.restored_wills.push((organisation, will));
        };
        let gone_ms = now.unix_ms.saturating_sub(session.left_at_ms);
        let due_ms = now.mono_ms + (u64::from(will.delay_secs) * 1000).saturating_sub(gone_ms);
        let timer = Timer::Will(organisation, session.id, session.absence);
        session.pending_will = Some(Box::new(PendingWill { will, due_ms }));
        self.arm(now, due_ms, timer);
    }
}

fn exchange((identifier, copy): (u16, Option<Queued>)) -> Option<(PacketIdentifier, Exchange)> {
    let identifier = PacketIdentifier::new(identifier)?;
    let Some(copy) = copy else {
        let mut exchange = Exchange::new(QoS::ExactlyOnce, false);
        exchange.awaiting = Awaiting::PubComp;
        return Some((identifier, exchange));
    };
    let mut exchange = Exchange::new(copy.qos, copy.retain);
    let identifiers = copy.identifiers();
    exchange.identifiers = (!identifiers.is_empty()).then(|| identifiers.into());
    exchange.group = copy.group();
    let Content::Memory(message) = copy.content else { return None };
    exchange.message = Some(message);
    Some((identifier, exchange))
}
