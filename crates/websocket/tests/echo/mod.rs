//! An echo server over the crate: what the Autobahn testsuite drives, and our own cases too.
//!
//! A thread for each connection, blocking sockets. It serves text, unlike the broker, and offers its answers through
//! the same two functions as the broker does.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use tidegate_websocket::{Event, MessageKind, Options, Progress, Rules, TextMessages, Upgrade, WebSocket};

/// Serves until the listener fails, each client on a thread of its own.
pub fn serve(listener: &TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept()?;
        std::thread::spawn(move || serve_client(stream));
    }
}

/// One client, to its end. That a client goes away is no error of a server.
fn serve_client(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; READ_BYTES];
    let Some((used, mut len)) = upgrade(&mut stream, &mut buffer)? else { return linger(stream) };
    buffer.copy_within(used..len, 0);
    len -= used;
    let mut socket = WebSocket::new(Options { text: TextMessages::Accepted, ..Options::default() });
    let mut message = Vec::new();
    loop {
        let mut unread = &mut buffer[..len];
        while let Some(event) = socket.receive(&mut unread) {
            match event {
                Event::Payload { bytes, kind, ends_message } => {
                    message.extend_from_slice(bytes);
                    if ends_message {
                        send_message(&mut stream, &mut socket, kind, &message)?;
                        message.clear();
                    }
                }
                Event::End(_) => {
                    send_owed(&mut stream, &mut socket)?;
                    return linger(stream);
                }
            }
        }
        send_owed(&mut stream, &mut socket)?;
        len = stream.read(&mut buffer)?;
        if len == 0 {
            return Ok(());
        }
    }
}

/// Answers the request; where the frames in `buffer` begin and end, when it was accepted.
fn upgrade(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<Option<(usize, usize)>> {
    let (rules, mut upgrade, mut answer) = (Rules::default(), Upgrade::default(), Vec::new());
    loop {
        let len = stream.read(buffer)?;
        let progress = upgrade.receive(&rules, &buffer[..len], &mut answer);
        stream.write_all(&answer)?;
        match progress {
            Ok(Progress::Accepted { used, .. }) => return Ok(Some((used, len))),
            Ok(Progress::Unfinished) if len > 0 => {}
            _ => return Ok(None),
        }
    }
}

/// Writes one message, and what is owed before it.
fn send_message(
    stream: &mut TcpStream,
    socket: &mut WebSocket,
    kind: MessageKind,
    payload: &[u8],
) -> io::Result<()> {
    let offer = socket.offer_message(kind, payload.len());
    let count = offer.head.len() + offer.payload;
    stream.write_all(offer.head)?;
    stream.write_all(&payload[..offer.payload])?;
    socket.sent(count);
    Ok(())
}

/// Writes what is owed besides messages: Pongs, and a Close.
fn send_owed(stream: &mut TcpStream, socket: &mut WebSocket) -> io::Result<()> {
    while socket.is_owed() {
        let head = socket.offer(0).head;
        let count = head.len();
        stream.write_all(head)?;
        socket.sent(count);
    }
    Ok(())
}

/// Closes so that no reset destroys the Close that is on its way: what still arrives is read and thrown away.
fn linger(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    stream.set_read_timeout(Some(LINGER))?;
    let mut thrown_away = [0; 4096];
    while stream.read(&mut thrown_away)? > 0 {}
    Ok(())
}

const READ_BYTES: usize = 64 * 1024;
const LINGER: Duration = Duration::from_secs(1);
