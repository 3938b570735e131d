//! What was promised, and what came: the judge. It knows streams and numbers, no packets and no sockets.
//!
//! A stream is what one publisher sends to one topic with one QoS. Its messages are numbered from 1. Each is in flight, then
//! either acknowledged, or abandoned: its publisher had a session that ended with the connection, so nobody will ever know, and
//! the broker may have it or not.

use std::collections::BTreeSet;

use tidegate_mqtt::QoS;

use crate::group::Group;
use crate::payload::Label;

/// All streams, and what was found to be wrong.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) streams: Vec<Stream>,
    pub(crate) findings: Findings,
    pub(crate) tally: Tally,
    group: Group,
    /// Acknowledged, and had by no member of the shared subscription so far.
    missing_in_group: u64,
}

/// What distinguishes the streams of a publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// QoS 1 or 2.
    Plain(QoS),
    /// QoS 1, and the last one is retained.
    Retained,
}

impl Kind {
    pub(crate) fn qos(self) -> QoS {
        match self {
            Self::Plain(qos) => qos,
            Self::Retained => QoS::AtLeastOnce,
        }
    }
}

/// What one publisher sends to one topic.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) topic: String,
    pub(crate) kind: Kind,
    /// The highest number that was sent.
    pub(crate) sent: u64,
    /// The highest number that was acknowledged.
    pub(crate) last_acknowledged: u64,
    in_flight: BTreeSet<u64>,
    abandoned: BTreeSet<u64>,
    /// Of QoS 2, and sent more than once by a publisher that came back to its session.
    sent_again: BTreeSet<u64>,
}

/// What is known of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    InFlight,
    Abandoned,
    Acknowledged,
}

/// Figures for the verdict.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) acknowledged: u64,
    pub(crate) abandoned: u64,
    /// Sent again by a publisher that came back to its session.
    pub(crate) sent_again: u64,
    pub(crate) delivered: u64,
    /// Of QoS 1, once more: allowed.
    pub(crate) repeated: u64,
    /// Retained messages that were looked at.
    pub(crate) retained: u64,
}

/// What is wrong. Only the first few are kept; the rest is counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    pub(crate) first: Vec<String>,
    pub(crate) total: u64,
}

impl Findings {
    pub(crate) fn add(&mut self, finding: String) {
        self.total += 1;
        if self.first.len() < FINDINGS_MAX {
            self.first.push(finding);
        }
    }
}

const FINDINGS_MAX: usize = 20;

/// What one subscriber has had of one stream.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Above every number that came.
    pub(crate) next: u64,
    /// Passed over without a promise being broken: so far nobody knows whether the broker ever had them.
    skipped: BTreeSet<u64>,
}

impl Default for Seen {
    fn default() -> Self {
        Self { next: 1, skipped: BTreeSet::new() }
    }
}

impl Stream {
    fn fate(&self, number: u64) -> Fate {
        if self.in_flight.contains(&number) {
            Fate::InFlight
        } else if self.abandoned.contains(&number) {
            Fate::Abandoned
        } else {
            Fate::Acknowledged
        }
    }
}

impl Ledger {
    /// A new stream, by its index.
    pub(crate) fn open(&mut self, topic: String, kind: Kind) -> u32 {
        self.streams.push(Stream {
            topic,
            kind,
            sent: 0,
            last_acknowledged: 0,
            in_flight: BTreeSet::new(),
            abandoned: BTreeSet::new(),
            sent_again: BTreeSet::new(),
        });
        self.streams.len() as u32 - 1
    }

    /// The next message of a stream.
    pub(crate) fn send(&mut self, stream: u32) -> Label {
        let of = &mut self.streams[stream as usize];
        of.sent += 1;
        of.in_flight.insert(of.sent);
        Label { stream, number: of.sent }
    }

    /// The publisher sends it once more: it does not know whether the broker has it.
    pub(crate) fn send_again(&mut self, label: Label) {
        self.tally.sent_again += 1;
        if self.stream(label).kind.qos() == QoS::ExactlyOnce {
            self.stream(label).sent_again.insert(label.number);
        }
    }

    pub(crate) fn acknowledge(&mut self, label: Label) {
        let stream = self.stream(label);
        if stream.in_flight.remove(&label.number) {
            stream.last_acknowledged = stream.last_acknowledged.max(label.number);
            self.tally.acknowledged += 1;
            self.missing_in_group += u64::from(!self.group.has(label.stream, label.number));
        }
    }

    pub(crate) fn abandon(&mut self, label: Label) {
        if self.stream(label).in_flight.remove(&label.number) {
            self.stream(label).abandoned.insert(label.number);
            self.tally.abandoned += 1;
        }
    }

    fn stream(&mut self, label: Label) -> &mut Stream {
        &mut self.streams[label.stream as usize]
    }

    /// A message has come to a subscriber.
    pub(crate) fn deliver(&mut self, subscriber: &str, seen: &mut [Seen], label: Label, qos: QoS) {
        let (Some(stream), Some(seen)) =
            (self.streams.get(label.stream as usize), seen.get_mut(label.stream as usize))
        else {
            return self.findings.add(format!("{subscriber} got a message that nobody sent"));
        };
        let Label { number, .. } = label;
        let named = |what: &str| format!("{subscriber} {what}: message {number} of {}", stream.topic);
        if number == 0 || number > stream.sent {
            self.findings.add(named("got what nobody sent"));
        } else if qos != stream.kind.qos() {
            self.findings.add(named("got another QoS than was sent"));
        } else if number >= seen.next {
            for passed in seen.next..number {
                match stream.fate(passed) {
                    Fate::Acknowledged => self.findings.add(format!(
                        "{subscriber} got message {number} of {}, but not {passed}, which was acknowledged",
                        stream.topic
                    )),
                    Fate::InFlight | Fate::Abandoned => _ = seen.skipped.insert(passed),
                }
            }
            seen.next = number + 1;
            self.tally.delivered += 1;
        } else if seen.skipped.remove(&number) {
            self.findings.add(named(&format!("got, after number {}, an earlier one", seen.next - 1)));
        } else if qos == QoS::ExactlyOnce {
            self.findings.add(named("got twice what has QoS 2"));
        } else {
            self.tally.repeated += 1;
        }
    }

    /// A message has come to a member of the shared subscription.
    pub(crate) fn deliver_to_group(&mut self, member: &str, label: Label, qos: QoS) {
        let Label { stream: index, number } = label;
        let Some(stream) = self.streams.get(index as usize) else {
            return self.findings.add(format!("{member} got a message that nobody sent"));
        };
        let named = |what: &str| format!("{member} {what}: message {number} of {}", stream.topic);
        if number == 0 || number > stream.sent {
            self.findings.add(named("got what nobody sent"));
        } else if qos != stream.kind.qos() {
            self.findings.add(named("got another QoS than was sent"));
        } else if self.group.take(index, number) {
            self.tally.delivered += 1;
            self.missing_in_group -= u64::from(stream.fate(number) == Fate::Acknowledged);
        } else if qos == QoS::ExactlyOnce && !stream.sent_again.contains(&number) {
            self.findings.add(named("got what has QoS 2 and a member had already"));
        } else {
            // Which member had a message whose publisher heard nothing is not kept over a crash; see docs/DESIGN.md.
            self.tally.repeated += 1;
        }
    }

    /// How much the members of the shared subscription have still to get.
    pub(crate) fn missing_in_group(&self) -> u64 {
        self.missing_in_group
    }

    /// How much of what is under way in all streams a subscriber may still get.
    pub(crate) fn missing(&self, seen: &[Seen]) -> u64 {
        self.streams.iter().zip(seen).map(|(stream, seen)| stream.sent + 1 - seen.next).sum()
    }

    /// Everything has come that will: what was acknowledged must be there.
    pub(crate) fn conclude(&mut self, subscriber: &str, seen: &[Seen]) {
        for (stream, seen) in self.streams.iter().zip(seen) {
            let passed = seen.skipped.iter().copied().chain(seen.next..=stream.sent);
            for number in passed.filter(|&number| stream.fate(number) == Fate::Acknowledged) {
                self.findings.add(format!(
                    "{subscriber} never got message {number} of {}, which was acknowledged",
                    stream.topic
                ));
            }
        }
    }

    /// The same for the shared subscription.
    pub(crate) fn conclude_group(&mut self) {
        for (index, stream) in self.streams.iter().enumerate() {
            let acknowledged = (1..=stream.sent).filter(|&number| stream.fate(number) == Fate::Acknowledged);
            for number in acknowledged.filter(|&number| !self.group.has(index as u32, number)) {
                self.findings.add(format!(
                    "no member of the shared subscription got message {number} of {}, which was acknowledged",
                    stream.topic
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(qos: QoS, sent: u64) -> (Ledger, Vec<Seen>) {
        let mut ledger = Ledger::default();
        let stream = ledger.open("t".into(), Kind::Plain(qos));
        (0..sent).for_each(|_| _ = ledger.send(stream));
        (ledger, vec![Seen::default()])
    }

    fn label(number: u64) -> Label {
        Label { stream: 0, number }
    }

    fn deliver(ledger: &mut Ledger, seen: &mut [Seen], numbers: &[u64]) -> Vec<String> {
        let qos = ledger.streams[0].kind.qos();
        numbers.iter().for_each(|&number| ledger.deliver("s", seen, label(number), qos));
        ledger.findings.first.clone()
    }

    #[test]
    fn what_comes_once_and_in_order_is_good() {
        let (mut ledger, mut seen) = ledger(QoS::ExactlyOnce, 3);
        (1..=3).for_each(|number| ledger.acknowledge(label(number)));
        assert!(deliver(&mut ledger, &mut seen, &[1, 2, 3]).is_empty());
        ledger.conclude("s", &seen);
        assert_eq!(ledger.findings.total, 0);
        assert_eq!((ledger.tally.acknowledged, ledger.tally.delivered), (3, 3));
    }

    #[test]
    fn an_acknowledged_message_that_is_passed_over_is_found() {
        let (mut ledger, mut seen) = ledger(QoS::AtLeastOnce, 2);
        ledger.acknowledge(label(1));
        let found = deliver(&mut ledger, &mut seen, &[2]);
        assert_eq!(found, ["s got message 2 of t, but not 1, which was acknowledged"]);
    }

    #[test]
    fn an_acknowledged_message_that_never_comes_is_found() {
        let (mut ledger, seen) = ledger(QoS::AtLeastOnce, 2);
        ledger.acknowledge(label(1));
        ledger.abandon(label(2));
        ledger.conclude("s", &seen);
        assert_eq!(ledger.findings.first, ["s never got message 1 of t, which was acknowledged"]);
    }

    #[test]
    fn a_message_that_is_acknowledged_after_it_was_passed_over_is_found_at_the_end() {
        let (mut ledger, mut seen) = ledger(QoS::AtLeastOnce, 2);
        assert!(deliver(&mut ledger, &mut seen, &[2]).is_empty());
        ledger.acknowledge(label(1));
        ledger.conclude("s", &seen);
        assert_eq!(ledger.findings.total, 1);
    }

    #[test]
    fn an_abandoned_message_may_come_or_not_but_not_late() {
        let (mut ledger, mut seen) = ledger(QoS::AtLeastOnce, 4);
        (1..=3).for_each(|number| ledger.abandon(label(number)));
        assert!(deliver(&mut ledger, &mut seen, &[1, 4]).is_empty());
        let found = deliver(&mut ledger, &mut seen, &[3]);
        assert_eq!(found, ["s got, after number 4, an earlier one: message 3 of t"]);
    }

    #[test]
    fn a_double_is_allowed_with_qos_1_and_found_with_qos_2() {
        let (mut ledger_1, mut seen) = ledger(QoS::AtLeastOnce, 2);
        assert!(deliver(&mut ledger_1, &mut seen, &[1, 2, 1, 2]).is_empty());
        assert_eq!(ledger_1.tally.repeated, 2);
        let (mut ledger_2, mut seen) = ledger(QoS::ExactlyOnce, 2);
        let found = deliver(&mut ledger_2, &mut seen, &[1, 2, 2]);
        assert_eq!(found, ["s got twice what has QoS 2: message 2 of t"]);
    }

    #[test]
    fn what_nobody_sent_and_a_wrong_qos_are_found() {
        let (mut ledger, mut seen) = ledger(QoS::ExactlyOnce, 1);
        assert_eq!(deliver(&mut ledger, &mut seen, &[2, 0]).len(), 2);
        ledger.deliver("s", &mut seen, label(1), QoS::AtLeastOnce);
        ledger.deliver("s", &mut seen, Label { stream: 9, number: 1 }, QoS::AtLeastOnce);
        assert_eq!(ledger.findings.total, 4);
    }

    #[test]
    fn a_shared_subscription_lacks_what_no_member_got_and_has_qos_2_once() {
        let (mut ledger, _) = ledger(QoS::ExactlyOnce, 4);
        let qos = QoS::ExactlyOnce;
        ledger.deliver_to_group("m", label(2), qos);
        (1..=3).for_each(|number| ledger.acknowledge(label(number)));
        assert_eq!(ledger.missing_in_group(), 2);
        ledger.deliver_to_group("m", label(3), qos);
        ledger.conclude_group();
        assert_eq!(
            ledger.findings.first,
            ["no member of the shared subscription got message 1 of t, which was acknowledged"]
        );
        ledger.send_again(label(4));
        (0..2).for_each(|_| ledger.deliver_to_group("m", label(4), qos));
        assert_eq!(
            (ledger.findings.total, ledger.tally.repeated),
            (1, 1),
            "nobody knew whether the broker had it"
        );
        ledger.deliver_to_group("n", label(2), qos);
        assert_eq!(ledger.findings.first[1], "n got what has QoS 2 and a member had already: message 2 of t");
    }
}
