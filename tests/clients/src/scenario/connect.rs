//! Connecting, client identifiers and takeover.

use super::connected;
use crate::client::{Connect, Program};
use crate::names::Names;

/// A first connection with Clean Session is accepted with Session Present 0.
pub fn a_clean_connect_finds_no_session(program: &dyn Program) {
    let names = Names::new();
    let mut client = program.client();
    let connack = client.connect(&Connect::clean(&names.client("c")));
    assert_eq!(connack.reason, 0);
    assert!(!connack.session_present);
    client.disconnect();
}

/// There is one connection for a client identifier: the newest.
pub fn a_second_connection_with_the_same_client_identifier_ends_the_first(program: &dyn Program) {
    let names = Names::new();
    let mut first = connected(program, &names, "same");
    let mut second = connected(program, &names, "same");
    first.ended();
    second.disconnect();
}

/// The first connection gets DISCONNECT with Session taken over.
pub fn a_connection_that_is_taken_over_is_told_so(program: &dyn Program) {
    let names = Names::new();
    let mut first = connected(program, &names, "same");
    let _second = connected(program, &names, "same");
    assert_eq!(first.ended(), Some(SESSION_TAKEN_OVER));
}

/// The Server invents an identifier, a different one each time.
pub fn an_empty_client_identifier_gets_an_assigned_one(program: &dyn Program) {
    let (mut a, mut b) = (program.client(), program.client());
    let a = a.connect(&Connect::clean("")).assigned_id.expect("an Assigned Client Identifier for the first");
    let b = b.connect(&Connect::clean("")).assigned_id.expect("an Assigned Client Identifier for the second");
    assert!(!a.is_empty() && !b.is_empty());
    assert_ne!(a, b);
}

const SESSION_TAKEN_OVER: u8 = 0x8e;
