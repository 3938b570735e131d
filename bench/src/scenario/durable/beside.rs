//! The program that hands over between threads, writes and syncs as a broker must, and does nothing else: what the whole
//! of an acknowledgement can take here, measured by the same publisher.

use super::Backlog;
use super::publishing::{Publishing, Tally};
use crate::broker::Broker;
use crate::clock;
use crate::fault::Fault;
use crate::measures::{Measures, Metric};
use crate::reactor::Reactor;
use crate::statistics::ratio;
use std::time::Duration;

/// Long enough for its threads to have run and its file to be touched.
const WARM_UP: Duration = Duration::from_millis(100);

pub(super) struct Echo<'b> {
    _program: Broker,
    reactor: Reactor,
    publishing: Publishing<'b>,
}

impl<'b> Echo<'b> {
    /// Starts it on the cores of `broker`; for each message it writes `record_bytes`.
    pub(super) fn start(backlog: &'b Backlog, broker: &Broker, record_bytes: usize) -> Result<Self, Fault> {
        let program = Broker::start_echo(broker, record_bytes)?;
        let reactor = backlog.connect_publishers(&program)?;
        let mut echo = Self { _program: program, reactor, publishing: Publishing::new(backlog, None) };
        echo.publish(WARM_UP)?;
        echo.publishing.tally = Tally::default();
        Ok(echo)
    }

    /// One turn.
    pub(super) fn publish(&mut self, turn: Duration) -> Result<(), Fault> {
        self.publishing.run(&mut self.reactor, clock::deadline(turn))
    }

    pub(super) fn add_figures(&self, measures: &mut Measures) {
        let micros = |share| self.publishing.tally.latency.quantile(share).map(|nanos| nanos as f64 / 1e3);
        measures.set(Metric::EchoP50Micros, micros(0.5));
        measures.set(Metric::EchoP99Micros, micros(0.99));
        let latency = measures.figures.get(&Metric::LatencyP50Micros).copied();
        let times = latency.zip(micros(0.5)).and_then(|(ours, echo)| ratio(ours, echo));
        measures.set(Metric::TimesEcho, times);
    }
}
