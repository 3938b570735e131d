//! Takes new connections from the listeners and deals them out to the shards in turn. The first shard has it.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::SockRef;

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

impl Listener {
    /// Whether a connection waits. An accept that finds none makes the kernel build a socket and throw it away, which costs
    /// several times this question.
    fn has_more(&self) -> bool {
        let mut asked = [PollFd::new(&self.listener, PollFlags::IN)];
        // When the question fails, accepting shows what is the matter.
        poll(&mut asked, Some(&Timespec::default())).map_or(true, |ready| ready > 0)
    }
}

impl Acceptor {
    pub(crate) fn new(listeners: Vec<std::net::TcpListener>, shards: usize) -> io::Result<Self> {
        let mut taken = Vec::new();
        for listener in listeners {
            listener.set_nonblocking(true)?;
            // Without it the kernel would hold small packets back for an acknowledgement. Accepted sockets inherit it.
            SockRef::from(&listener).set_tcp_nodelay(true)?;
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
    pub(crate) fn accept(&mut self, now_ms: u64, take: impl FnMut(usize, TcpStream, SocketAddr)) {
        self.accept_up_to(ACCEPTS_PER_TURN, now_ms, take);
    }

    fn accept_up_to(
        &mut self,
        mut left: usize,
        now_ms: u64,
        mut take: impl FnMut(usize, TcpStream, SocketAddr),
    ) {
        if self.paused_until_ms.is_some_and(|until| until > now_ms) {
            return;
        }
        self.paused_until_ms = None;
        for listener in &mut self.listeners {
            // Accepted since somebody looked whether there are more, and how many are accepted before the next look.
            let (mut accepted, mut run) = (0, 1);
            while listener.ready && left > 0 {
                if accepted == run {
                    listener.ready = listener.has_more();
                    (accepted, run) = (0, run * 2);
                    continue;
                }
                match listener.listener.accept() {
                    Ok((stream, peer)) => {
                        left -= 1;
                        accepted += 1;
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

/// Handshakes of one turn, so that a storm of connections does not starve those that are served.
const ACCEPTS_PER_TURN: usize = 256;
/// Long enough not to spin, short enough not to be noticed when descriptors are free again.
const ACCEPT_PAUSE_MS: u64 = 100;

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    fn acceptor() -> (Acceptor, SocketAddr) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        (Acceptor::new(vec![listener], 2).unwrap(), address)
    }

    #[test]
    fn what_is_accepted_sends_small_packets_at_once() {
        let (mut acceptor, address) = acceptor();
        let _client = TcpStream::connect(address).unwrap();
        let mut accepted = 0;
        acceptor.accept(0, |_, stream, _| {
            assert!(stream.nodelay().unwrap());
            accepted += 1;
        });
        assert_eq!(accepted, 1);
    }

    #[test]
    fn a_storm_of_connections_is_accepted_over_several_turns_and_dealt_out_evenly() {
        let (mut acceptor, address) = acceptor();
        // The standard library listens with a backlog of 4096 or what the system allows, at least 128.
        let storm: Vec<_> = (0..100).map(|_| TcpStream::connect(address).unwrap()).collect();
        let mut shards = [0; 2];
        acceptor.accept_up_to(60, 0, |shard, _, _| shards[shard] += 1);
        assert_eq!(shards, [30, 30]);
        assert!(acceptor.is_ready());
        acceptor.accept_up_to(60, 0, |shard, _, _| shards[shard] += 1);
        assert_eq!(shards, [50, 50]);
        assert!(!acceptor.is_ready());
        drop(storm);
    }
}
