//! Shared subscriptions, which 3.1 and 3.1.1 clients may use with the same filter as 5.0 clients.

use super::{connected, subscribed};
use crate::client::{Client, Program};
use crate::message::Message;
use crate::names::Names;

/// Each message goes to exactly one member, every member has work, and an ordinary subscriber still gets all.
pub fn a_shared_subscription_gives_each_message_to_one_member(program: &dyn Program) {
    let names = Names::new();
    let (topic, group) = (names.topic("jobs"), format!("$share/workers/{}", names.topic("jobs")));
    let mut outsider = subscribed(program, &names, "o", &topic, 1);
    let mut members =
        [subscribed(program, &names, "a", &group, 1), subscribed(program, &names, "b", &group, 1)];
    let mut publisher = connected(program, &names, "p");
    let jobs: Vec<_> = (0..JOBS).map(|n| Message::new(&topic, &format!("job {n:02}"), 1)).collect();
    for job in &jobs {
        publisher.publish(job);
    }

    for job in &jobs {
        assert_eq!(outsider.receive(), *job);
    }
    let shares = receive_together(&mut members, JOBS);
    assert!(shares.iter().all(|share| !share.is_empty()), "each member has a share: {shares:?}");
    for share in &shares {
        assert!(share.is_sorted_by_key(|job| &job.payload.0), "a member receives in order: {share:?}");
    }
    let mut done: Vec<_> = shares.concat();
    done.sort_by(|a, b| a.payload.0.cmp(&b.payload.0));
    assert_eq!(done, jobs, "each job was given to one member");
}

/// The rest of the group gets what the leaving member would have had.
pub fn a_shared_subscription_skips_members_that_are_gone(program: &dyn Program) {
    let names = Names::new();
    let (topic, group) = (names.topic("jobs"), format!("$share/workers/{}", names.topic("jobs")));
    let mut leaving = subscribed(program, &names, "a", &group, 1);
    let mut staying = subscribed(program, &names, "b", &group, 1);
    leaving.disconnect();
    // Its next connection is accepted only after the former session has ended.
    let mut publisher = connected(program, &names, "a");

    for n in 0..JOBS {
        let job = Message::new(&topic, &format!("job {n:02}"), 1);
        publisher.publish(&job);
        assert_eq!(staying.receive(), job);
    }
}

/// Takes from whichever member has something until there are `count` messages in all.
fn receive_together(members: &mut [Box<dyn Client + '_>; 2], count: usize) -> [Vec<Message>; 2] {
    let mut shares = [Vec::new(), Vec::new()];
    for _ in 0..TURNS_MAX {
        if shares.iter().map(Vec::len).sum::<usize>() >= count {
            break;
        }
        for (member, share) in members.iter_mut().zip(&mut shares) {
            share.extend(member.arrived());
        }
    }
    shares
}

const JOBS: usize = 20;
/// A turn without a message takes 2 x 100 ms, so that a missing message fails the test within some 20 s.
const TURNS_MAX: usize = 100 + JOBS;
