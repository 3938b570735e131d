//! PUBRECs that wait for other shards, and whose connection is lost. The client will send its message again, which the
//! identifier makes known for a repeated one; but until the receipts are in, the answer would still be too early.

use hashbrown::{HashMap, HashSet};
use tidegate_mqtt::PacketType;

use crate::core::Core;
use crate::effects::Effects;
use crate::identifiers::{ConnectionId, OrganisationId, SessionId};
use crate::shards::ReceiptAddress;
use crate::time::Now;

/// The identifier of a message of QoS 2 that a session has taken.
pub(crate) type TakenIdentifier = (OrganisationId, SessionId, u16);

/// Each goes when its receipts are in, whatever became of its session.
#[derive(Default)]
pub(crate) struct Unanswered {
    by_identifier: HashMap<TakenIdentifier, Missing>,
    /// Receipts name the acknowledgement that was held first: connection and number.
    by_address: HashMap<(ConnectionId, u64), TakenIdentifier>,
}

struct Missing {
    receipts: u32,
    /// The answer that waits for them now.
    held: Option<(ConnectionId, u64)>,
}

impl Core {
    /// A connection is lost: remembers what its PUBRECs still wait for.
    pub(crate) fn keep_unanswered(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(id) else { return };
        let (organisation, session) = (connection.organisation, connection.session);
        let Some(extra) = connection.extra.as_ref() else { return };
        let waiting = extra.held.iter().zip(extra.held_first..);
        for (held, number) in waiting.filter(|(held, _)| held.receipts > 0) {
            if held.answer.packet_type != PacketType::PubRec {
                continue;
            }
            let taken = (organisation, session, held.answer.identifier.get());
            let Unanswered { by_identifier, by_address } = &mut self.unanswered;
            by_identifier.entry(taken).and_modify(|missing| missing.held = None).or_insert_with(|| {
                by_address.insert((id, number), taken);
                Missing { receipts: held.receipts, held: None }
            });
        }
    }

    /// How many receipts an answer that is repeated, and held next on a connection, has to wait for.
    pub(crate) fn wait_for_receipts(&mut self, id: ConnectionId, taken: TakenIdentifier) -> u32 {
        if self.unanswered.by_identifier.is_empty() {
            return 0;
        }
        let Some(number) = self.connections.get(id).map(|connection| connection.next_held()) else {
            return 0;
        };
        let missing = self.unanswered.by_identifier.get_mut(&taken);
        // One that is repeated on the same connection leaves behind the first.
        let Some(missing) = missing.filter(|missing| missing.held.is_none()) else { return 0 };
        missing.held = Some((id, number));
        missing.receipts
    }

    /// A receipt for an answer whose connection is lost: where the answer waits that took its place, if one did; and the
    /// identifier if it was the last receipt.
    pub(crate) fn redirect_receipt(
        &mut self,
        address: ReceiptAddress,
    ) -> (Option<ReceiptAddress>, Option<TakenIdentifier>) {
        let Unanswered { by_identifier, by_address } = &mut self.unanswered;
        let name = (address.connection, address.number);
        let Some(&taken) = by_address.get(&name) else { return (None, None) };
        let Some(missing) = by_identifier.get_mut(&taken) else { return (None, None) };
        missing.receipts -= 1;
        let held = missing.held.map(|(connection, number)| ReceiptAddress { connection, number, ..address });
        if missing.receipts > 0 {
            return (held, None);
        }
        by_identifier.remove(&taken);
        by_address.remove(&name);
        (held, Some(taken))
    }

    /// See [`Core::redirect_receipt`].
    pub(crate) fn on_late_receipt(&mut self, now: Now, address: ReceiptAddress, effects: &mut Effects) {
        match self.redirect_receipt(address) {
            (Some(address), _) => self.on_receipt(now, address, effects),
            (None, Some(taken)) => _ = self.write_taken_of(taken, effects),
            (None, None) => {}
        }
    }

    /// The identifiers that a session has taken, and for which copies of other shards are not durable yet.
    pub(crate) fn unreceipted(&mut self, id: ConnectionId) -> HashSet<u16> {
        let extra = self.connections.get(id).and_then(|connection| connection.extra.as_ref());
        let held = extra.into_iter().flat_map(|extra| &extra.held);
        let waiting = held.filter(|held| held.receipts > 0 && held.answer.packet_type == PacketType::PubRec);
        waiting.map(|held| held.answer.identifier.get()).collect()
    }
}

impl Unanswered {
    /// Whether receipts are missing for an identifier whose connection was lost.
    pub(crate) fn has(&self, taken: TakenIdentifier) -> bool {
        self.by_identifier.contains_key(&taken)
    }
}
