//! Out of descriptors. Alone in its file because the limit is the whole process's.

mod support;

use std::fs::File;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::{Client, activity_during, start};

#[test]
fn without_descriptors_accepting_pauses_the_others_are_served_and_nothing_spins() {
    let (broker, address) = start(1, 1);
    let mut served = Client::connect(address, "served", 4);
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum }).expect("a limit may be lowered");
    let mut files: Vec<File> =
        std::iter::repeat_with(|| File::open("/dev/null")).map_while(Result::ok).collect();
    assert!(files.len() < 64);
    // One descriptor for the client's side of a connection, none for the broker's.
    files.pop();
    let mut waiting = Client::begin(address, "waiting", 4);
    served.ping();
    // To read the kernel's numbers takes descriptors as well: its own are opened while there are some.
    let spare: Vec<File> = files.drain(files.len() - 4..).collect();
    drop(spare);
    waiting.expect_connack();
    served.ping();
    let mut again: Vec<File> =
        std::iter::repeat_with(|| File::open("/dev/null")).map_while(Result::ok).collect();
    again.pop();
    let late = Client::begin(address, "late", 4);
    let before = support::cpu_of_this_process();
    std::thread::sleep(Duration::from_secs(1));
    let spent = support::cpu_of_this_process() - before;
    assert!(spent < Duration::from_millis(100), "{spent:?} of processor time in a second of waiting");
    served.ping();
    drop((again, files));
    let mut late = late;
    late.expect_connack();
    let idle = activity_during(Duration::from_millis(500));
    assert!(idle.wakes <= 4, "{idle:?}");
    drop((served, waiting, late));
    broker.shut_down();
}
