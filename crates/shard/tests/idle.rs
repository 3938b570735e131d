//! An idle broker. Alone in its file because it looks at every shard of its process.

mod support;

use std::time::Duration;

use support::{Client, activity_during, start};

#[test]
fn an_idle_broker_sleeps() {
    let (broker, address) = start(2, 1);
    let mut clients: Vec<_> =
        (0..50).map(|number| Client::connect(address, &format!("c{number}"), 4)).collect();
    clients.iter_mut().for_each(Client::ping);
    let idle = activity_during(Duration::from_secs(1));
    // The time for CONNECT has not run out, and no other timer is near.
    assert!(idle.wakes <= 4 && idle.ticks <= 1, "{idle:?}");
    drop(clients);
    broker.shut_down();
}
