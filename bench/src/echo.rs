//! A program that acknowledges as a broker with a journal must, and does nothing else: the reference for the time of an
//! acknowledgement.
//!
//! One thread waits for sockets and reads; it hands what was published to a second one, which writes as many bytes as a
//! journal would, syncs them, and wakes the first, which answers. What comes during a sync is the next batch. There are
//! no sessions, no topics and no subscriptions, and nothing is ever read back.

mod socket;
mod writer;

use crate::bare_loop::BareLoop;
use crate::fault::Fault;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};
use socket::Socket;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use writer::Desk;

const LISTENER: Token = Token(usize::MAX);
/// Many times what one publisher has in flight.
const READ_BYTES: usize = 64 * 1024;
const WAKER: Token = Token(usize::MAX - 1);

/// One message that waits for its acknowledgement.
#[derive(Clone, Copy, Debug)]
struct Message {
    connection: usize,
    packet_identifier: u16,
}

/// Serves until it is killed. For each message `record_bytes` are written to a file in `folder`.
pub fn serve(folder: &Path, record_bytes: usize) -> Result<(), Fault> {
    let bare = BareLoop::create(folder)?;
    serve_with(bare, record_bytes).map_err(Fault::io("echoing"))
}

fn serve_with(bare: BareLoop, record_bytes: usize) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let desk = Arc::new(Desk::default());
    writer::start(bare, record_bytes, Arc::clone(&desk), Waker::new(poll.registry(), WAKER)?)?;
    writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;

    let mut events = Events::with_capacity(1024);
    let (mut sockets, mut published, mut durable) = (Vec::<Socket>::new(), Vec::new(), Vec::new());
    let mut buffer = vec![0; READ_BYTES];
    loop {
        if let Err(error) = poll.poll(&mut events, None)
            && error.kind() != io::ErrorKind::Interrupted
        {
            return Err(error);
        }
        for event in &events {
            match event.token() {
                LISTENER => accept(&mut listener, &poll, &mut sockets)?,
                WAKER => {
                    desk.take_durable(&mut durable);
                    for message in durable.drain(..) {
                        sockets[message.connection].acknowledge(message.packet_identifier);
                    }
                }
                Token(connection) => sockets[connection].read(&mut buffer, |packet_identifier| {
                    published.push(Message { connection, packet_identifier });
                })?,
            }
        }
        desk.hand_over(&mut published);
        sockets.iter_mut().try_for_each(Socket::flush)?;
    }
}

fn accept(listener: &mut TcpListener, poll: &Poll, sockets: &mut Vec<Socket>) -> io::Result<()> {
    loop {
        match listener.accept() {
            Ok((mut stream, _)) => {
                stream.set_nodelay(true)?;
                poll.registry().register(&mut stream, Token(sockets.len()), Interest::READABLE)?;
                sockets.push(Socket::new(stream));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
