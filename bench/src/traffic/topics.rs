//! Topic names and filters of each kind of route.

use super::plan::{Plan, Routes};
use std::fmt::Write;

/// Devices of one site in the topics of [`Routes::Filters`].
const DEVICES_PER_SITE: u32 = 1000;

/// The topics of one publisher, one message after the other.
#[derive(Debug)]
pub(super) struct Topics {
    text: String,
    random: Option<RandomDevice>,
}

#[derive(Debug)]
struct RandomDevice {
    devices: u32,
    measures: u32,
    state: u64,
}

impl Topics {
    pub(super) fn of_publisher(plan: &Plan, index: usize) -> Self {
        let random = match plan.routes {
            Routes::Filters { filters, topics_per_filter } => {
                Some(RandomDevice { devices: filters, measures: topics_per_filter, state: index as u64 })
            }
            _ => None,
        };
        let text = match plan.routes {
            Routes::FanOut => "t/all".to_owned(),
            _ => format!("t/{index}"),
        };
        Self { text, random }
    }

    #[inline]
    pub(super) fn next(&mut self) -> &str {
        if let Some(random) = &mut self.random {
            let device = random.below(random.devices);
            let measure = random.below(random.measures);
            self.text.clear();
            write_device(&mut self.text, device);
            // Invariant: writing to a string does not fail.
            let _ = write!(self.text, "/measure-{measure}");
        }
        &self.text
    }
}

impl RandomDevice {
    /// The next step of SplitMix64, scaled to the range; the same run gets the same topics.
    fn below(&mut self, end: u32) -> u32 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (((mixed >> 32) * u64::from(end)) >> 32) as u32
    }
}

pub(super) fn filters_of_subscriber(plan: &Plan, index: usize) -> Vec<String> {
    match plan.routes {
        Routes::Pairs => vec![format!("t/{index}")],
        Routes::FanOut => vec!["t/all".to_owned()],
        Routes::FanIn => vec!["t/+".to_owned()],
        Routes::Shared => vec!["$share/group/t/+".to_owned()],
        Routes::Filters { filters, .. } => (index as u32..filters)
            .step_by(plan.subscribers)
            .map(|device| {
                let mut filter = String::new();
                write_device(&mut filter, device);
                filter + "/+"
            })
            .collect(),
    }
}

fn write_device(text: &mut String, device: u32) {
    // Invariant: writing to a string does not fail.
    let _ = write!(text, "t/site-{:03}/device-{device:06}", device / DEVICES_PER_SITE);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::QoS;
    use crate::traffic::Pace;
    use std::collections::HashSet;

    fn plan() -> Plan {
        Plan {
            publishers: 2,
            subscribers: 7,
            routes: Routes::Filters { filters: 100, topics_per_filter: 3 },
            qos: QoS::AtMostOnce,
            payload_bytes: 64,
            pace: Pace::InFlight(1),
        }
    }

    #[test]
    fn every_filter_is_held_by_exactly_one_subscriber() {
        let all: Vec<_> = (0..7).flat_map(|index| filters_of_subscriber(&plan(), index)).collect();
        assert_eq!(all.len(), 100);
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), 100);
    }

    #[test]
    fn random_topics_match_one_filter_each_and_reach_all_of_them() {
        let filters: HashSet<_> = (0..7).flat_map(|index| filters_of_subscriber(&plan(), index)).collect();
        let mut topics = Topics::of_publisher(&plan(), 1);
        let mut seen = HashSet::new();
        for _ in 0..5000 {
            seen.insert(topics.next().to_owned());
        }
        assert_eq!(seen.len(), 300);
        for topic in seen {
            let (device, _) = topic.rsplit_once('/').unwrap();
            assert!(filters.contains(&format!("{device}/+")), "{topic}");
        }
    }
}
