//! What a traffic scenario consists of.

use super::topics;
use crate::codec::{QoS, SessionLifetime};
use crate::fleet::Member;

/// Clients, routes, size and pace of a scenario.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Publishing clients.
    pub publishers: usize,
    /// Subscribing clients.
    pub subscribers: usize,
    /// Who receives whose messages.
    pub routes: Routes,
    /// QoS of the messages and of the subscriptions.
    pub qos: QoS,
    /// Length of the application message.
    pub payload_bytes: usize,
    /// When a message is published.
    pub pace: Pace,
}

/// Who receives whose messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routes {
    /// Publisher `n` to subscriber `n`, each on a topic of its own.
    Pairs,
    /// The publishers to every subscriber, all on one topic.
    FanOut,
    /// Every publisher, on a topic of its own, to every subscriber of a wildcard.
    FanIn,
    /// Every publisher, on a topic of its own, to one member of a shared subscription.
    Shared,
    /// `filters` distinct wildcard filters dealt out to the subscribers; each message matches exactly one of
    /// them.
    Filters {
        /// How many filters there are in all.
        filters: u32,
        /// How many different topics match one filter.
        topics_per_filter: u32,
    },
}

impl Routes {
    /// Whether a subscriber must see the messages of a publisher without gap: one that gets all of them does.
    pub fn keep_order(self) -> bool {
        matches!(self, Self::Pairs | Self::FanOut | Self::FanIn)
    }
}

/// When a message is published.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// Each publisher keeps so many messages between itself and the subscribers.
    InFlight(usize),
    /// So many messages per second from all publishers together, come what may.
    PerSecond(u64),
}

impl Plan {
    /// How often one message arrives.
    #[inline]
    pub fn deliveries_per_message(&self) -> u32 {
        match self.routes {
            Routes::FanOut | Routes::FanIn => self.subscribers as u32,
            Routes::Pairs | Routes::Shared | Routes::Filters { .. } => 1,
        }
    }

    /// The clients to connect: subscribers, then publishers.
    pub fn members(&self) -> Vec<Member> {
        let subscriber = |index| Member {
            client_identifier: format!("bench-sub-{index}"),
            filters: topics::filters_of_subscriber(self, index),
            qos: self.qos,
            lifetime: SessionLifetime::Connection,
        };
        let publisher = |index| Member::without_filters(format!("bench-pub-{index}"));
        (0..self.subscribers).map(subscriber).chain((0..self.publishers).map(publisher)).collect()
    }
}
