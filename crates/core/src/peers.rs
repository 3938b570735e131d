//! What other shards say, and what this one does about it.

use tidegate_mqtt::ReasonCode;

use crate::core::Core;
use crate::durable::record::Record;
use crate::durable::spread::Publication;
use crate::effects::Effects;
use crate::group::GroupKey;
use crate::identifiers::{OrganisationId, ShardId, Ticket};
use crate::retained::VISITS_MAX;
use crate::shards::{Batch, Forwarded, ReceiptAddress, ShardMessage};
use crate::subscription::Interest;
use crate::time::Now;

impl Core {
    pub(crate) fn on_batch(&mut self, now: Now, from: ShardId, batch: &Batch, effects: &mut Effects) {
        for message in &batch.messages {
            self.on_shard_message(now, from, message, &batch.bytes, effects);
        }
    }

    fn on_shard_message(
        &mut self,
        now: Now,
        from: ShardId,
        message: &ShardMessage,
        bytes: &[u8],
        effects: &mut Effects,
    ) {
        match message {
            ShardMessage::Publish(forwarded) => self.on_forwarded(now, forwarded, bytes, effects),
            ShardMessage::Interest { organisation, filter, interest } => {
                self.on_interest(from, *organisation, filter, *interest);
            }
            ShardMessage::Barrier(number) => effects.to(from).push(ShardMessage::Reached(*number)),
            ShardMessage::Reached(number) => self.on_barrier_reached(now, *number, effects),
            ShardMessage::Join { organisation, filter, share_name, member } => {
                let key = GroupKey::new(self.seed, filter, share_name);
                let own = self.organisation(*organisation);
                own.groups.join(own.routes.change(), key, (filter, share_name), *member);
            }
            ShardMessage::Leave { organisation, filter, share_name, session } => {
                let key = GroupKey::new(self.seed, filter, share_name);
                let own = self.organisation(*organisation);
                own.groups.leave(own.routes.change(), key, from, *session);
            }
            ShardMessage::Receipt(address) => self.on_receipt(now, *address, effects),
            ShardMessage::Denied(address, reason) => self.on_denied(now, *address, *reason, effects),
            ShardMessage::Walk { organisation, session, walk } => {
                let (organisation, session) = (*organisation, *session);
                let mut visits = VISITS_MAX;
                if let Some(found) = self.walk(now, (from, organisation), walk, &mut visits) {
                    effects.to(from).push(ShardMessage::Found { organisation, session, found });
                }
            }
            ShardMessage::Found { organisation, session, found } => {
                self.on_found(now, (*organisation, from), *session, found.clone(), effects);
            }
            ShardMessage::Counters { organisation, counters } => {
                self.sys.learn(from, *organisation, counters)
            }
            ShardMessage::CountersWanted { to } => self.report_counters(*to, effects),
        }
    }

    fn on_forwarded(&mut self, now: Now, forwarded: &Forwarded, bytes: &[u8], effects: &mut Effects) {
        self.organisation(forwarded.organisation);
        let message = forwarded.message(bytes);
        let done = self.run_errand(now, forwarded.organisation, message, forwarded.errand, effects);
        let publication = forwarded.errand.receipt.and_then(|address| address.publication);
        if let Some(Publication { key, identifier, .. }) = publication.filter(|_| forwarded.errand.route) {
            let shard = self.shard.0;
            self.recorder(effects).write(&Record::Kept { key, identifier, shard });
        }
        let ticket = done.durable.then(|| self.ticket(effects));
        if let Some(address) = forwarded.errand.receipt
            && !done.receipt_went_on
        {
            self.send_receipt(address, ticket, effects);
        }
    }

    /// Says that the copy here is durable: now if nothing had to be kept, else when the journal has it.
    fn send_receipt(&mut self, address: ReceiptAddress, ticket: Option<Ticket>, effects: &mut Effects) {
        match ticket {
            None => effects.to(address.shard).push(ShardMessage::Receipt(address)),
            Some(ticket) => self.receipts_owed.push_back((ticket, address)),
        }
    }

    /// The journal is durable up to a ticket: other shards' publishers can be told.
    pub(crate) fn pay_receipts(&mut self, up_to: Ticket, effects: &mut Effects) {
        while let Some(&(ticket, address)) = self.receipts_owed.front()
            && ticket <= up_to
        {
            self.receipts_owed.pop_front();
            effects.to(address.shard).push(ShardMessage::Receipt(address));
        }
    }

    /// The journal has failed up to a ticket: other shards' publishers must not be told that all is well.
    pub(crate) fn deny_receipts(&mut self, up_to: Ticket, reason: ReasonCode, effects: &mut Effects) {
        while let Some(&(ticket, address)) = self.receipts_owed.front()
            && ticket <= up_to
        {
            self.receipts_owed.pop_front();
            effects.to(address.shard).push(ShardMessage::Denied(address, reason));
        }
    }

    fn on_interest(&mut self, from: ShardId, organisation: OrganisationId, filter: &str, interest: Interest) {
        let tree = self.organisation(organisation).routes.change();
        if interest == Interest::None {
            if let Some(node) = tree.find(filter) {
                tree.value_mut(node).set_remote(from, interest);
                tree.prune(node);
            }
        } else {
            let node = tree.insert(filter);
            tree.value_mut(node).set_remote(from, interest);
        }
    }
}
