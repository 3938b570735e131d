//! What can be seen of the world: what clients got, and how the cores stand.

use tidegate_mqtt::Packet;
use tidegate_mqtt::frame::{Split, split};
use tidegate_observe::Counters;

use super::{Got, World};
use crate::OrganisationId;

impl World {
    /// Every packet that the client got since it was asked last.
    pub(crate) fn received(&mut self, name: &str) -> Vec<Got> {
        let client = self.clients.get_mut(name).unwrap();
        let bytes = std::mem::take(&mut client.received);
        let mut got = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let Split::Frame(frame) = split(&bytes[at..], usize::MAX).unwrap() else { break };
            got.push(Got::from(Packet::decode(frame, client.version).unwrap()));
            at += frame.len;
        }
        client.received = bytes[at..].to_vec();
        got
    }

    /// The payloads of every PUBLISH that the client got since it was asked last, as text.
    pub(crate) fn payloads(&mut self, name: &str) -> Vec<String> {
        let got = self.received(name);
        let payload = |got| match got {
            Got::Publish { payload, .. } => Some(String::from_utf8(payload).unwrap()),
            _ => None,
        };
        got.into_iter().filter_map(payload).collect()
    }

    /// The topics of every PUBLISH that the client got since it was asked last.
    pub(crate) fn topics(&mut self, name: &str) -> Vec<String> {
        let topic = |got| match got {
            Got::Publish { topic, .. } => Some(topic),
            _ => None,
        };
        self.received(name).into_iter().filter_map(topic).collect()
    }

    /// The sizes of the packets that the client has not asked for yet.
    pub(crate) fn packet_sizes(&self, name: &str) -> Vec<usize> {
        let bytes = &self.clients[name].received;
        let (mut at, mut sizes) = (0, Vec::new());
        while let Ok(Split::Frame(frame)) = split(&bytes[at..], usize::MAX) {
            sizes.push(frame.len);
            at += frame.len;
        }
        sizes
    }

    pub(super) fn take_first(&mut self, name: &str, wanted: impl Fn(&Got) -> bool) -> Got {
        let mut got = self.received(name);
        let at = got.iter().position(wanted).unwrap_or_else(|| panic!("{name} got only {got:?}"));
        let found = got.remove(at);
        let client = self.clients.get_mut(name).unwrap();
        let mut rest = Vec::new();
        got.into_iter().for_each(|packet| packet.encode(client.version, &mut rest));
        rest.append(&mut client.received);
        client.received = rest;
        found
    }

    /// As [`World::received`]; nothing for a client that has had no connection in this life of the server.
    pub(crate) fn received_if_known(&mut self, name: &str) -> Vec<Got> {
        if self.clients.contains_key(name) { self.received(name) } else { Vec::new() }
    }

    pub(crate) fn is_open(&self, name: &str) -> bool {
        self.clients[name].open
    }

    pub(crate) fn is_v5(&self, name: &str) -> bool {
        self.clients[name].version.is_v5()
    }

    /// Whether two connected clients are on the same shard.
    pub(crate) fn share_a_shard(&self, one: &str, other: &str) -> bool {
        self.clients[one].shard == self.clients[other].shard
    }

    /// How many acknowledgements towards the client wait for something to be durable.
    pub(crate) fn held(&mut self, name: &str) -> usize {
        let client = &self.clients[name];
        let connection = self.cores[client.shard].connections.get(client.connection);
        connection.and_then(|connection| connection.extra.as_ref()).map_or(0, |extra| extra.held.len())
    }

    /// Whether the shell would read from the client.
    pub(crate) fn wants_input(&mut self, name: &str) -> bool {
        let client = &self.clients[name];
        self.cores[client.shard].wants_input(client.connection)
    }

    /// What the client is owed, in bytes.
    pub(crate) fn outbound_bytes(&mut self, name: &str) -> usize {
        let client = &self.clients[name];
        self.cores[client.shard].outbound(client.connection).map_or(0, crate::Outbound::len)
    }

    pub(crate) fn counters(&self) -> Counters {
        let mut total = Counters::default();
        for core in &self.cores {
            total.add(&core.counters(OrganisationId::FIRST).unwrap());
        }
        total
    }
}
