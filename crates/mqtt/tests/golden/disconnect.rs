//! Section 3.14: DISCONNECT.

use tidegate_mqtt::{Disconnect, Packet, Properties, PropertyBuf, PropertyId, ReasonCode};

use crate::assertions::{ALL, BEFORE_5, V5, malformed, reads, same};

fn disconnect(reason: ReasonCode, properties: Properties<'_>) -> Packet<'_> {
    Packet::Disconnect(Disconnect { reason, properties })
}

#[test]
fn a_normal_disconnection_has_two_bytes() {
    let normal = disconnect(ReasonCode::Success, Properties::NONE);
    same(ALL, "E0 00", &normal);
    reads(V5, "E0 01 00", &normal); // 3.14.2.1: the rest may be left out
    reads(V5, "E0 02 00 00", &normal);
}

#[test]
fn before_5_a_disconnect_says_nothing() {
    malformed(BEFORE_5, "E0 01 00");
    malformed(BEFORE_5, "E0 02 04 00");
}

#[test]
fn a_disconnect_of_5_says_why() {
    same(V5, "E0 01 04", &disconnect(ReasonCode::DisconnectWithWillMessage, Properties::NONE));
    same(V5, "E0 01 8E", &disconnect(ReasonCode::SessionTakenOver, Properties::NONE));
    reads(V5, "E0 02 8E 00", &disconnect(ReasonCode::SessionTakenOver, Properties::NONE));
    let mut properties = PropertyBuf::new();
    properties
        .number(PropertyId::SessionExpiryInterval, 10)
        .text(PropertyId::ReasonString, "why")
        .user("k", "v")
        .text(PropertyId::ServerReference, "other");
    let block = "[ 11 0000000A 1F 'why' 26 'k' 'v' 1C 'other' ]";
    for reason in [ReasonCode::Success, ReasonCode::ServerMoved] {
        let text = format!("E0 .. {:02X} {block}", reason.as_u8());
        same(V5, &text, &disconnect(reason, properties.as_properties()));
    }
    malformed(V5, "E0 .. 00 05");
    malformed(V5, "E0 .. 00 [ 11 0000 ]");
}
