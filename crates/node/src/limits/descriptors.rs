//! File descriptors: a connection is one, and most systems give a process few until it asks for more.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many descriptors the process may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptors {
    /// At the start.
    pub before: u64,
    /// Now.
    pub now: u64,
}

/// Raises the bound to what the system allows without further rights. What cannot be raised stays as it is: the
/// broker then pauses accepting sooner, which is no reason not to start.
pub fn raise() -> Descriptors {
    let limit = getrlimit(Resource::Nofile);
    let before = limit.current.unwrap_or(u64::MAX);
    // "Unlimited" in words is still bounded by the kernel's number.
    let allowed = limit.maximum.or_else(kernel_maximum).unwrap_or(before);
    if allowed > before {
        // Whether it worked is read back below.
        let _denied = setrlimit(Resource::Nofile, Rlimit { current: Some(allowed), maximum: limit.maximum });
    }
    Descriptors { before, now: getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX) }
}

fn kernel_maximum() -> Option<u64> {
    std::fs::read_to_string("/proc/sys/fs/nr_open").ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_raised_to_the_most_that_is_allowed() {
        let limit = getrlimit(Resource::Nofile);
        // Lower first, so that there is something to raise. Other tests of this process need a few.
        setrlimit(Resource::Nofile, Rlimit { current: Some(256), maximum: limit.maximum }).unwrap();
        let raised = raise();
        assert_eq!(raised.before, 256);
        assert_eq!(Some(raised.now), limit.maximum.or_else(kernel_maximum));
        assert_eq!(getrlimit(Resource::Nofile).current, Some(raised.now));
    }
}
