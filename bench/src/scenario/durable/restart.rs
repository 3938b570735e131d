//! A broker that is killed while very many messages wait, and has to serve again soon.

use super::{Backlog, Publishing, draining};
use crate::broker::Broker;
use crate::clock;
use crate::door::Door;
use crate::fault::Fault;
use crate::fleet::{self, Member};
use crate::measures::{Measures, Metric};
use crate::reactor::Reactor;
use crate::scenario::mib;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// Many times what is asked for, so that a slow start becomes a figure.
const SERVES_WITHIN: Duration = Duration::from_secs(120);

/// Publishes `messages`, kills the broker twice, the second time as soon as it serves, and takes the time from the start of
/// the process to the CONNACK of a new client. Then every message has to come.
pub(in crate::scenario) fn measure_restart(
    backlog: &Backlog,
    messages: u64,
    broker: &mut Broker,
) -> Result<Measures, Fault> {
    backlog.leave_sessions(broker)?;
    let mut reactor = backlog.connect_publishers(broker)?;
    let mut publishing = Publishing::new(backlog, Some(messages / backlog.publishers as u64));
    publishing.run(&mut reactor, u64::MAX)?;
    drop(reactor);

    let mut measures = Measures::default();
    let stored = broker.durable_folder.as_deref().map(bytes_below);
    measures.set(Metric::StoredMib, stored.map(mib));
    measures.set(Metric::ResidentMib, broker.resident_bytes()?.map(mib));
    for metric in [Metric::RestartSeconds, Metric::SecondRestartSeconds] {
        measures.set(metric, nanos_to_first_connack(broker)? as f64 / 1e9);
        measures.set(Metric::RestartedMib, broker.resident_bytes()?.map(mib));
    }
    let drained = draining::drain(backlog, broker, &publishing.acknowledged())?;
    measures.set(Metric::QueuedMillions, drained as f64 / 1e6);
    Ok(measures)
}

fn nanos_to_first_connack(broker: &mut Broker) -> Result<u64, Fault> {
    let begin = broker.crash_and_start()?;
    let end = clock::deadline(SERVES_WITHIN);
    let probe = [Member::without_filters("bench-probe".to_owned())];
    loop {
        let connected = Reactor::new()
            .and_then(|mut reactor| fleet::assemble(&mut reactor, broker.entrance(Door::Tcp)?, &probe));
        match connected {
            Ok(()) => return Ok(clock::nanos() - begin),
            Err(fault) if clock::nanos() > end => return Err(fault),
            // Nobody listens yet.
            Err(Fault::Io(..) | Fault::Refused(_) | Fault::Stalled(_)) => {
                thread::sleep(Duration::from_millis(1));
            }
            Err(fault) => return Err(fault),
        }
    }
}

/// Files that vanish meanwhile do not count.
fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let bytes = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.filter_map(Result::ok).map(bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_below_a_folder_count() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("below")).unwrap();
        fs::write(folder.path().join("a"), [0; 10]).unwrap();
        fs::write(folder.path().join("below/b"), [0; 5]).unwrap();
        assert_eq!(bytes_below(folder.path()), 15);
        assert_eq!(bytes_below(&folder.path().join("gone")), 0);
    }
}
