//! Where contents stand that the log refers to by number: only those that were written lately, because it refers to older ones
//! by place. And the reading of those that have to be in memory.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::FixedState;

use crate::durable::place::{Place, Stored};
use crate::durable::reading::message_of;
use crate::durable::record::MessageNumber;
use crate::durable::recorder::{CONTENTS_PER_STRETCH, SHARDS};
use crate::queue::{Content, Queued};

/// See the module.
#[derive(Default)]
pub(super) struct Contents {
    known: HashMap<MessageNumber, Stored, FixedState>,
    /// For each shard that wrote: its latest, in order.
    latest: HashMap<u64, VecDeque<(MessageNumber, Place)>, FixedState>,
}

impl Contents {
    pub(super) fn hear(&mut self, number: MessageNumber, stored: Stored) {
        self.known.insert(number, stored);
        let latest = self.latest.entry(number % SHARDS).or_default();
        latest.push_back((number, stored.place));
        if latest.len() > CONTENTS_PER_STRETCH as usize
            && let Some((number, place)) = latest.pop_front()
            && self.known.get(&number).is_some_and(|known| known.place == place)
        {
            self.known.remove(&number);
        }
    }

    pub(super) fn get(&self, number: MessageNumber) -> Option<Stored> {
        self.known.get(&number).copied()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}

/// Reads what these copies refer to, in the order of the log; how many cannot be read. Each gets its own message: they may
/// belong to different shards.
pub(super) fn read(mut copies: Vec<&mut Queued>, mut read: impl FnMut(Place) -> Option<Vec<u8>>) -> u64 {
    copies.retain(|copy| matches!(copy.content, Content::Log(_)));
    let place = |copy: &Queued| match copy.content {
        Content::Log(stored) => Some(stored.place),
        _ => None,
    };
    copies.sort_unstable_by_key(|copy| place(copy));
    let mut lost = 0;
    for copy in copies {
        let Some(place) = place(copy) else { continue };
        copy.content = match read(place).map(|bytes| message_of(Ok(bytes))) {
            Some(Ok(message)) => {
                message.set_place(place, 1);
                Content::Memory(message)
            }
            _ => {
                lost += 1;
                Content::Lost
            }
        };
    }
    lost
}
