//! Section 3.15: AUTH.

use tidegate_mqtt::{Auth, Packet, Properties, PropertyBuf, PropertyId, ReasonCode};

use crate::assertions::{V5, malformed, protocol_error, reads, same};

fn auth(reason: ReasonCode, properties: Properties<'_>) -> Packet<'_> {
    Packet::Auth(Auth { reason, properties })
}

#[test]
fn success_without_properties_may_be_left_out() {
    let short = auth(ReasonCode::Success, Properties::NONE);
    same(V5, "F0 00", &short); // 3.15.2.1
    reads(V5, "F0 02 00 00", &short);
}

#[test]
fn an_auth_carries_method_and_data() {
    let mut properties = PropertyBuf::new();
    properties
        .text(PropertyId::AuthenticationMethod, "SCRAM")
        .binary(PropertyId::AuthenticationData, &[0, 255])
        .text(PropertyId::ReasonString, "why")
        .user("k", "v");
    let block = "[ 15 'SCRAM' 16 0002 00FF 1F 'why' 26 'k' 'v' ]";
    for reason in [ReasonCode::Success, ReasonCode::ContinueAuthentication, ReasonCode::ReAuthenticate] {
        let text = format!("F0 .. {:02X} {block}", reason.as_u8());
        same(V5, &text, &auth(reason, properties.as_properties())); // [MQTT5-3.15.2-1]
    }
}

#[test]
fn an_auth_names_its_method() {
    protocol_error(V5, "F0 02 18 00"); // 3.15.2.2.2
    protocol_error(V5, "F0 02 19 00"); // 3.15.2.2.2
    protocol_error(V5, "F0 .. 18 [ 1F 'why' ]"); // 3.15.2.2.2
    protocol_error(V5, "F0 .. 00 [ 26 'k' 'v' ]"); // 3.15.2.2.2
    protocol_error(V5, "F0 .. 18 [ 15 'm' 15 'm' ]"); // 3.15.2.2.2
    // Unlike elsewhere, a Reason Code alone is not a short form.
    malformed(V5, "F0 01 18");
    malformed(V5, "F0 01 00");
}
