//! One non-blocking socket with the incomplete packet at the end of what was read.

use super::layers::Layers;
use super::outbox::Queue;
use crate::door::Entrance;
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
    /// None for plain TCP.
    layers: Option<Box<Layers>>,
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
    pub(super) fn open(broker: &Entrance, source: Option<IpAddr>) -> io::Result<Self> {
        let (layers, broker) = (Layers::of(broker)?, broker.address);
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
            _ => Ok(Self { stream: TcpStream::from_std(socket.into()), partial: Vec::new(), layers }),
        }
    }

    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.stream, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Whether reading may leave something to be written.
    #[inline]
    pub(super) fn has_layers(&self) -> bool {
        self.layers.is_some()
    }

    /// Puts the kept front and the bytes of one read into `buffer`; `wrapped` has the same size and is for what a read
    /// brings that has to be unwrapped first.
    #[inline]
    pub(super) fn receive(&mut self, buffer: &mut [u8], wrapped: &mut [u8]) -> io::Result<Received> {
        let kept = self.partial.len();
        let room = buffer.len() - kept;
        let read = match self.layers {
            None => self.stream.read(&mut buffer[kept..]),
            Some(_) => self.stream.read(&mut wrapped[..room]),
        };
        match read {
            Ok(0) => Ok(Received::End),
            Ok(count) => {
                buffer[..kept].copy_from_slice(&self.partial);
                self.partial.clear();
                let unwrapped = match &mut self.layers {
                    None => count,
                    Some(layers) => layers.receive(&wrapped[..count], &mut buffer[kept..])?,
                };
                Ok(Received::Bytes { end: kept + unwrapped, more: count == room })
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
        match &mut self.layers {
            None => write(&mut self.stream, &mut queue.bytes, &mut queue.written),
            Some(layers) => {
                layers.send(&mut queue.bytes)?;
                write(&mut self.stream, &mut layers.wire, &mut layers.written)
            }
        }
    }
}

/// Writes what follows the first `written` of `bytes`, and forgets all when all has left.
#[inline]
fn write(stream: &mut TcpStream, bytes: &mut Vec<u8>, written: &mut usize) -> io::Result<()> {
    while *written < bytes.len() {
        match stream.write(&bytes[*written..]) {
            Ok(count) => *written += count,
            Err(error) if is_not_ready(&error) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    bytes.clear();
    *written = 0;
    Ok(())
}

/// A socket that is still connecting answers like one that is full.
fn is_not_ready(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected)
}
