//! Running totals of one organisation on one shard. Plain numbers: each shard owns its own and they are added
//! up when somebody looks.

use crate::drop_reason::DropReason;

macro_rules! counters {
    ($( $(#[$doc:meta])* $name:ident; )*) => {
        /// Running totals since start, and a few gauges, which the owner keeps or sets before handing a copy out.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Counters {
            $( $(#[$doc])* pub $name: u64, )*
            dropped: [u64; DropReason::ALL.len()],
        }

        impl Counters {
            /// Adds another shard's numbers to these.
            pub fn add(&mut self, other: &Counters) {
                $( self.$name += other.$name; )*
                for (mine, theirs) in self.dropped.iter_mut().zip(&other.dropped) { *mine += theirs; }
            }
        }
    };
}

counters! {
    /// Bytes read from clients.
    bytes_received;
    /// Bytes handed to connections.
    bytes_sent;
    /// MQTT packets of any type read from clients.
    packets_received;
    /// MQTT packets of any type encoded for clients.
    packets_sent;
    /// PUBLISH packets from clients.
    publishes_received;
    /// PUBLISH packets to clients.
    publishes_sent;
    /// Payload bytes of PUBLISH packets from clients.
    publish_bytes_received;
    /// Payload bytes of PUBLISH packets to clients.
    publish_bytes_sent;
    /// Connections opened.
    sockets_opened;
    /// CONNECT packets that were accepted.
    connects;
    /// Sessions that ended because their expiry interval passed.
    sessions_expired;
    /// Gauge: clients that are connected now.
    clients_connected;
    /// Gauge: sessions, connected or not.
    sessions;
    /// Gauge: subscriptions, shared ones included.
    subscriptions;
    /// Gauge: shared subscriptions.
    shared_subscriptions;
    /// Gauge: retained messages.
    retained;
    /// Gauge: bytes of retained messages, topics and properties included.
    retained_bytes;
    /// Gauge: messages queued for sessions or sent to them and not acknowledged.
    queued;
    /// Gauge: bytes of messages queued for sessions.
    queued_bytes;
    /// Gauge: messages queued for sessions whose content is in the journal only.
    queued_in_log;
    /// Messages whose content was read back from the journal.
    read_back;
}

impl Counters {
    /// Counts one dropped message.
    pub fn drop_one(&mut self, reason: DropReason) {
        self.drop_many(reason, 1);
    }

    /// Counts `count` dropped messages.
    pub fn drop_many(&mut self, reason: DropReason, count: u64) {
        self.dropped[reason as usize] += count;
    }

    /// How many messages were dropped for `reason`.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped[reason as usize]
    }

    /// How many messages were dropped for any reason.
    #[must_use]
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_shards_add_up_with_their_drops() {
        let mut total = Counters { connects: 2, ..Counters::default() };
        let mut other = Counters { connects: 3, ..Counters::default() };
        other.drop_one(DropReason::SlowReader);
        total.drop_many(DropReason::SlowReader, 4);
        total.add(&other);
        assert_eq!((total.connects, total.dropped(DropReason::SlowReader), total.dropped_total()), (5, 5, 5));
    }
}
