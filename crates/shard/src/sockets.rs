//! The sockets of one shard, by slot. The core's connections have the same numbers.

use std::net::SocketAddr;

use mio::net::TcpStream;
use tidegate_core::ConnectionId;

/// One socket.
pub(crate) struct Socket {
    pub(crate) stream: TcpStream,
    pub(crate) peer: SocketAddr,
    generation: u32,
    /// Stands in the list of those to read from.
    pub(crate) ready: bool,
    /// There may be something to read: the kernel said so, and since then no read has shown that nothing is left.
    pub(crate) unread: bool,
    /// The kernel was asked to tell when there is room to write. Most sockets never need it.
    pub(crate) watches_room: bool,
    /// The kernel took less than it was given and has not said since that there is room.
    pub(crate) write_blocked: bool,
    /// The kernel said that the peer sends no more: read until the end shows.
    pub(crate) read_closed: bool,
    /// Stands in the list of those who send no more and do not read; see `lingering`.
    pub(crate) half_closed: bool,
    /// The core is done with it; see `lingering`.
    pub(crate) lingering: bool,
}

/// The table of sockets.
#[derive(Default)]
pub(crate) struct Sockets {
    slots: Vec<Option<Socket>>,
    generations: Vec<u32>,
    free: Vec<u32>,
}

impl Sockets {
    pub(crate) fn insert(&mut self, stream: TcpStream, peer: SocketAddr) -> ConnectionId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.generations.push(0);
            (self.slots.len() - 1) as u32
        });
        let generation = self.generations[index as usize];
        self.slots[index as usize] = Some(Socket {
            stream,
            peer,
            generation,
            ready: false,
            unread: false,
            watches_room: false,
            half_closed: false,
            write_blocked: false,
            read_closed: false,
            lingering: false,
        });
        ConnectionId { index, generation }
    }

    /// The socket of a connection, unless its slot was given to another.
    pub(crate) fn get(&mut self, id: ConnectionId) -> Option<&mut Socket> {
        self.at(id.index).filter(|socket| socket.generation == id.generation)
    }

    /// The socket in a slot: for events of the kernel, which name slots.
    pub(crate) fn at(&mut self, index: u32) -> Option<&mut Socket> {
        self.slots.get_mut(index as usize)?.as_mut()
    }

    /// The connection in a slot.
    pub(crate) fn id_at(&self, index: u32) -> Option<ConnectionId> {
        let socket = self.slots.get(index as usize)?.as_ref()?;
        Some(ConnectionId { index, generation: socket.generation })
    }

    pub(crate) fn remove(&mut self, id: ConnectionId) -> Option<Socket> {
        self.get(id)?;
        let socket = self.slots[id.index as usize].take()?;
        self.generations[id.index as usize] = id.generation.wrapping_add(1);
        self.free.push(id.index);
        Some(socket)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.len() == self.free.len()
    }
}
