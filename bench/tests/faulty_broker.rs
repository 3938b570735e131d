//! A run against a broker that misbehaves has to be void. The broker here is a few lines of this file: it
//! forwards what the publisher sends to the subscriber, and does something wrong with one of the messages.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;
use tidegate_bench::affinity::{Cores, Placement};
use tidegate_bench::broker::{Broker, Contestant, Programs};
use tidegate_bench::codec::QoS;
use tidegate_bench::door::{Door, Doors};
use tidegate_bench::fault::Fault;
use tidegate_bench::traffic::{self, Outcome, Pace, Plan, Routes, Timing};

/// What happens to the message with number [`VICTIM`].
#[derive(Clone, Copy)]
enum Misdeed {
    Nothing,
    Loses,
    Repeats,
    Shortens,
    HangsUp,
}

const VICTIM: usize = 1000;
const CONNACK: &[u8] = b"\x20\x02\x00\x00";
const SUBACK: &[u8] = b"\x90\x03\x00\x01\x00";

/// Listens for a subscriber and a publisher, and serves them until they leave.
fn start_broker(misdeed: Misdeed) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || serve(&listener, misdeed));
    Ok(address)
}

/// The subscriber is the first to connect.
fn serve(listener: &TcpListener, misdeed: Misdeed) -> io::Result<()> {
    let (mut subscriber, _) = listener.accept()?;
    let (mut publisher, _) = listener.accept()?;
    for (client, answers) in [(&mut subscriber, &[CONNACK, SUBACK][..]), (&mut publisher, &[CONNACK])] {
        for answer in answers {
            read_packet(client)?;
            client.write_all(answer)?;
        }
    }
    forward(&mut publisher, &mut subscriber, misdeed)
}

fn forward(publisher: &mut TcpStream, subscriber: &mut TcpStream, misdeed: Misdeed) -> io::Result<()> {
    for number in 0.. {
        let mut packet = read_packet(publisher)?;
        let mut times = 1;
        if number == VICTIM {
            match misdeed {
                Misdeed::Nothing => {}
                Misdeed::Loses => times = 0,
                Misdeed::Repeats => times = 2,
                Misdeed::Shortens => {
                    packet[1] -= 1;
                    packet.pop();
                }
                Misdeed::HangsUp => break,
            }
        }
        for _ in 0..times {
            subscriber.write_all(&packet)?;
        }
    }
    Ok(())
}

/// Packets of these tests are shorter than 128 bytes, so that the length is one byte.
fn read_packet(from: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut packet = vec![0; 2];
    from.read_exact(&mut packet)?;
    packet.resize(2 + usize::from(packet[1]), 0);
    from.read_exact(&mut packet[2..])?;
    Ok(packet)
}

fn run_against(misdeed: Misdeed) -> Result<Outcome, Fault> {
    let address = start_broker(misdeed).map_err(Fault::io("starting the broker of this test"))?;
    let external = Contestant::External { address, process: None };
    let programs =
        Programs { tidegate: "unused".into(), tidegate_settings: Vec::new(), mosquitto: "unused".into() };
    let broker =
        Broker::start(&external, &programs, &Cores::of_this_process()?, Placement::Free, Doors::TcpOnly)?;
    let plan = Plan {
        publishers: 1,
        subscribers: 1,
        routes: Routes::Pairs,
        qos: QoS::AtMostOnce,
        payload_bytes: 64,
        pace: Pace::InFlight(10),
    };
    // Long enough for the victim to pass on a slow machine; a fault ends the run at once.
    let timing = Timing { warm_up: Duration::from_millis(50), measured: Duration::from_millis(950) };
    traffic::run(&plan, &broker, broker.entrance(Door::Tcp)?, timing, || Ok(()))
}

#[test]
fn an_honest_broker_yields_figures() {
    let outcome = run_against(Misdeed::Nothing).unwrap();
    assert!(outcome.tally.delivered > 0);
    assert!(outcome.tally.latency.quantile(0.5).is_some());
    assert!(outcome.elapsed >= 950_000_000);
}

#[test]
fn a_lost_message_voids_the_run() {
    assert!(matches!(run_against(Misdeed::Loses), Err(Fault::Delivery(reason)) if reason.contains("lost")));
}

#[test]
fn a_repeated_message_voids_the_run() {
    assert!(
        matches!(run_against(Misdeed::Repeats), Err(Fault::Delivery(reason)) if reason.contains("repeated"))
    );
}

#[test]
fn a_damaged_message_voids_the_run() {
    assert!(matches!(run_against(Misdeed::Shortens), Err(Fault::Delivery(_))));
}

#[test]
fn a_broker_that_hangs_up_voids_the_run() {
    // With data unread, the end of a connection may arrive as a reset.
    assert!(matches!(run_against(Misdeed::HangsUp), Err(Fault::Refused(_) | Fault::Io(..))));
}
