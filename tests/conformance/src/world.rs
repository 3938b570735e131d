//! The broker together with names that no other test uses, so that tests share a broker without meeting.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use crate::client::RawClient;
use crate::connect::{Connect, Version};
use crate::hex::dump;
use crate::target::Target;

/// Where a test begins: `World::new().client("alice")`.
#[derive(Debug)]
pub struct World {
    target: Arc<Target>,
    tag: String,
}

impl World {
    /// Finds or starts the broker and takes a fresh tag for the names of this test.
    #[expect(clippy::new_without_default, reason = "it may start a process; a default value should not")]
    pub fn new() -> Self {
        Self::at(Target::shared())
    }

    /// The same with a broker of this test alone that has these further lines of configuration. Nothing where the
    /// target is given from outside: it cannot be configured.
    pub fn configured(toml: &str) -> Option<Self> {
        Target::configured(toml).map(|target| Self::at(Arc::new(target)))
    }

    /// The same with a broker that the test has started itself.
    pub fn at(target: Arc<Target>) -> Self {
        // Every RandomState is keyed by the system's randomness: distinct across processes and across calls.
        let random = RandomState::new().build_hasher().finish();
        Self { target, tag: format!("{:012x}", random & 0xffff_ffff_ffff) }
    }

    /// The broker.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// A Client Identifier of this test. It keeps to the 23 characters that every server must allow for a name of up
    /// to 11 letters and digits.
    pub fn id(&self, name: &str) -> String {
        format!("{}{name}", self.tag)
    }

    /// A Topic Name or Topic Filter of this test.
    pub fn topic(&self, rest: &str) -> String {
        format!("{}/{rest}", self.tag)
    }

    /// A first level that only this test uses.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// A 5.0 CONNECT with the name's Client Identifier and Clean Start.
    pub fn v5(&self, name: &str) -> Connect {
        Connect::v5(self.id(name))
    }

    /// A 3.1.1 CONNECT with the name's Client Identifier and Clean Session.
    pub fn v311(&self, name: &str) -> Connect {
        Connect::v311(self.id(name))
    }

    /// A 3.1 CONNECT with the name's Client Identifier and Clean Session.
    pub fn v31(&self, name: &str) -> Connect {
        Connect::v31(self.id(name))
    }

    /// A connected 5.0 client.
    #[track_caller]
    pub fn client(&self, name: &str) -> RawClient {
        self.connect(&self.v5(name))
    }

    /// A client connected with this CONNECT.
    #[track_caller]
    pub fn connect(&self, connect: &Connect) -> RawClient {
        RawClient::connect(&self.target, connect)
    }

    /// A Network Connection on which nothing was sent.
    pub fn open(&self, version: Version) -> RawClient {
        RawClient::open(&self.target, version)
    }

    /// A Network Connection on which this CONNECT was sent and nothing read.
    pub fn attempt(&self, connect: &Connect) -> RawClient {
        let mut client = self.open(connect.version);
        client.send(&connect.bytes());
        client
    }

    /// A Network Connection on which these bytes were sent and nothing read; 5.0.
    pub fn attempt_bytes(&self, bytes: &[u8]) -> RawClient {
        let mut client = self.open(Version::V5);
        client.send(bytes);
        client
    }

    /// Lets a connected 5.0 client send these bytes, and demands DISCONNECT with one of these Reason Codes.
    #[track_caller]
    pub fn violates(&self, what: &str, bytes: &[u8], reasons: &[u8]) {
        // Shown by the test harness when the expectation below fails.
        eprintln!("sending: {what}\n{}", dump(bytes));
        let mut client = self.client("violator");
        client.send(bytes);
        client.expect_disconnect_of(reasons);
    }

    /// Lets a client send these bytes first, and demands that it is not connected; a Reason Code, when there is one,
    /// is one of these.
    #[track_caller]
    pub fn refuses(&self, what: &str, bytes: &[u8], reasons: &[u8]) {
        eprintln!("sending first: {what}\n{}", dump(bytes));
        self.attempt_bytes(bytes).expect_refusal(reasons);
    }
}
