//! Over a long time the log takes the space of what lives and a bounded rest, wherever the survivors stand.

use crate::simulation::{Random, SimulatedDisk};
use crate::*;

use super::world::{Owner, World, small_options};

const SEGMENT_BYTES: u32 = 64 << 10;
const MESSAGE_BYTES: u32 = 1000;
/// Each about a segment's worth of messages after the one before, so that without copying each would keep a segment.
const SURVIVORS: usize = 100;

/// An owner of which one message in many lives long.
struct Keeper {
    owner: Owner,
    held: Vec<Position>,
    /// How many were written again.
    moved: u64,
}

impl Keeper {
    fn push(&mut self) -> Offset {
        self.owner.0.push(Kind::Message, &[7; MESSAGE_BYTES as usize]).unwrap()
    }

    /// Some messages, of which the first may survive; an older one dies for it.
    fn publish(&mut self, world: &mut World, random: &mut Random, survives: bool) {
        let first = self.push();
        for _ in 1..16 {
            self.push();
        }
        self.owner.0.forgot(15 * u64::from(MESSAGE_BYTES));
        self.owner.0.submit();
        world.run();
        let position = self.owner.1.position().plus(first);
        if survives && self.held.len() < SURVIVORS {
            self.held.push(position);
        } else if survives {
            let at = random.below(SURVIVORS as u64) as usize;
            self.held[at] = position;
        }
    }

    fn checkpoint(&mut self, world: &mut World) {
        let Some((round, evacuate)) = self.owner.1.round() else { return };
        let (mut marks, mut moving) = (Marks::default(), Vec::new());
        for at in 0..self.held.len() {
            let position = self.held[at];
            if evacuate.contains(&position.segment()) {
                moving.push((at, self.push()));
            } else {
                marks.mark(position, MESSAGE_BYTES);
            }
        }
        self.owner.0.push(Kind::State, &[1; 5000]).unwrap();
        self.owner.0.checkpointed(round, marks);
        self.owner.0.submit();
        world.run();
        let base = self.owner.1.position();
        self.moved += moving.len() as u64;
        moving.into_iter().for_each(|(at, offset)| self.held[at] = base.plus(offset));
    }
}

fn bytes(world: &World) -> u64 {
    world
        .segments()
        .iter()
        .map(|name| world.disk.content(name).map_or(0, |content| content.len() as u64))
        .sum()
}

#[test]
fn a_log_of_many_messages_and_few_survivors_stays_small() {
    let options = Options {
        segment_bytes: SEGMENT_BYTES,
        batch_bytes_max: 32 << 10,
        checkpoint_bytes: 256 << 10,
        evacuation_slack_bytes: 256 << 10,
        evacuation_bytes_max: 0,
        recycled_segments_max: 1,
        ..small_options()
    };
    let mut world = World::on(SimulatedDisk::new(1), options);
    let mut keeper = Keeper { owner: world.stream(1), held: Vec::new(), moved: 0 };
    world.journal.restored();
    let mut random = Random::new(1);
    let mut most = 0;
    for turn in 0..4000 {
        keeper.publish(&mut world, &mut random, turn % 4 == 0);
        keeper.checkpoint(&mut world);
        if turn % 10 == 0 {
            most = bytes(&world).max(most);
        }
    }
    // Three times what is written between two checkpoints, what lives, twice the slack, and what waits to be used.
    let bound = (3 * 256 + 100 + 2 * 256 + 3 * 64) << 10;
    assert!(most < bound, "{most} bytes, and not less than {bound}; {} moved", keeper.moved);
    let moved = keeper.moved;
    assert!(moved > 100 && moved < 64_000 / 15, "{moved} written again of 64000");
    for (tag, position) in (0..).zip(&keeper.held) {
        assert!(keeper.owner.0.fetch(*position, MESSAGE_BYTES, tag));
    }
    keeper.owner.0.submit();
    world.run();
    let answers = keeper.owner.1.answers.lock().unwrap();
    assert_eq!(answers.iter().filter(|answer| answer.result.is_ok()).count(), SURVIVORS);
}
