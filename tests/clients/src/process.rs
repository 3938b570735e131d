//! A child process whose lines of output can be awaited.
//!
//! Knows nothing of MQTT. The child never outlives the value: dropping it kills the process and collects its status.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// A running child, its standard output and error merged into one stream of lines.
pub struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    seen: VecDeque<String>,
}

impl Process {
    /// Starts `command`; `name` is what failures call it.
    pub fn start(name: &str, command: &mut Command) -> Self {
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.unwrap_or_else(|e| panic!("{name} could not be started ({command:?}): {e}"));
        let (sender, lines) = sync_channel(LINES_MAX);
        read_lines(child.stdout.take(), sender.clone());
        read_lines(child.stderr.take(), sender);
        let stdin = child.stdin.take();
        Self { name: name.to_owned(), child, stdin, lines, seen: VecDeque::new() }
    }

    /// Writes one line to the child's standard input.
    pub fn tell(&mut self, line: &str) {
        let Some(stdin) = self.stdin.as_mut() else { panic!("{}: its input is closed", self.name) };
        if let Err(e) = writeln!(stdin, "{line}").and_then(|()| stdin.flush()) {
            panic!("{} takes no more input: {e}\n{}", self.name, self.said());
        }
    }

    /// The next line, or `None` when the child closed its output. Fails the test when neither comes in time.
    pub fn line(&mut self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Some(self.remember(line)),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                panic!("{} said nothing for {PATIENCE:?}. Before that:\n{}", self.name, self.said())
            }
        }
    }

    /// A line that is there or comes within 100 ms.
    pub fn line_of_this_moment(&mut self) -> Option<String> {
        self.lines.recv_timeout(MOMENT).ok().map(|line| self.remember(line))
    }

    /// Reads lines until `wanted` answers with a value. Fails the test when the output ends first.
    pub fn wait_for<T>(&mut self, what: &str, mut wanted: impl FnMut(&str) -> Option<T>) -> T {
        while let Some(line) = self.line() {
            if let Some(found) = wanted(&line) {
                return found;
            }
        }
        panic!("{} ended before {what}. It said:\n{}", self.name, self.said())
    }

    /// The rest of the output up to its end, and how the child ended.
    pub fn finish(mut self) -> (Vec<String>, ExitStatus) {
        drop(self.stdin.take());
        let mut rest = Vec::new();
        while let Some(line) = self.line() {
            rest.push(line);
        }
        let status = self.child.wait().unwrap_or_else(|e| panic!("{}: no exit status: {e}", self.name));
        (rest, status)
    }

    /// Takes every line that is still to come out of the queue, so that a talkative child never blocks.
    pub fn drain_in_background(&mut self) {
        let (_, empty) = sync_channel(1);
        let lines = std::mem::replace(&mut self.lines, empty);
        std::thread::spawn(move || while lines.recv().is_ok() {});
    }

    /// Ends the process the hard way, as a crash or a power cut of a device would.
    pub fn kill(&mut self) {
        // A child that ended by itself is as dead as we want it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The last lines it said, for a failure's text.
    pub fn said(&self) -> String {
        self.seen.iter().map(|line| format!("  {line}\n")).collect()
    }
}

impl Process {
    fn remember(&mut self, line: String) -> String {
        if self.seen.len() == SEEN_LINES_MAX {
            self.seen.pop_front();
        }
        self.seen.push_back(line.clone());
        line
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn read_lines(stream: Option<impl Read + Send + 'static>, sender: SyncSender<String>) {
    let Some(stream) = stream else { return };
    std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    });
}

/// How long a test waits for the next event. Only a broken broker reaches it, so it may be generous to a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// How long a test looks for what may or may not be there.
pub const MOMENT: Duration = Duration::from_millis(100);
/// Lines that may wait unread; a child that says more waits, as on any pipe.
const LINES_MAX: usize = 1024;
/// Lines kept to explain a failure.
const SEEN_LINES_MAX: usize = 60;
