//! Brings up the connections of a scenario: connected, subscribed, and in a known order.

use crate::clock;
use crate::codec::{self, Packet, QoS, SessionLifetime};
use crate::door::Entrance;
use crate::fault::Fault;
use crate::reactor::{ConnectionId, Handler, Outbox, Reactor, Refill};
use crate::traffic::STALL;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Connections that are being established at one time: below the listen backlog of every broker.
const CONNECTING_MAX: usize = 64;

/// Filters in one SUBSCRIBE: brokers bound this, and none is known to allow fewer.
const FILTERS_PER_SUBSCRIBE: usize = 100;

/// Longer than any run, so that no scenario needs PINGREQ, and short enough that the broker keeps a timer.
pub const KEEP_ALIVE_SECS: u16 = 1200;

/// One client to connect.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its client identifier.
    pub client_identifier: String,
    /// What it subscribes to before it counts as ready.
    pub filters: Vec<String>,
    /// The QoS of its subscriptions.
    pub qos: QoS,
    /// Whether its session outlives the connection.
    pub lifetime: SessionLifetime,
}

impl Member {
    /// A client without subscriptions.
    pub fn without_filters(client_identifier: String) -> Self {
        Self {
            client_identifier,
            filters: Vec::new(),
            qos: QoS::AtMostOnce,
            lifetime: SessionLifetime::Connection,
        }
    }
}

/// Connects all `members`; on a reactor without connections, member `n` gets connection `n`.
pub fn assemble(reactor: &mut Reactor, broker: &Entrance, members: &[Member]) -> Result<(), Fault> {
    let mut joining = Joining { members, subscribed: vec![0; members.len()], ready: 0 };
    let (mut opened, mut progress, mut patience) = (0, 0, clock::deadline(STALL));
    while joining.ready < members.len() {
        while opened < members.len() && opened - joining.ready < CONNECTING_MAX {
            let id = reactor.open(broker, source_address(broker.address, opened))?;
            debug_assert_eq!(id, opened, "a fleet is assembled on an empty reactor");
            let Member { client_identifier, lifetime, .. } = &members[opened];
            codec::encode_connect(reactor.outbox().queue(id), client_identifier, *lifetime, KEEP_ALIVE_SECS);
            opened += 1;
        }
        reactor.turn(Duration::from_millis(100), &mut joining)?;
        if joining.progress() != progress {
            (progress, patience) = (joining.progress(), clock::deadline(STALL));
        } else if clock::nanos() > patience {
            return Err(Fault::Stalled(format!(
                "{} of {} clients became ready",
                joining.ready,
                members.len()
            )));
        }
    }
    Ok(())
}

/// Spreads connections to this machine over its loopback addresses, so that rounds in quick succession do not
/// run out of ports that wait in TIME_WAIT.
pub fn source_address(broker: SocketAddr, ordinal: usize) -> Option<IpAddr> {
    const ADDRESSES: usize = 200;
    broker.ip().is_loopback().then_some(())?;
    broker.is_ipv4().then(|| Ipv4Addr::new(127, 0, 0, 2 + (ordinal % ADDRESSES) as u8).into())
}

struct Joining<'a> {
    members: &'a [Member],
    /// Per member, how many filters were sent.
    subscribed: Vec<usize>,
    ready: usize,
}

impl Joining<'_> {
    fn progress(&self) -> usize {
        self.ready + self.subscribed.iter().sum::<usize>()
    }

    fn subscribe_on(&mut self, id: ConnectionId, out: &mut Outbox) {
        let Member { filters, qos, .. } = &self.members[id];
        let sent = &mut self.subscribed[id];
        if *sent == filters.len() {
            self.ready += 1;
            return;
        }
        let end = filters.len().min(*sent + FILTERS_PER_SUBSCRIBE);
        codec::encode_subscribe(out.queue(id), 1, &filters[*sent..end], *qos);
        *sent = end;
    }
}

impl Handler for Joining<'_> {
    fn on_packet(
        &mut self,
        from: ConnectionId,
        packet: Packet<'_>,
        _: u64,
        out: &mut Outbox,
    ) -> Result<(), Fault> {
        match packet {
            Packet::Connack { return_code: 0, .. } | Packet::Suback { refused: 0 } => {
                self.subscribe_on(from, out);
                Ok(())
            }
            other => Err(Fault::Refused(format!("a client that joins got {other:?}"))),
        }
    }

    fn refill(&mut self, _: u64, _: &mut Outbox) -> Result<Refill, Fault> {
        Ok(Refill::Done)
    }
}
