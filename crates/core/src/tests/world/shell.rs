//! The shell of the cores: inputs go in, and every effect is carried out until nothing more happens.

use std::io::IoSlice;

use super::World;
use crate::{AuthenticationRequest, ConnectionId, Effects, Input, Principal, ShardId};

impl World {
    pub(super) fn input(&mut self, shard: usize, input: Input<'_>) {
        self.cores[shard].handle(self.now, input, &mut self.effects[shard]);
        self.settle();
    }

    /// Carries out effects until there are none.
    pub(super) fn settle(&mut self) {
        loop {
            let mut quiet = true;
            for shard in 0..self.cores.len() {
                quiet &= !self.carry_out(shard);
            }
            if quiet {
                return;
            }
        }
    }

    fn carry_out(&mut self, shard: usize) -> bool {
        let shards = self.cores.len();
        let effects = std::mem::replace(&mut self.effects[shard], Effects::new(shards));
        let mut happened = false;
        if !effects.records.is_empty() {
            self.log.push(shard, &effects.records);
            if !self.journal_stalled {
                for (shard, places) in self.log.write(usize::MAX) {
                    happened |= !places.is_empty();
                    self.handle(shard, Input::Placed { places: &places });
                }
                self.trim();
            }
        }
        self.unread.extend(effects.fetches.into_iter().map(|fetch| (shard, fetch)));
        if !self.reads_stalled {
            happened |= self.read_all();
        }
        self.facts.extend(effects.facts);
        for request in effects.authenticate {
            happened = true;
            if self.authentication_stalled {
                self.unanswered.push((shard, request));
            } else {
                self.answer(shard, request);
            }
        }
        for (id, to, handoff) in effects.hand_over {
            happened = true;
            let client = self.clients.values_mut().find(|client| client.connection == id).unwrap();
            client.shard = usize::from(to.0);
            let peer = "127.0.0.1:1".parse().unwrap();
            self.handle(usize::from(to.0), Input::Adopted { connection: id, peer, handoff });
        }
        if let Some(up_to) = effects.persist {
            if self.journal_stalled {
                self.unpersisted.push((shard, up_to, self.log.len()));
            } else {
                happened = true;
                self.handle(shard, Input::Persisted { up_to });
            }
        }
        for id in effects.write.into_iter().chain(effects.close.iter().copied()) {
            happened |= self.write(shard, id);
        }
        for id in effects.close {
            self.cores[shard].release(id);
            if let Some(client) = self.clients.values_mut().find(|client| client.connection == id) {
                client.open = false;
            }
        }
        for (to, batch) in effects.to_shards.into_iter().enumerate().filter(|(_, batch)| !batch.is_empty()) {
            if self.shards_delayed {
                self.delayed.push((shard, to, batch));
                continue;
            }
            happened = true;
            self.handle(to, Input::FromShard { from: ShardId(shard as u8), batch });
        }
        happened
    }

    pub(super) fn answer(&mut self, shard: usize, request: AuthenticationRequest) {
        let verdict = Ok(Principal::anonymous(None));
        self.handle(shard, Input::Authenticated { request, verdict });
    }

    pub(super) fn handle(&mut self, shard: usize, input: Input<'_>) {
        self.cores[shard].handle(self.now, input, &mut self.effects[shard]);
    }

    fn write(&mut self, shard: usize, id: ConnectionId) -> bool {
        let core = &mut self.cores[shard];
        core.begin_write(id);
        let Some(outbound) = core.outbound(id) else { return false };
        let Some(client) = self.clients.values_mut().find(|client| client.connection == id) else {
            return false;
        };
        if client.stalled || outbound.is_empty() {
            return false;
        }
        let mut slices = [IoSlice::new(&[]); 16];
        let used = outbound.fill(&mut slices);
        let taken = self.write_bytes_max.unwrap_or(usize::MAX);
        let bytes: Vec<u8> =
            slices[..used].iter().flat_map(|slice| slice.iter().copied()).take(taken).collect();
        client.received.extend_from_slice(&bytes);
        self.handle(shard, Input::Written { connection: id, bytes: bytes.len() });
        // As the shell does: what the kernel did not take is offered again.
        self.write(shard, id);
        true
    }

    pub(super) fn flush(&mut self, name: &str) {
        let client = &self.clients[name];
        let (shard, connection) = (client.shard, client.connection);
        self.write(shard, connection);
        self.settle();
    }
}
