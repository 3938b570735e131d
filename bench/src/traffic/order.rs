//! Whether every subscriber sees the messages of every publisher without gap or repetition.

use crate::fault::Fault;
use crate::payload::Label;

/// The next number expected, per subscriber and publisher.
#[derive(Debug)]
pub(crate) struct Order {
    expected: Vec<u64>,
    publishers: usize,
}

impl Order {
    pub(crate) fn new(subscribers: usize, publishers: usize) -> Self {
        Self { expected: vec![0; subscribers * publishers], publishers }
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
        *expected += 1;
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
    fn gaps_repetitions_and_strangers_are_faults() {
        let mut order = Order::new(1, 1);
        order.check(0, label(0, 0)).unwrap();
        assert!(order.check(0, label(0, 0)).unwrap_err().to_string().starts_with("repeated"));
        assert!(order.check(0, label(0, 2)).unwrap_err().to_string().starts_with("lost"));
        assert!(order.check(0, label(1, 0)).is_err());
    }
}
