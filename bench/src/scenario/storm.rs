//! Connections that come and go: CONNECT, CONNACK, DISCONNECT, and the next one takes the place.

use crate::broker::Broker;
use crate::clock;
use crate::codec::{self, Packet, SessionLifetime};
use crate::door::{Door, Entrance};
use crate::fault::Fault;
use crate::fleet::{self, KEEP_ALIVE_SECS};
use crate::measures::{Measures, Metric};
use crate::reactor::{ConnectionId, Handler, Outbox, Reactor, Refill};
use crate::traffic::{STALL, Timing};
use std::time::Duration;

/// Connections that are being established at one time.
const CONNECTING: usize = 64;

pub(super) fn measure(broker: &Broker, door: Door, timing: Timing) -> Result<Measures, Fault> {
    let mut storm = Storm { reactor: Reactor::new()?, broker: broker.entrance(door)?, opened: 0, open: 0 };
    let mut arrivals = Arrivals::default();
    storm.blow(&mut arrivals, clock::deadline(timing.warm_up))?;
    let (usage_before, begin) = (broker.usage()?, clock::nanos());
    arrivals.accepted = 0;
    storm.blow(&mut arrivals, clock::deadline(timing.measured))?;
    let (usage_after, end) = (broker.usage()?, clock::nanos());

    let accepted = arrivals.accepted as f64;
    let mut measures = Measures::default();
    measures.set(Metric::ConnectionsPerSecond, accepted * 1e9 / (end - begin) as f64);
    if let Some((before, after)) = usage_before.zip(usage_after) {
        measures.set(Metric::CpuMicrosPerConnection, after.nanos_since(&before) as f64 / 1e3 / accepted);
    }
    Ok(measures)
}

struct Storm<'b> {
    reactor: Reactor,
    broker: &'b Entrance,
    opened: usize,
    open: usize,
}

impl Storm<'_> {
    fn blow(&mut self, arrivals: &mut Arrivals, end: u64) -> Result<(), Fault> {
        let mut stalled_at = clock::deadline(STALL);
        while clock::nanos() < end {
            while self.open < CONNECTING {
                let id = self
                    .reactor
                    .open(self.broker, fleet::source_address(self.broker.address, self.opened))?;
                let client_identifier = format!("bench-storm-{}", self.opened);
                let queue = self.reactor.outbox().queue(id);
                codec::encode_connect(
                    queue,
                    &client_identifier,
                    SessionLifetime::Connection,
                    KEEP_ALIVE_SECS,
                );
                self.opened += 1;
                self.open += 1;
            }
            self.reactor.turn(Duration::from_millis(50), arrivals)?;
            if !arrivals.leaving.is_empty() {
                stalled_at = clock::deadline(STALL);
            } else if clock::nanos() > stalled_at {
                return Err(Fault::Stalled("the broker accepts no connection any more".into()));
            }
            for id in arrivals.leaving.drain(..) {
                self.reactor.close(id)?;
                self.open -= 1;
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Arrivals {
    accepted: u64,
    leaving: Vec<ConnectionId>,
}

impl Handler for Arrivals {
    fn on_packet(
        &mut self,
        from: ConnectionId,
        packet: Packet<'_>,
        _: u64,
        out: &mut Outbox,
    ) -> Result<(), Fault> {
        let Packet::Connack { return_code: 0, .. } = packet else {
            return Err(Fault::Refused(format!("a connecting client got {packet:?}")));
        };
        codec::encode_disconnect(out.queue(from));
        self.accepted += 1;
        self.leaving.push(from);
        Ok(())
    }

    fn refill(&mut self, _: u64, _: &mut Outbox) -> Result<Refill, Fault> {
        Ok(Refill::Done)
    }
}
