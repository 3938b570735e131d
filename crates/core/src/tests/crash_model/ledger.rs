//! What was promised, and what came: plain lists, that share nothing with the server.

use std::collections::BTreeMap;

use tidegate_mqtt::QoS;

/// A moment in the history; moments rise.
pub(super) type Moment = u64;

/// One message that a publisher has sent.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) publisher: usize,
    pub(super) topic: usize,
    pub(super) qos: QoS,
    pub(super) payload: String,
    /// When it was sent first.
    pub(super) at: Moment,
    /// How often without anything that makes it known for a second copy: in a new session, or after a crash that came
    /// between the records of several shards.
    pub(super) times: usize,
    pub(super) acknowledged: Option<Moment>,
    /// Every one of these subscribers has to get it.
    pub(super) owed_to: Vec<usize>,
    /// One member of the shared subscription has to get it.
    pub(super) owed_to_group: bool,
}

/// What one subscriber got of one message.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Live copies with QoS 1 and 2; those of QoS 2 that its client knew already do not count.
    live: usize,
    of_qos_2: usize,
    /// When it came last, in whatever way.
    last: Moment,
}

/// A filter as one subscriber knows it.
#[derive(Debug, Default, Clone)]
pub(super) struct Known {
    /// SUBACK was seen then, and nothing was done about it since.
    pub(super) subscribed: Option<Moment>,
    /// SUBSCRIBE was sent and no UNSUBACK was seen since.
    pub(super) possible: bool,
    /// UNSUBACK was seen then.
    pub(super) gone: Moment,
}

#[derive(Default)]
pub(super) struct Ledger {
    pub(super) now: Moment,
    pub(super) sent: Vec<Sent>,
    /// By subscriber and message.
    seen: BTreeMap<(usize, usize), Seen>,
    /// By subscriber, publisher and topic: the last message that came for the first time.
    newest: BTreeMap<(usize, usize, usize), usize>,
    /// By subscriber and filter.
    pub(super) known: Vec<Vec<Known>>,
    /// Subscriber, filter, message, and when SUBSCRIBE was sent: it must get the retained message, if that stays.
    pub(super) replays: Vec<(usize, usize, usize, Moment)>,
}

pub(super) const TOPICS: [&str; 7] = ["a/0", "a/1", "b/0", "c/x", "c/y", "r/0", "r/1"];
/// Retained messages are published here, by the publisher of that number only.
pub(super) const FIRST_RETAINED: usize = 5;

/// Filters with the QoS that is asked for.
pub(super) const FILTERS: [(&str, QoS); 7] = [
    ("a/#", QoS::ExactlyOnce),
    ("a/0", QoS::AtLeastOnce),
    ("+/0", QoS::ExactlyOnce),
    ("b/0", QoS::AtLeastOnce),
    ("r/1", QoS::ExactlyOnce),
    ("r/#", QoS::AtLeastOnce),
    ("$share/g/c/#", QoS::ExactlyOnce),
];
pub(super) const GROUP: usize = 6;

/// Whether a filter of ours matches a topic of ours; told one by one.
pub(super) fn matches(filter: usize, topic: usize) -> bool {
    match FILTERS[filter].0 {
        "a/#" => topic <= 1,
        "a/0" => topic == 0,
        "+/0" => matches!(topic, 0 | 2 | 5),
        "b/0" => topic == 2,
        "r/1" => topic == 6,
        "r/#" => topic >= FIRST_RETAINED,
        _ => matches!(topic, 3 | 4),
    }
}

impl Ledger {
    pub(super) fn new(subscribers: usize) -> Self {
        Self { known: vec![vec![Known::default(); FILTERS.len()]; subscribers], ..Self::default() }
    }

    pub(super) fn tick(&mut self) -> Moment {
        self.now += 1;
        self.now
    }

    /// The publisher was told that its message is safe. Whoever was subscribed all the time from its sending must get it.
    pub(super) fn acknowledge(&mut self, message: usize) {
        let now = self.tick();
        let sent = &mut self.sent[message];
        if sent.acknowledged.is_some() {
            return;
        }
        sent.acknowledged = Some(now);
        for (subscriber, filters) in self.known.iter().enumerate() {
            for (filter, known) in filters.iter().enumerate() {
                if !matches(filter, sent.topic) || known.subscribed.is_none_or(|since| since > sent.at) {
                    continue;
                }
                if filter == GROUP {
                    sent.owed_to_group = true;
                } else {
                    sent.owed_to.push(subscriber);
                }
            }
        }
    }

    /// A subscriber got a message.
    pub(super) fn see(&mut self, subscriber: usize, payload: &str, qos: QoS, retain: bool) {
        let now = self.tick();
        // Nobody can tell empty ones apart.
        if payload.is_empty() {
            return;
        }
        let message = self.sent.iter().position(|sent| sent.payload == payload);
        let message = message.unwrap_or_else(|| panic!("nobody has sent {payload:?}"));
        let sent = &self.sent[message];
        let of_pair = (subscriber, sent.publisher, sent.topic);
        let seen = self.seen.entry((subscriber, message)).or_default();
        seen.last = now;
        if retain {
            return;
        }
        let may_come = self.known[subscriber]
            .iter()
            .enumerate()
            .any(|(filter, known)| matches(filter, sent.topic) && (known.possible || known.gone > sent.at));
        assert!(may_come, "{subscriber} had unsubscribed before {sent:?} was sent");
        if qos == QoS::AtMostOnce {
            return;
        }
        seen.live += 1;
        seen.of_qos_2 += usize::from(qos == QoS::ExactlyOnce);
        // Of what is sent again, only who was subscribed when it was sent first got it at its place.
        let in_order = !matches(GROUP, sent.topic)
            && self.known[subscriber].iter().enumerate().any(|(filter, known)| {
                matches(filter, sent.topic) && known.subscribed.is_some_and(|since| since < sent.at)
            });
        if seen.live == 1 && in_order {
            let newest = self.newest.insert(of_pair, message);
            let newest = newest.filter(|&newest| newest > message);
            assert!(
                newest.is_none(),
                "{subscriber} got {sent:?} after {:?}",
                newest.map(|newest| &self.sent[newest])
            );
        }
        let only_qos_2 = seen.of_qos_2 == seen.live;
        assert!(!only_qos_2 || seen.live <= sent.times, "{subscriber} got {sent:?} {} times", seen.live);
    }

    /// Everything has come that will come.
    pub(super) fn close(&self) {
        for (message, sent) in self.sent.iter().enumerate() {
            let seen_by = |subscriber| self.seen.get(&(subscriber, message));
            for &subscriber in &sent.owed_to {
                assert!(
                    sent.payload.is_empty() || seen_by(subscriber).is_some(),
                    "{subscriber} has not got {sent:?}"
                );
            }
            let copies: Vec<&Seen> = (0..self.known.len()).filter_map(seen_by).collect();
            assert!(!sent.owed_to_group || !copies.is_empty(), "no member got {sent:?}");
        }
        for &(subscriber, filter, message, at) in &self.replays {
            let stayed =
                self.known[subscriber][filter].subscribed.is_some() && self.is_last_retained(message);
            let came = self.seen.get(&(subscriber, message)).is_some_and(|seen| seen.last > at);
            assert!(came || !stayed, "{subscriber} has not got the retained {:?}", self.sent[message]);
        }
    }

    /// The retained message of a topic may be this one: the last that was acknowledged, or one that was sent after it.
    pub(super) fn may_be_retained(&self, topic: usize, payload: &str) -> bool {
        let of_topic: Vec<&Sent> = self.sent.iter().filter(|sent| sent.topic == topic).collect();
        let certain = of_topic.iter().rposition(|sent| sent.acknowledged.is_some());
        let possible = &of_topic[certain.unwrap_or(0)..];
        (certain.is_none() && payload.is_empty()) || possible.iter().any(|sent| sent.payload == payload)
    }

    /// Whether this is certainly the retained message of its topic.
    pub(super) fn is_last_retained(&self, message: usize) -> bool {
        let sent = &self.sent[message];
        let last = self.sent.iter().rposition(|other| other.topic == sent.topic);
        last == Some(message) && sent.acknowledged.is_some() && !sent.payload.is_empty()
    }
}
