//! A share of the processor for broker and generator that other programs cannot take.
//!
//! Niceness alone does not do it where the scheduler groups processes by session (`sched_autogroup`): there it counts
//! among the processes of one session only, and the session's own niceness counts against the others.

use crate::fault::Fault;
use rustix::process::setpriority_process;
use std::fs;
use std::io;

const SESSION: &str = "/proc/self/autogroup";

/// Holds a niceness for this process, the brokers it starts, and its session; the session's returns when dropped.
#[derive(Debug)]
pub struct Priority {
    session_before: Option<i32>,
}

impl Priority {
    /// Takes niceness `nice`, from -20 for the most time to 19 for the least.
    pub fn take(nice: i32) -> Result<Self, Fault> {
        let attempt = || format!("taking niceness {nice}");
        setpriority_process(None, nice).map_err(|error| Fault::io(attempt())(error.into()))?;
        let session_before = match fs::read_to_string(SESSION) {
            Ok(text) => {
                Some(parse_session(&text).ok_or_else(|| Fault::Broker(format!("{SESSION} reads {text:?}")))?)
            }
            // The kernel was built or configured without groups.
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(Fault::io(attempt())(error)),
        };
        if session_before.is_some() {
            fs::write(SESSION, nice.to_string()).map_err(Fault::io(attempt()))?;
        }
        Ok(Self { session_before })
    }
}

impl Drop for Priority {
    fn drop(&mut self) {
        if let Some(nice) = self.session_before {
            // Nobody is left to tell when it fails.
            let _ = fs::write(SESSION, nice.to_string());
        }
    }
}

/// Reads the end of a line like `/autogroup-5 nice 0`.
fn parse_session(text: &str) -> Option<i32> {
    text.trim_end().rsplit_once(" nice ")?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_niceness_of_a_session_is_read() {
        assert_eq!(parse_session("/autogroup-5 nice 0\n"), Some(0));
        assert_eq!(parse_session("/autogroup-81 nice -10\n"), Some(-10));
        assert_eq!(parse_session("\n"), None);
    }
}
