//! What a test demands of the server, with a message that shows what came instead.

use std::time::Duration;

use crate::build::pingreq;
use crate::client::{Incoming, PATIENCE, RawClient};
use crate::hex::dump;
use crate::parse::{Ack, Connack, Packet, Suback};
use crate::property::Properties;
use crate::publish::Publish;

macro_rules! expect_ack {
    ($($(#[$doc:meta])* $name:ident: $variant:ident -> $type:ty;)*) => {
        impl RawClient {
            $(
                $(#[$doc])*
                #[track_caller]
                pub fn $name(&mut self, packet_id: u16) -> $type {
                    let what = concat!(stringify!($variant), " for Packet Identifier");
                    let packet = self.answer(&format!("{what} {packet_id}"), |p| matches!(p, Packet::$variant(_)));
                    let Packet::$variant(ack) = packet else { unreachable!("answer() returns what was asked for") };
                    assert_eq!(ack.packet_id, packet_id, "the Packet Identifier of {ack:?}");
                    ack
                }
            )*
        }
    };
}

expect_ack! {
    /// The PUBACK for this Packet Identifier; PUBLISH packets that come before it are set aside.
    expect_puback: Puback -> Ack;
    /// The PUBREC for this Packet Identifier; PUBLISH packets that come before it are set aside.
    expect_pubrec: Pubrec -> Ack;
    /// The PUBREL for this Packet Identifier; PUBLISH packets that come before it are set aside.
    expect_pubrel: Pubrel -> Ack;
    /// The PUBCOMP for this Packet Identifier; PUBLISH packets that come before it are set aside.
    expect_pubcomp: Pubcomp -> Ack;
    /// The SUBACK for this Packet Identifier; PUBLISH packets that come before it are set aside.
    expect_suback: Suback -> Suback;
    /// The UNSUBACK for this Packet Identifier; PUBLISH packets that come before it are set aside.
    expect_unsuback: Unsuback -> Suback;
}

impl RawClient {
    /// Waits for an answer to a request and sets aside the messages that overtake it.
    #[track_caller]
    fn answer(&mut self, what: &str, is_it: fn(&Packet) -> bool) -> Packet {
        if let Some(at) = self.aside.iter().position(is_it) {
            return self.aside.remove(at).expect("the position was just found");
        }
        for _ in 0..SET_ASIDE_MAX {
            match self.next_from_wire(PATIENCE) {
                Incoming::Packet(packet) if is_it(&packet) => return packet,
                Incoming::Packet(packet @ (Packet::Publish(_) | Packet::Pubrel(_))) => {
                    self.aside.push_back(packet)
                }
                other => panic!("expected {what}, got {other:?}{}", self.leftover()),
            }
        }
        panic!("expected {what}, got {SET_ASIDE_MAX} messages instead");
    }

    /// The next packet, whatever it is.
    #[track_caller]
    pub fn receive(&mut self) -> Packet {
        match self.next(PATIENCE) {
            Incoming::Packet(packet) => packet,
            other => panic!("expected a packet, got {other:?}{}", self.leftover()),
        }
    }

    /// CONNACK as the next packet.
    #[track_caller]
    pub fn expect_connack(&mut self) -> Connack {
        match self.next(PATIENCE) {
            Incoming::Packet(Packet::Connack(connack)) => connack,
            other => panic!("expected CONNACK, got {other:?}{}", self.leftover()),
        }
    }

    /// PUBLISH as the next packet.
    #[track_caller]
    pub fn expect_publish(&mut self) -> Publish {
        self.expect_publish_within(PATIENCE)
    }

    /// PUBLISH as the next packet, for messages that come late on purpose.
    #[track_caller]
    pub fn expect_publish_within(&mut self, limit: Duration) -> Publish {
        match self.next(limit) {
            Incoming::Packet(Packet::Publish(publish)) => publish,
            other => panic!("expected PUBLISH, got {other:?}{}", self.leftover()),
        }
    }

    /// PUBLISH as the next packet, with this payload.
    #[track_caller]
    pub fn expect_message(&mut self, payload: &str) -> Publish {
        let publish = self.expect_publish();
        assert_eq!(String::from_utf8_lossy(&publish.payload), payload, "the payload of {publish:?}");
        publish
    }

    /// As many PUBLISH packets, completing the flow of each.
    #[track_caller]
    pub fn expect_publishes(&mut self, count: usize) -> Vec<Publish> {
        (0..count)
            .map(|_| {
                let publish = self.expect_publish();
                self.acknowledge(&publish);
                publish
            })
            .collect()
    }

    /// PINGRESP as the next packet.
    #[track_caller]
    pub fn expect_pingresp(&mut self) {
        match self.next(PATIENCE) {
            Incoming::Packet(Packet::Pingresp) => {}
            other => panic!("expected PINGRESP, got {other:?}{}", self.leftover()),
        }
    }

    /// Shows that the connection lives and that the server has nothing to say: PINGRESP comes first.
    ///
    /// It proves silence only for what the server had already done when it read the PINGREQ. For the absence of a
    /// message of another client, let that client publish an end marker behind it and expect the marker.
    #[track_caller]
    pub fn expect_nothing_before_ping(&mut self) {
        self.send(&pingreq());
        self.expect_pingresp();
    }

    /// Demands that nothing comes for as long, and that the connection stays open. Only for timed behaviour.
    #[track_caller]
    pub fn expect_silence(&mut self, how_long: Duration) {
        match self.next(how_long) {
            Incoming::Nothing => {}
            other => panic!("expected silence, got {other:?}{}", self.leftover()),
        }
    }

    /// Demands that the server closes without another packet.
    #[track_caller]
    pub fn expect_closed(&mut self) {
        match self.next(PATIENCE) {
            Incoming::Closed => {}
            other => panic!("expected the connection to be closed, got {other:?}{}", self.leftover()),
        }
    }

    /// Demands DISCONNECT with this Reason Code and then the end of the connection.
    #[track_caller]
    pub fn expect_disconnect(&mut self, reason: u8) -> Properties {
        self.expect_disconnect_of(&[reason])
    }

    /// Demands DISCONNECT with one of these Reason Codes and then the end of the connection.
    #[track_caller]
    pub fn expect_disconnect_of(&mut self, reasons: &[u8]) -> Properties {
        match self.next(PATIENCE) {
            Incoming::Packet(Packet::Disconnect { reason, properties }) => {
                assert!(
                    reasons.contains(&reason),
                    "expected DISCONNECT with one of {reasons:02x?}, got {reason:#04x}"
                );
                self.expect_closed();
                properties
            }
            other => {
                panic!("expected DISCONNECT with one of {reasons:02x?}, got {other:?}{}", self.leftover())
            }
        }
    }

    /// Demands that a CONNECT is answered by CONNACK with one of these Reason Codes and then the end of the connection.
    #[track_caller]
    pub fn expect_refused(&mut self, reasons: &[u8]) -> Connack {
        let connack = self.expect_connack();
        let reason = connack.reason;
        assert!(reasons.contains(&reason), "expected CONNACK with one of {reasons:02x?}, got {reason:#04x}");
        assert!(!connack.session_present, "a refusal says Session Present 0: {connack:?}");
        self.expect_closed();
        connack
    }

    /// Demands that the server closes, having said at most a CONNACK that refuses in the form of any version.
    #[track_caller]
    pub fn expect_end_of_unknown_version(&mut self) {
        let said = self.read_to_end();
        let refused = matches!(said.as_slice(), [0x20, _, 0, reason, ..] if *reason != 0);
        assert!(said.is_empty() || refused, "expected a refusal and the end, got {}", dump(&said));
    }

    /// Demands that a CONNECT fails: the server closes, and if it says why in a CONNACK, then with one of these codes.
    #[track_caller]
    pub fn expect_refusal(&mut self, reasons: &[u8]) {
        if let Some(reason) = self.expect_not_connected() {
            assert!(
                reasons.contains(&reason),
                "expected a refusal with one of {reasons:02x?}, got {reason:#04x}"
            );
        }
    }

    /// Demands that a CONNECT fails: a CONNACK that refuses or none at all, and then the end of the connection.
    #[track_caller]
    pub fn expect_not_connected(&mut self) -> Option<u8> {
        match self.next(PATIENCE) {
            Incoming::Closed => None,
            Incoming::Packet(Packet::Connack(connack)) if connack.reason != 0 => {
                self.expect_closed();
                Some(connack.reason)
            }
            other => panic!("expected a refusal, got {other:?}{}", self.leftover()),
        }
    }
}

/// More messages than any test lets overtake an acknowledgement.
const SET_ASIDE_MAX: usize = 100_000;
