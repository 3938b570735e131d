//! Takes new connections from the listeners and deals them out to the shards in turn. The first shard has it.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};

/// The listeners of a process.
pub(crate) struct Acceptor {
    listeners: Vec<Listener>,
    next_shard: usize,
    shards: usize,
    /// Accepting pauses until then: the process is out of descriptors.
    paused_until_ms: Option<u64>,
}

struct Listener {
    listener: TcpListener,
    /// There may be more to accept.
    ready: bool,
}

impl Acceptor {
    pub(crate) fn new(listeners: Vec<std::net::TcpListener>, shards: usize) -> io::Result<Self> {
        let mut taken = Vec::new();
        for listener in listeners {
            listener.set_nonblocking(true)?;
            taken.push(Listener { listener: TcpListener::from_std(listener), ready: true });
        }
        Ok(Self { listeners: taken, next_shard: 0, shards, paused_until_ms: None })
    }

    pub(crate) fn register(&mut self, registry: &Registry, first_token: usize) -> io::Result<()> {
        for (index, listener) in self.listeners.iter_mut().enumerate() {
            registry.register(&mut listener.listener, Token(first_token + index), Interest::READABLE)?;
        }
        Ok(())
    }

    /// The kernel says that a listener has connections.
    pub(crate) fn wake(&mut self, index: usize) {
        if let Some(listener) = self.listeners.get_mut(index) {
            listener.ready = true;
        }
    }

    /// Whether `accept` has work now.
    pub(crate) fn is_ready(&self) -> bool {
        self.paused_until_ms.is_none() && self.listeners.iter().any(|listener| listener.ready)
    }

    pub(crate) fn next_deadline(&self) -> Option<u64> {
        self.paused_until_ms
    }

    /// Stops listening for good.
    pub(crate) fn close(&mut self, registry: &Registry) {
        for mut listener in self.listeners.drain(..) {
            let _ = registry.deregister(&mut listener.listener);
        }
        self.paused_until_ms = None;
    }

    /// Accepts up to [`ACCEPTS_PER_TURN`] connections; each with the number of the shard that gets it.
    pub(crate) fn accept(&mut self, now_ms: u64, mut take: impl FnMut(usize, TcpStream, SocketAddr)) {
        if self.paused_until_ms.is_some_and(|until| until > now_ms) {
            return;
        }
        self.paused_until_ms = None;
        let mut left = ACCEPTS_PER_TURN;
        for listener in &mut self.listeners {
            while listener.ready && left > 0 {
                match listener.listener.accept() {
                    Ok((stream, peer)) => {
                        left -= 1;
                        // Without it the kernel would hold small packets back for an acknowledgement.
                        let _ = stream.set_nodelay(true);
                        take(self.next_shard, stream, peer);
                        self.next_shard = (self.next_shard + 1) % self.shards;
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => listener.ready = false,
                    // The peer was gone before it was accepted, or a signal came: there may be others.
                    Err(error) if is_of_one_connection(&error) => left -= 1,
                    Err(error) => {
                        // Out of descriptors or memory: trying again at once would spin.
                        self.paused_until_ms = Some(now_ms + ACCEPT_PAUSE_MS);
                        tracing::warn!(
                            "no new connection can be accepted for {ACCEPT_PAUSE_MS} ms: {error}. \
                             help: raise the limit of open files of this process (ulimit -n, LimitNOFILE)"
                        );
                        return;
                    }
                }
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted)
}

/// So that a storm of connections does not starve those that are served.
const ACCEPTS_PER_TURN: usize = 256;
/// Long enough not to spin, short enough not to be noticed when descriptors are free again.
const ACCEPT_PAUSE_MS: u64 = 100;
