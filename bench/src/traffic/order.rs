//! Whether every subscriber sees the messages of every publisher without gap or repetition.

use crate::fault::Fault;
use crate::payload::Label;

/// The next number expected, per subscriber and publisher.
#[derive(Debug)]
pub(crate) struct Order {
    expected: Vec<u64>,
    publishers: usize,
    step: u64,
}

impl Order {
    pub(crate) fn new(subscribers: usize, publishers: usize) -> Self {
        Self::every(1, subscribers, publishers, |_, _| 0)
    }

    /// Each subscriber gets one in `step` messages of a publisher, the first of them being the number that `first` says.
    pub(crate) fn every(
        step: u64,
        subscribers: usize,
        publishers: usize,
        first: impl Fn(usize, usize) -> u64,
    ) -> Self {
        let pairs = (0..subscribers * publishers).map(|pair| first(pair / publishers, pair % publishers));
        Self { expected: pairs.collect(), publishers, step }
    }

    #[inline]
    pub(crate) fn check(&mut self, subscriber: usize, label: Label) -> Result<(), Fault> {
        let publisher = label.publisher as usize;
        if publisher >= self.publishers {
            return Err(Fault::Delivery(format!("{label:?} names a publisher that does not exist")));
        }
        let expected = &mut self.expected[subscriber * self.publishers + publisher];
        if *expected != label.sequence {
            let what = if label.sequence > *expected { "lost or overtaken" } else { "repeated or late" };
            return Err(Fault::Delivery(format!(
                "{what}: subscriber {subscriber} expected message {expected} of publisher {publisher}, got {}",
                label.sequence
            )));
        }
        *expected += self.step;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(publisher: u32, sequence: u64) -> Label {
        Label { publisher, sequence }
    }

    #[test]
    fn each_pair_of_clients_has_its_own_sequence() {
        let mut order = Order::new(2, 2);
        for (subscriber, publisher) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            assert!(order.check(subscriber, label(publisher, 0)).is_ok());
            assert!(order.check(subscriber, label(publisher, 1)).is_ok());
        }
    }

    #[test]
    fn a_subscriber_that_gets_one_in_three_sees_the_gap_of_three() {
        let mut order = Order::every(3, 2, 1, |subscriber, _| subscriber as u64);
        for (subscriber, sequence) in [(1, 1), (0, 0), (0, 3), (1, 4)] {
            order.check(subscriber, label(0, sequence)).unwrap();
        }
        assert!(order.check(0, label(0, 7)).unwrap_err().to_string().starts_with("lost"));
        assert!(order.check(1, label(0, 4)).unwrap_err().to_string().starts_with("repeated"));
    }

    #[test]
    fn gaps_repetitions_and_strangers_are_faults() {
        let mut order = Order::new(1, 1);
        order.check(0, label(0, 0)).unwrap();
        assert!(order.check(0, label(0, 0)).unwrap_err().to_string().starts_with("repeated"));
        assert!(order.check(0, label(0, 2)).unwrap_err().to_string().starts_with("lost"));
        assert!(order.check(0, label(1, 0)).is_err());
    }
}
