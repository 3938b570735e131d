//! A hashed timing wheel: arming is O(1), and a turn visits only the slots whose time has come.
//!
//! ```text
//! slot    0    1    2   …  1023        one slot = 64 ms, one revolution ≈ 65 s
//!        [ ]  [•]  [ ]     [••]       a timer further away than a revolution waits in its slot
//! ```
//! Timers are never cancelled: whoever armed one checks when it fires whether it still means anything. That
//! keeps the common case (a keep alive that is renewed by every packet) free of charge.

/// Timers of type `T`, each with a deadline in monotonic milliseconds. They fire late by at most one slot.
pub(crate) struct Wheel<T> {
    slots: Vec<Vec<(u64, T)>>,
    /// The earliest deadline in each slot, `u64::MAX` when it is empty.
    earliest: Vec<u64>,
    /// No deadline is earlier than this; exact after `fire`.
    next: u64,
    len: usize,
}

impl<T> Wheel<T> {
    pub(crate) fn new() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| Vec::new()).collect(),
            earliest: vec![u64::MAX; SLOTS],
            next: u64::MAX,
            len: 0,
        }
    }

    pub(crate) fn arm(&mut self, deadline_ms: u64, timer: T) {
        let slot = (deadline_ms / SLOT_MS) as usize % SLOTS;
        self.slots[slot].push((deadline_ms, timer));
        self.earliest[slot] = self.earliest[slot].min(deadline_ms);
        self.next = self.next.min(deadline_ms);
        self.len += 1;
    }

    /// How many timers wait.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// When to call [`Wheel::fire`] next, if there is any timer.
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        (self.len > 0).then(|| (self.next / SLOT_MS + 1) * SLOT_MS)
    }

    /// Moves every timer that is due at `now_ms` into `due`, in no particular order within a slot.
    pub(crate) fn fire(&mut self, now_ms: u64, due: &mut Vec<T>) {
        if self.next > now_ms {
            return;
        }
        for slot in 0..SLOTS {
            if self.earliest[slot] > now_ms {
                continue;
            }
            let timers = &mut self.slots[slot];
            let before = timers.len();
            due.extend(timers.extract_if(.., |(deadline, _)| *deadline <= now_ms).map(|(_, timer)| timer));
            self.len -= before - timers.len();
            self.earliest[slot] = timers.iter().map(|(deadline, _)| *deadline).min().unwrap_or(u64::MAX);
            if timers.is_empty() && timers.capacity() > 64 {
                *timers = Vec::new();
            }
        }
        self.next = self.earliest.iter().copied().min().unwrap_or(u64::MAX);
    }
}

const SLOTS: usize = 1024;
const SLOT_MS: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_fires_at_its_deadline_and_not_before_even_a_revolution_away() {
        let mut wheel = Wheel::new();
        wheel.arm(100, "near");
        wheel.arm(100 + SLOTS as u64 * SLOT_MS * 3, "far");
        let mut due = Vec::new();
        wheel.fire(99, &mut due);
        assert!(due.is_empty());
        wheel.fire(wheel.next_deadline().unwrap(), &mut due);
        assert_eq!(due, ["near"]);
        wheel.fire(100 + SLOTS as u64 * SLOT_MS * 3 - 1, &mut due);
        assert_eq!(due, ["near"]);
        wheel.fire(100 + SLOTS as u64 * SLOT_MS * 3, &mut due);
        assert_eq!(due, ["near", "far"]);
        assert_eq!(wheel.next_deadline(), None);
    }
}
