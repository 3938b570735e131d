//! Thousands of client connections on one thread.
//!
//! A turn waits for readiness, drains each ready socket into one shared buffer, hands every packet to the
//! [`Handler`], then lets the handler fill connections, one write per connection. It knows packets but not
//! what they are for. Readiness is edge-triggered: a read shorter than the buffer shows that the socket is
//! empty.

mod connection;
mod layers;
mod outbox;
mod websocket;

pub use outbox::Outbox;

use crate::clock;
use crate::codec::{self, Packet};
use crate::door::Entrance;
use crate::fault::Fault;
use connection::{Connection, Received};
use mio::{Events, Poll, Token};
use std::net::IpAddr;
use std::time::Duration;

/// Index of a connection; those of closed connections are used again.
pub type ConnectionId = usize;

/// One read takes up to this much, so that a subscriber's backlog is seen whole before anything is answered.
const READ_BUFFER_BYTES: usize = 512 * 1024;

/// More sockets than any scenario has ready at once; the rest is reported by the next turn.
const EVENTS_PER_TURN: usize = 4096;

/// What a scenario does with the packets of its connections.
pub trait Handler {
    /// A packet arrived on `from`, read at `now`.
    fn on_packet(
        &mut self,
        from: ConnectionId,
        packet: Packet<'_>,
        now: u64,
        out: &mut Outbox,
    ) -> Result<(), Fault>;

    /// Called at the end of a turn until it returns false; what it queues leaves between two calls.
    fn refill(&mut self, now: u64, out: &mut Outbox) -> Result<Refill, Fault>;
}

/// Whether a handler may have more to send in this turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refill {
    /// Call again after flushing.
    More,
    /// Nothing left.
    Done,
}

/// The sockets, and what waits to be written to them.
#[derive(Debug)]
pub struct Reactor {
    poll: Poll,
    events: Events,
    connections: Vec<Option<Connection>>,
    vacant: Vec<ConnectionId>,
    outbox: Outbox,
    buffer: Vec<u8>,
    /// For what has to be unwrapped before it can go into the buffer.
    wrapped: Vec<u8>,
}

impl Reactor {
    /// A reactor without connections.
    pub fn new() -> Result<Self, Fault> {
        Ok(Self {
            poll: Poll::new().map_err(Fault::io("creating the poll"))?,
            events: Events::with_capacity(EVENTS_PER_TURN),
            connections: Vec::new(),
            vacant: Vec::new(),
            outbox: Outbox::default(),
            buffer: vec![0; READ_BUFFER_BYTES],
            wrapped: vec![0; READ_BUFFER_BYTES],
        })
    }

    /// Begins a connection; what is queued for it leaves as soon as it stands.
    pub fn open(&mut self, broker: &Entrance, source: Option<IpAddr>) -> Result<ConnectionId, Fault> {
        let mut connection = Connection::open(broker, source)
            .map_err(Fault::io(format!("connecting to {}", broker.address)))?;
        let id = self.vacant.pop().unwrap_or(self.connections.len());
        connection.register(self.poll.registry(), Token(id)).map_err(Fault::io("registering a socket"))?;
        if id == self.connections.len() {
            self.connections.push(Some(connection));
        } else {
            self.connections[id] = Some(connection);
        }
        self.outbox.reset(id);
        Ok(id)
    }

    /// Writes what is queued and closes; the broker sees the end of the stream.
    pub fn close(&mut self, id: ConnectionId) -> Result<(), Fault> {
        self.flush_one(id)?;
        if let Some(connection) = self.connections.get_mut(id).and_then(Option::take) {
            drop(connection);
            self.outbox.reset(id);
            self.vacant.push(id);
        }
        Ok(())
    }

    /// Where packets for `id` are queued from outside of a turn.
    pub fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// Waits up to `patience` for readiness, then reads, handles and writes.
    pub fn turn(&mut self, patience: Duration, handler: &mut impl Handler) -> Result<(), Fault> {
        self.flush()?;
        if let Err(error) = self.poll.poll(&mut self.events, Some(patience))
            && error.kind() != std::io::ErrorKind::Interrupted
        {
            return Err(Fault::Io("waiting for readiness".into(), error));
        }
        for event in &self.events {
            let Token(id) = event.token();
            let Some(connection) = self.connections.get_mut(id).and_then(Option::as_mut) else { continue };
            if event.is_writable() {
                connection.flush(self.outbox.of(id)).map_err(Fault::io("writing to the broker"))?;
            }
            if event.is_readable() {
                let buffers = (&mut self.buffer[..], &mut self.wrapped[..]);
                drain(connection, id, buffers, &mut self.outbox, handler)?;
                if connection.has_layers() {
                    self.outbox.queue(id);
                }
            }
        }
        while handler.refill(clock::nanos(), &mut self.outbox)? == Refill::More {
            self.flush()?;
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<(), Fault> {
        while let Some(id) = self.outbox.next_dirty() {
            self.flush_one(id)?;
        }
        Ok(())
    }

    fn flush_one(&mut self, id: ConnectionId) -> Result<(), Fault> {
        match self.connections.get_mut(id) {
            Some(Some(connection)) => {
                connection.flush(self.outbox.of(id)).map_err(Fault::io("writing to the broker"))
            }
            _ => Ok(()),
        }
    }
}

fn drain(
    connection: &mut Connection,
    id: ConnectionId,
    (buffer, wrapped): (&mut [u8], &mut [u8]),
    outbox: &mut Outbox,
    handler: &mut impl Handler,
) -> Result<(), Fault> {
    loop {
        let received = connection.receive(buffer, wrapped).map_err(Fault::io("reading from the broker"))?;
        let (end, more) = match received {
            Received::Nothing => return Ok(()),
            Received::End => {
                return Err(Fault::Refused("the broker closed a connection that was in use".into()));
            }
            Received::Bytes { end, more } => (end, more),
        };
        let now = clock::nanos();
        let mut start = 0;
        while let Some((packet, length)) =
            codec::decode(&buffer[start..end]).map_err(|error| Fault::Malformed(error.0))?
        {
            handler.on_packet(id, packet, now, outbox)?;
            start += length;
        }
        connection.keep(&buffer[start..end]);
        if !more {
            return Ok(());
        }
    }
}
