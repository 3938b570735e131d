//! Signals, as requests to whoever runs the broker.

use std::io;
use std::thread::JoinHandle;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// End in good order: SIGTERM, or SIGINT from a terminal.
    Stop {
        /// For the log.
        signal: &'static str,
    },
    /// Read the configuration again: SIGHUP.
    Reload,
    /// A part of the broker failed: end in good order what is left.
    Fail,
}

/// Signals are requests while this lives.
pub struct Watch {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

/// Calls `on_request` for each signal, on a thread of its own. It must not block for long.
///
/// # Errors
/// When the operating system gives no thread or no handler.
pub fn watch(on_request: impl Fn(Request) + Send + 'static) -> io::Result<Watch> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let handle = signals.handle();
    let thread = std::thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            on_request(match signal {
                SIGHUP => Request::Reload,
                SIGINT => Request::Stop { signal: "SIGINT" },
                _ => Request::Stop { signal: "SIGTERM" },
            });
        }
    })?;
    Ok(Watch { handle, thread: Some(thread) })
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by its thread.
            let _panicked = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;
    use std::time::Duration;

    use signal_hook::low_level::raise;

    use super::*;

    #[test]
    fn each_signal_becomes_its_request() {
        let (sender, requests) = sync_channel(8);
        let watch = watch(move |request| sender.send(request).unwrap()).unwrap();
        for (signal, expected) in [
            (SIGHUP, Request::Reload),
            (SIGTERM, Request::Stop { signal: "SIGTERM" }),
            (SIGINT, Request::Stop { signal: "SIGINT" }),
        ] {
            raise(signal).unwrap();
            assert_eq!(requests.recv_timeout(Duration::from_secs(10)), Ok(expected));
        }
        drop(watch);
        assert!(requests.recv().is_err(), "the thread has ended and let go of its end");
    }
}
