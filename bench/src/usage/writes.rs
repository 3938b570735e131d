//! What one thread of a broker has written, as Linux counts it: the only sight of its batches from outside.

use crate::fault::Fault;
use std::fs;

/// Calls to write and the bytes they took, up to a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Writes {
    /// Calls.
    pub calls: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Writes {
    /// Those of the thread called `thread` of process `pid`; none if it has no such thread.
    pub fn of(pid: u32, thread: &str) -> Result<Option<Self>, Fault> {
        let tasks = format!("/proc/{pid}/task");
        let mut entries =
            fs::read_dir(&tasks).map_err(Fault::io(format!("observing the broker in {tasks}")))?;
        let found = entries.find_map(|entry| {
            let path = entry.ok()?.path();
            let name = fs::read_to_string(path.join("comm")).ok()?;
            (name.trim_end() == thread).then(|| path.join("io"))
        });
        let Some(path) = found else { return Ok(None) };
        let text = fs::read_to_string(&path).map_err(Fault::io(format!("reading {}", path.display())))?;
        Ok(parse(&text))
    }

    /// What was written between `earlier` and this moment.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            calls: self.calls.saturating_sub(earlier.calls),
            bytes: self.bytes.saturating_sub(earlier.bytes),
        }
    }
}

fn parse(text: &str) -> Option<Writes> {
    let count = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    Some(Writes { calls: count("syscw:")?, bytes: count("wchar:")? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn calls_and_bytes_are_read() {
        let text = "rchar: 1\nwchar: 900\nsyscr: 2\nsyscw: 3\n";
        assert_eq!(parse(text), Some(Writes { calls: 3, bytes: 900 }));
        assert_eq!(parse("rchar: 1\n"), None);
    }

    #[test]
    fn a_thread_is_found_by_its_name_and_its_writes_are_counted_alone() {
        let pid = std::process::id();
        let work = move || {
            let mut file = tempfile::tempfile().unwrap();
            let before = Writes::of(pid, "bench-writes").unwrap().unwrap();
            file.write_all(&[7; 300]).unwrap();
            file.write_all(&[7; 200]).unwrap();
            Writes::of(pid, "bench-writes").unwrap().unwrap().since(before)
        };
        let writer = std::thread::Builder::new().name("bench-writes".into()).spawn(work).unwrap();
        assert_eq!(writer.join().unwrap(), Writes { calls: 2, bytes: 500 });
        assert_eq!(Writes::of(pid, "no-such-thread").unwrap(), None);
    }
}
