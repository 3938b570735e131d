//! `$SYS/broker/…`: running totals of all shards as retained messages, under mosquitto's names where it has one.
//!
//! The first shard asks the others for their numbers at each interval and publishes what it knows by then, so
//! a number is at most one interval old.

use tidegate_mqtt::QoS;
use tidegate_observe::{Counters, DropReason};

use crate::core::Core;
use crate::effects::Effects;
use crate::identifiers::{OrganisationId, ShardId};
use crate::message::Message;
use crate::route::Origin;
use crate::shards::ShardMessage;
use crate::time::Now;

/// What the first shard remembers from interval to interval.
pub(crate) struct Sys {
    started: Now,
    /// The last report of each shard, per organisation.
    reports: Vec<(ShardId, OrganisationId, Counters)>,
    loads: Vec<Load>,
    loads_at_ms: u64,
    clients_maximum: u64,
    /// What was published last, by topic: a value that did not change is not published again.
    published: Vec<(String, String)>,
}

impl Sys {
    pub(crate) fn new(started: Now) -> Self {
        let loads = LOADS.iter().map(|&(name, read)| Load { name, read, last: 0, averages: [0.0; 3] });
        Self {
            started,
            reports: Vec::new(),
            loads: loads.collect(),
            loads_at_ms: started.mono_ms,
            clients_maximum: 0,
            published: Vec::new(),
        }
    }

    /// When the process started.
    pub(crate) fn started(&self) -> Now {
        self.started
    }

    pub(crate) fn learn(&mut self, from: ShardId, organisation: OrganisationId, counters: &Counters) {
        let known =
            self.reports.iter_mut().find(|(shard, other, _)| *shard == from && *other == organisation);
        match known {
            Some((_, _, report)) => *report = counters.clone(),
            None => self.reports.push((from, organisation, counters.clone())),
        }
    }

    fn total(&self, organisation: OrganisationId) -> Counters {
        let mut total = Counters::default();
        let of_organisation = self.reports.iter().filter(|(_, other, _)| *other == organisation);
        of_organisation.for_each(|(_, _, report)| total.add(report));
        total
    }
}

/// A rate per minute, averaged over 1, 5 and 15 minutes with exponential weights, as mosquitto does.
struct Load {
    name: &'static str,
    read: Read,
    last: u64,
    averages: [f64; 3],
}

impl Load {
    fn update(&mut self, total: &Counters, elapsed_secs: f64) {
        let value = (self.read)(total);
        let per_minute = value.saturating_sub(self.last) as f64 * 60.0 / elapsed_secs;
        self.last = value;
        for (average, minutes) in self.averages.iter_mut().zip(LOAD_MINUTES) {
            let weight = (-elapsed_secs / (60.0 * minutes)).exp();
            *average = per_minute + weight * (*average - per_minute);
        }
    }
}

/// Takes one number out of the totals.
type Read = fn(&Counters) -> u64;

const LOAD_MINUTES: [f64; 3] = [1.0, 5.0, 15.0];

/// The rates under `$SYS/broker/load/`.
const LOADS: [(&str, Read); 9] = [
    ("messages/received", |c| c.packets_received),
    ("messages/sent", |c| c.packets_sent),
    ("publish/dropped", Counters::dropped_total),
    ("publish/received", |c| c.publishes_received),
    ("publish/sent", |c| c.publishes_sent),
    ("bytes/received", |c| c.bytes_received),
    ("bytes/sent", |c| c.bytes_sent),
    ("sockets", |c| c.sockets_opened),
    ("connections", |c| c.connects),
];

/// The plain numbers under `$SYS/broker/`.
const NUMBERS: [(&str, Read); 24] = [
    ("clients/total", |c| c.sessions),
    ("clients/connected", |c| c.clients_connected),
    ("clients/active", |c| c.clients_connected),
    ("clients/disconnected", |c| c.sessions.saturating_sub(c.clients_connected)),
    ("clients/inactive", |c| c.sessions.saturating_sub(c.clients_connected)),
    ("clients/expired", |c| c.sessions_expired),
    ("messages/received", |c| c.packets_received),
    ("messages/sent", |c| c.packets_sent),
    ("messages/stored", |c| c.retained + c.queued),
    ("store/messages/count", |c| c.retained + c.queued),
    ("store/messages/bytes", |c| c.retained_bytes + c.queued_bytes),
    ("publish/messages/received", |c| c.publishes_received),
    ("publish/messages/sent", |c| c.publishes_sent),
    ("publish/messages/dropped", Counters::dropped_total),
    ("publish/bytes/received", |c| c.publish_bytes_received),
    ("publish/bytes/sent", |c| c.publish_bytes_sent),
    ("bytes/received", |c| c.bytes_received),
    ("bytes/sent", |c| c.bytes_sent),
    ("retained messages/count", |c| c.retained),
    ("subscriptions/count", |c| c.subscriptions),
    ("shared_subscriptions/count", |c| c.shared_subscriptions),
    ("queued messages/count", |c| c.queued),
    ("queued messages/in journal", |c| c.queued_in_log),
    ("queued messages/read back", |c| c.read_back),
];

impl Core {
    pub(crate) fn on_publish_sys(&mut self, now: Now, effects: &mut Effects) {
        let own = self.shard;
        for shard in self.other_shards() {
            effects.to(shard).push(ShardMessage::CountersWanted { to: own });
        }
        let organisation = OrganisationId::FIRST;
        if let Some(counters) = self.counters(organisation) {
            self.sys.learn(own, organisation, &counters);
        }
        let topics = self.sys_topics(now, organisation);
        for (topic, value) in topics {
            let known = self.sys.published.iter_mut().find(|(other, _)| *other == topic);
            match known {
                Some((_, last)) if *last == value => continue,
                Some((_, last)) => *last = value.clone(),
                None => self.sys.published.push((topic.clone(), value.clone())),
            }
            self.publish_sys(now, &topic, &value, effects);
        }
    }

    /// Says something of the server, to those who listen and those who will.
    pub(crate) fn publish_sys(&mut self, now: Now, topic: &str, value: &str, effects: &mut Effects) {
        let message = Message {
            topic,
            properties: &[],
            payload: value.as_bytes(),
            qos: QoS::AtMostOnce,
            retain: true,
            expires_at_ms: None,
        };
        self.route(now, OrganisationId::FIRST, message, Origin::default(), effects);
    }

    pub(crate) fn report_counters(&mut self, to: ShardId, effects: &mut Effects) {
        for own in &self.organisations {
            let counters = Box::new(own.counters());
            effects.to(to).push(ShardMessage::Counters { organisation: own.id, counters });
        }
    }

    fn sys_topics(&mut self, now: Now, organisation: OrganisationId) -> Vec<(String, String)> {
        let total = self.sys.total(organisation);
        let sys = &mut self.sys;
        sys.clients_maximum = sys.clients_maximum.max(total.clients_connected);
        let elapsed_secs = now.mono_ms.saturating_sub(sys.loads_at_ms).max(1) as f64 / 1000.0;
        sys.loads_at_ms = now.mono_ms;
        sys.loads.iter_mut().for_each(|load| load.update(&total, elapsed_secs));

        let uptime_secs = now.mono_ms.saturating_sub(sys.started.mono_ms) / 1000;
        let mut topics = vec![
            (
                "$SYS/broker/version".to_owned(),
                concat!("tidegate version ", env!("CARGO_PKG_VERSION")).to_owned(),
            ),
            ("$SYS/broker/uptime".to_owned(), format!("{uptime_secs} seconds")),
            ("$SYS/broker/clients/maximum".to_owned(), sys.clients_maximum.to_string()),
        ];
        let numbers =
            NUMBERS.iter().map(|(name, read)| (format!("$SYS/broker/{name}"), read(&total).to_string()));
        topics.extend(numbers);
        topics.extend(DropReason::ALL.iter().map(|&reason| {
            (format!("$SYS/broker/dropped/{}", reason.label()), total.dropped(reason).to_string())
        }));
        for load in &sys.loads {
            for (average, span) in load.averages.iter().zip(["1min", "5min", "15min"]) {
                topics.push((format!("$SYS/broker/load/{}/{span}", load.name), format!("{average:.2}")));
            }
        }
        topics
    }
}
