//! Topics and client identifiers that no other test uses, since all tests of a process share one broker and a
//! broker named by `TIDEGATE_CLIENTS_TARGET` may remember former runs.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The names of one test.
pub struct Names {
    unique: String,
}

impl Names {
    /// Names that no other test has.
    #[expect(clippy::disallowed_methods, reason = "two runs against one broker must not meet in a topic")]
    pub fn new() -> Self {
        let run =
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() & 0xff_ffff);
        let test = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { unique: format!("{run:x}-{:x}-{test}", std::process::id()) }
    }

    /// A topic below this test's own prefix.
    pub fn topic(&self, rest: &str) -> String {
        format!("clients/{}/{rest}", self.unique)
    }

    /// A client identifier. MQTT 3.1 allows 23 characters, so `role` is to be short.
    pub fn client(&self, role: &str) -> String {
        let id = format!("{role}{}", self.unique);
        assert!(id.len() <= 23, "{id} is longer than MQTT 3.1 allows");
        id
    }
}

impl Default for Names {
    fn default() -> Self {
        Self::new()
    }
}

static NEXT: AtomicU32 = AtomicU32::new(0);
