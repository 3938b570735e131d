//! A broker process that belongs to this run, with its configuration in a folder of its own.

use crate::clock;
use crate::door::Entrance;
use crate::fault::Fault;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::path::Path;
use std::process::{self, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

const START_WITHIN: Duration = Duration::from_secs(20);
const STOP_WITHIN: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// Lines of the broker that wait to be looked at; later ones are read and thrown away.
const LINES_WAITING_MAX: usize = 256;

#[derive(Debug)]
pub(super) struct Child {
    command: Command,
    process: process::Child,
    lines: Receiver<String>,
    /// Configuration and data; removed with the broker.
    folder: tempfile::TempDir,
}

impl Child {
    /// Starts the command that `prepare` makes for an empty folder.
    pub(super) fn start(prepare: impl FnOnce(&Path) -> Result<Command, Fault>) -> Result<Self, Fault> {
        let folder = tempfile::tempdir().map_err(Fault::io("creating a folder for the broker"))?;
        let mut command = prepare(folder.path())?;
        let (process, lines) = spawn(&mut command)?;
        Ok(Self { command, process, lines, folder })
    }

    /// Ends it at once, as a crash would.
    pub(super) fn kill(&mut self) -> Result<(), Fault> {
        self.process.kill().map_err(Fault::io("killing the broker"))?;
        self.process.wait().map(drop).map_err(Fault::io("waiting for the end of the broker"))
    }

    /// Runs the same command once more, with the files as they are.
    pub(super) fn start_again(&mut self) -> Result<(), Fault> {
        (self.process, self.lines) = spawn(&mut self.command)?;
        Ok(())
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Waits for a line that `find` understands.
    pub(super) fn until_it_prints<T>(self, find: impl Fn(&str) -> Option<T>) -> Result<(Self, T), Fault> {
        let end = clock::deadline(START_WITHIN);
        let mut said = Vec::new();
        loop {
            match self.lines.recv_timeout(Duration::from_nanos(end.saturating_sub(clock::nanos()))) {
                Ok(line) => match find(&line) {
                    Some(found) => return Ok((self, found)),
                    None => said.push(line),
                },
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Fault::Broker(format!(
                        "the broker ended before it listened: {}",
                        said.join("\n")
                    )));
                }
                Err(RecvTimeoutError::Timeout) => {
                    return Err(Fault::Broker(format!(
                        "the broker never said that it listens: {}",
                        said.join("\n")
                    )));
                }
            }
        }
    }

    /// Tries to connect until it works everywhere: the only sign of readiness of a broker that logs nothing.
    pub(super) fn until_it_accepts(mut self, entrances: &[Entrance]) -> Result<Self, Fault> {
        let end = clock::deadline(START_WITHIN);
        let mut closed = entrances.iter();
        let mut next = closed.next();
        while let Some(Entrance { address, door, .. }) = next {
            if TcpStream::connect(address).is_ok() {
                next = closed.next();
                continue;
            }
            if let Ok(Some(status)) = self.process.try_wait() {
                let said: Vec<_> = self.lines.iter().collect();
                return Err(Fault::Broker(format!("the broker ended with {status}: {}", said.join("\n"))));
            }
            if clock::nanos() > end {
                return Err(Fault::Broker(format!("the broker does not listen on {address} ({door:?})")));
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(self)
    }

    fn stop(&mut self) -> rustix::io::Result<()> {
        let Some(pid) = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw) else { return Ok(()) };
        let process = pidfd_open(pid, PidfdFlags::empty())?;
        pidfd_send_signal(&process, Signal::TERM)?;
        poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&STOP_WITHIN))?;
        Ok(())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !matches!(self.process.try_wait(), Ok(Some(_))) {
            // Whatever kept it from ending in time, it must not disturb the next run.
            let _ = self.stop();
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

fn spawn(command: &mut Command) -> Result<(process::Child, Receiver<String>), Fault> {
    let mut process = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(Fault::io(format!("starting {}", command.get_program().display())))?;
    let (sender, lines) = sync_channel(LINES_WAITING_MAX);
    if let Some(stdout) = process.stdout.take() {
        forward_lines(stdout, sender.clone());
    }
    if let Some(stderr) = process.stderr.take() {
        forward_lines(stderr, sender);
    }
    Ok((process, lines))
}

/// Keeps the pipe empty for as long as the broker lives, so that it never blocks on its own log.
fn forward_lines(pipe: impl Read + Send + 'static, lines: SyncSender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let _ = lines.try_send(line);
        }
    });
}
