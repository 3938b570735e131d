//! The broker as a child process: its start, and its death.

use std::fs::OpenOptions;
use std::io::Read;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use crate::Trouble;
use crate::clock::now;
use crate::folder::{CONFIG, Folder, LOG};

pub(crate) struct Broker {
    child: Child,
    out: ChildStdout,
    killer: Option<JoinHandle<()>>,
    doomed: Arc<AtomicBool>,
}

impl Broker {
    pub(crate) fn start(program: &Path, folder: &Folder) -> Result<Self, Trouble> {
        let log = OpenOptions::new().append(true).create(true).open(folder.path.join(LOG));
        let mut command = Command::new(program);
        // The operator's settings are about another broker.
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"TIDEGATE_"))
        {
            command.env_remove(name);
        }
        let child = command
            .args(["serve", "--config", CONFIG])
            .current_dir(&folder.path)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log.map_err(Trouble::of("the log of the broker cannot be opened"))?)
            .spawn();
        let mut child = child.map_err(Trouble::of(format!("{} cannot be started", program.display())))?;
        let Some(out) = child.stdout.take() else {
            return Err(Trouble("the broker has no standard output".into()));
        };
        Ok(Self { child, out, killer: None, doomed: Arc::default() })
    }

    /// SIGKILL after this time, from a thread of its own, so that it comes at any moment.
    pub(crate) fn kill_after(&mut self, delay: Duration) {
        let (doomed, pid) = (Arc::clone(&self.doomed), Pid::from_child(&self.child));
        self.killer = Some(std::thread::spawn(move || {
            std::thread::sleep(delay);
            doomed.store(true, Ordering::SeqCst);
            // Nobody has waited for the child yet, so the number is still its own.
            let _may_have_ended_by_itself = kill_process(pid, Signal::KILL);
        }));
    }

    /// SIGKILL now, unless it is on its way.
    pub(crate) fn doom(&mut self) {
        if self.killer.is_none() {
            self.kill_after(Duration::ZERO);
        }
    }

    /// Whether it was killed, or is about to be: from here on connections may end.
    pub(crate) fn is_doomed(&self) -> bool {
        self.doomed.load(Ordering::SeqCst)
    }

    /// Where it listens; `None` if it died before it said so.
    pub(crate) fn await_address(&mut self, folder: &Folder) -> Result<Option<SocketAddr>, Trouble> {
        let deadline = now() + START_WITHIN;
        let mut said = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let text = String::from_utf8_lossy(&said);
            // The last line: what is before it is complete.
            if text.contains("Ctrl-C") {
                let address = text.split_once("listening on ").and_then(|(_, rest)| rest.lines().next());
                return match address.and_then(|address| address.parse().ok()) {
                    Some(address) => Ok(Some(address)),
                    None => Err(Trouble(format!("the broker does not say where it listens: {text}"))),
                };
            }
            if now() >= deadline {
                return Err(Trouble(format!("the broker was not ready after {START_WITHIN:?}")));
            }
            let wait = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
            if poll(&mut [PollFd::new(&self.out, PollFlags::IN)], Some(&wait)).unwrap_or(0) == 0 {
                continue;
            }
            match self.out.read(&mut buffer) {
                Ok(read @ 1..) => said.extend_from_slice(&buffer[..read]),
                _ if self.is_doomed() => return Ok(None),
                _ => return Err(Trouble(format!("the broker did not start:\n{}", folder.end_of_log()))),
            }
        }
    }

    /// Waits until it is dead. `Err` says how it ended, if not by our hand.
    pub(crate) fn await_death(&mut self) -> Result<Result<(), String>, Trouble> {
        if let Some(killer) = self.killer.take() {
            let _it_does_not_panic = killer.join();
        }
        let status = self.child.wait().map_err(Trouble::of("the broker cannot be waited for"))?;
        let killed = status.signal() == Some(Signal::KILL.as_raw());
        Ok(if killed { Ok(()) } else { Err(format!("the broker ended by itself with {status}")) })
    }

    /// SIGTERM, and its exit status.
    pub(crate) fn stop(mut self) -> Result<ExitStatus, Trouble> {
        self.doomed.store(true, Ordering::SeqCst);
        let pid = Pid::from_child(&self.child);
        let process = pidfd_open(pid, PidfdFlags::empty());
        let process = process.map_err(|error| Trouble(format!("the broker cannot be watched: {error}")))?;
        let _it_is_alive = kill_process(pid, Signal::TERM);
        if poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&STOP_WITHIN)).unwrap_or(0) == 0 {
            return Err(Trouble(format!("the broker did not end within {} s", STOP_WITHIN.tv_sec)));
        }
        self.child.wait().map_err(Trouble::of("the broker cannot be waited for"))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(killer) = self.killer.take() {
            let _it_does_not_panic = killer.join();
        }
        let _may_have_ended = self.child.kill();
        let _status = self.child.wait();
    }
}

const START_WITHIN: Duration = Duration::from_secs(60);
const STOP_WITHIN: Timespec = Timespec { tv_sec: 60, tv_nsec: 0 };
