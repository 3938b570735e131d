//! Who is let in, and who may not stay.

#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod support;

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream};

use socket2::{Domain, Socket, Type};
use support::{Client, PATIENCE, start, start_with};

fn connect_from(last: u8, address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let own = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)), 0);
    socket.bind(&own.into()).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.into()
}

fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

/// Whether a CONNECT is answered.
fn is_served(stream: &mut TcpStream, identifier: u8) -> bool {
    let connect = [0x10, 13, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 0, 0, 1, identifier];
    let mut connack = [0; 4];
    stream.write_all(&connect).is_ok()
        && stream.read_exact(&mut connack).is_ok()
        && connack == [0x20, 2, 0, 0]
}

#[test]
fn an_address_with_as_many_connections_as_the_bound_gets_no_more_and_others_do() {
    for shards in [1, 2] {
        let (broker, address) = start_with(shards, 1, |config| config.connections_per_address_max = 2);
        let (mut first, mut second) = (connect_from(1, address), connect_from(1, address));
        assert!(is_served(&mut first, b'a') && is_served(&mut second, b'b'));
        assert!(is_closed(&mut connect_from(1, address)));
        let mut other = connect_from(2, address);
        assert!(is_served(&mut other, b'c'));
        // Its place is free when the server has closed too.
        first.shutdown(Shutdown::Write).unwrap();
        assert!(is_closed(&mut first));
        assert!(is_served(&mut connect_from(1, address), b'd'));
        drop((second, other));
        broker.shut_down();
    }
}

#[test]
fn a_half_closed_client_that_never_reads_ends_though_it_has_no_keep_alive() {
    let (broker, address) = start(1, 1);
    let mut watcher = Client::connect(address, "w", 4);
    watcher.subscribe("gone");
    let mut silent = TcpStream::connect(address).unwrap();
    // Clean Session 1, a Will to "gone", Keep Alive 0; then a subscription to "t".
    silent.write_all(b"\x10\x16\0\x04MQTT\x04\x06\0\0\0\x01s\0\x04gone\0\x01!").unwrap();
    silent.write_all(b"\x82\x06\0\x01\0\x01t\0").unwrap();
    silent.read_exact(&mut [0; 9]).unwrap();
    let mut publisher = Client::connect(address, "p", 4);
    // 40 MB: far more than the kernel's buffers and the broker's for one connection, so nothing is read from it any more.
    for _ in 0..400 {
        for _ in 0..10 {
            publisher.publish("t", &[b'x'; 10_000]);
        }
        publisher.ping();
    }
    silent.shutdown(Shutdown::Write).unwrap();
    assert_eq!(watcher.receive(), (0x30, b"\0\x04gone!".to_vec()));
    drop((silent, publisher, watcher));
    broker.shut_down();
}

#[test]
fn a_client_that_said_disconnect_holds_no_place_though_it_stays_open() {
    for shards in [1, 2] {
        let (broker, address) = start_with(shards, 1, |config| config.connections_per_address_max = 1);
        let mut stays = connect_from(1, address);
        assert!(is_served(&mut stays, b'a'));
        stays.write_all(&[0xE0, 0]).unwrap();
        assert!(is_closed(&mut stays));
        let mut next = connect_from(1, address);
        assert!(is_served(&mut next, b'b'));
        drop((stays, next));
        broker.shut_down();
    }
}
