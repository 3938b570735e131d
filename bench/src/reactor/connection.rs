//! One non-blocking socket with the incomplete packet at the end of what was read.

use super::outbox::Queue;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};

#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    /// The front of a packet whose rest has not arrived.
    partial: Vec<u8>,
}

pub(super) enum Received {
    /// The buffer holds bytes up to `end`; with `more`, the socket may hold others.
    Bytes {
        end: usize,
        more: bool,
    },
    Nothing,
    End,
}

impl Connection {
    pub(super) fn open(broker: SocketAddr, source: Option<IpAddr>) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(broker), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if let Some(source) = source {
            socket.bind(&SocketAddr::new(source, 0).into())?;
        }
        match socket.connect(&broker.into()) {
            Err(error) if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {
                Err(error)
            }
            _ => Ok(Self { stream: TcpStream::from_std(socket.into()), partial: Vec::new() }),
        }
    }

    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.stream, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Puts the kept front and the bytes of one read into `buffer`.
    #[inline]
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        let kept = self.partial.len();
        match self.stream.read(&mut buffer[kept..]) {
            Ok(0) => Ok(Received::End),
            Ok(count) => {
                buffer[..kept].copy_from_slice(&self.partial);
                self.partial.clear();
                Ok(Received::Bytes { end: kept + count, more: kept + count == buffer.len() })
            }
            Err(error) if is_not_ready(&error) => Ok(Received::Nothing),
            Err(error) => Err(error),
        }
    }

    #[inline]
    pub(super) fn keep(&mut self, rest: &[u8]) {
        self.partial.extend_from_slice(rest);
    }

    /// Writes as much of `queue` as the socket takes; readiness to write will bring the rest here again.
    #[inline]
    pub(super) fn flush(&mut self, queue: &mut Queue) -> io::Result<()> {
        while queue.written < queue.bytes.len() {
            match self.stream.write(&queue.bytes[queue.written..]) {
                Ok(count) => queue.written += count,
                Err(error) if is_not_ready(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        queue.bytes.clear();
        queue.written = 0;
        Ok(())
    }
}

/// A socket that is still connecting answers like one that is full.
fn is_not_ready(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected)
}
