//! Bounds that hold for an organisation on all shards together: what is used of each, and one shard's part in it.
//!
//! ```text
//!  shard 0                      all shards                 shard 1
//!  used 90 + spare 10 ─────►  total 150 of 200  ◄───── used 40 + spare 10
//! ```
//! The totals are the one thing that shards share: plain numbers, without a lock, changed only when something is
//! opened, kept or forgotten, never for a message that leaves at once. What is counted in bytes is taken from the
//! total a piece ahead, so that a queue that grows and shrinks seldom touches it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use crate::identifiers::OrganisationId;

/// What all organisations of a process use, for all its shards: give each core a clone of the same.
#[derive(Clone, Debug)]
pub struct SharedUsage(Arc<[Row; u32::BITS as usize + 1]>);

type Row = OnceLock<Box<[Arc<Totals>]>>;

impl Default for SharedUsage {
    fn default() -> Self {
        Self(Arc::new(std::array::from_fn(|_| Row::new())))
    }
}

/// What one organisation uses on all shards together, with what shards took ahead.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    sessions: AtomicU64,
    subscriptions: AtomicU64,
    queued_bytes: AtomicU64,
    retained_messages: AtomicU64,
    retained_bytes: AtomicU64,
}

impl SharedUsage {
    /// The totals of one organisation, the same on every shard. They lie in rows of 1, 2, 4, … organisations, each
    /// made when a shard first needs it, so that what was made never moves and no lock is needed.
    pub(crate) fn of(&self, organisation: OrganisationId) -> Arc<Totals> {
        let number = u64::from(organisation.0) + 1;
        let row = number.ilog2() as usize;
        let totals = self.0[row].get_or_init(|| (0..1_u64 << row).map(|_| Arc::default()).collect());
        Arc::clone(&totals[(number - (1 << row)) as usize])
    }
}

/// Which total an [`Allowance`] is a part of.
type Of = fn(&Totals) -> &AtomicU64;

/// One shard's part of what an organisation may use.
#[derive(Debug)]
pub(crate) struct Allowance {
    totals: Arc<Totals>,
    of: Of,
    used: u64,
    /// Taken from the total and not used.
    spare: u64,
    /// What to take ahead; 0 keeps the total exact.
    ahead: u64,
    /// The whole bound divided by this may be taken ahead; 0 is for totals that are exact.
    ahead_divisor: u64,
}

impl Allowance {
    fn exact(totals: &Arc<Totals>, of: Of) -> Self {
        Self { totals: Arc::clone(totals), of, used: 0, spare: 0, ahead: 0, ahead_divisor: 0 }
    }

    fn ahead(totals: &Arc<Totals>, of: Of, shards: u8) -> Self {
        Self { ahead_divisor: AHEAD_PARTS * u64::from(shards), ..Self::exact(totals, of) }
    }

    /// What this shard uses.
    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    /// Takes `amount`, unless the organisation would then use more than `max`.
    #[inline]
    pub(crate) fn take(&mut self, amount: u64, max: u64) -> bool {
        if amount > self.spare && !self.refill(amount - self.spare, max) {
            return false;
        }
        self.spare -= amount;
        self.used += amount;
        true
    }

    /// Gives back what was taken.
    #[inline]
    pub(crate) fn give(&mut self, amount: u64) {
        // Invariant: nothing is given back that was not taken; a mistake there must not let a bound wrap round.
        debug_assert!(amount <= self.used, "more is given back than was taken");
        let amount = amount.min(self.used);
        self.used -= amount;
        self.spare += amount;
        if self.spare > 2 * self.ahead {
            (self.of)(&self.totals).fetch_sub(self.spare - self.ahead, Relaxed);
            self.spare = self.ahead;
        }
    }

    /// From now on `used` is used instead of what was before: fewer always fit, more only as [`Allowance::take`] allows.
    pub(crate) fn set(&mut self, used: u64, max: u64) -> bool {
        if used > self.used {
            return self.take(used - self.used, max);
        }
        self.give(self.used - used);
        true
    }

    /// As [`Allowance::set`] for what is there already, whatever the bound says.
    pub(crate) fn settle(&mut self, used: u64) {
        let missing = used.saturating_sub(self.used + self.spare);
        if missing > 0 {
            (self.of)(&self.totals).fetch_add(missing, Relaxed);
            self.spare += missing;
        }
        self.set(used, 0);
    }

    /// Takes what is missing from the total, and a piece more if it is to be had.
    #[cold]
    fn refill(&mut self, missing: u64, max: u64) -> bool {
        self.ahead = max.checked_div(self.ahead_divisor).unwrap_or(0).min(AHEAD_BYTES_MAX);
        let total = (self.of)(&self.totals);
        for amount in [missing.saturating_add(self.ahead), missing] {
            let sum = |total: u64| total.checked_add(amount).filter(|&sum| sum <= max);
            if total.fetch_update(Relaxed, Relaxed, sum).is_ok() {
                self.spare += amount;
                return true;
            }
        }
        false
    }
}

/// What one organisation uses on one shard of the bounds that hold for all shards.
#[derive(Debug)]
pub(crate) struct Usage {
    pub(crate) sessions: Allowance,
    pub(crate) subscriptions: Allowance,
    pub(crate) queued_bytes: Allowance,
}

impl Usage {
    pub(crate) fn new(totals: &Arc<Totals>, shards: u8) -> Self {
        Self {
            sessions: Allowance::exact(totals, |totals| &totals.sessions),
            subscriptions: Allowance::exact(totals, |totals| &totals.subscriptions),
            queued_bytes: Allowance::ahead(totals, |totals| &totals.queued_bytes, shards),
        }
    }
}

/// As [`Usage`], for retained messages.
#[derive(Debug)]
pub(crate) struct RetainedUsage {
    pub(crate) messages: Allowance,
    pub(crate) bytes: Allowance,
}

impl RetainedUsage {
    pub(crate) fn new(totals: &Arc<Totals>, shards: u8) -> Self {
        Self {
            messages: Allowance::exact(totals, |totals| &totals.retained_messages),
            bytes: Allowance::ahead(totals, |totals| &totals.retained_bytes, shards),
        }
    }
}

/// A share holds at most twice what it takes ahead, so that at the bound an eighth of it may lie idle on shards that
/// do not need it.
const AHEAD_PARTS: u64 = 16;
/// Enough that a busy queue touches the total once for hundreds of messages.
const AHEAD_BYTES_MAX: u64 = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(of: impl Fn(&Arc<Totals>) -> Allowance) -> [Allowance; 2] {
        let totals = SharedUsage::default().of(OrganisationId::FIRST);
        [of(&totals), of(&totals)]
    }

    #[test]
    fn what_one_shard_took_another_cannot_and_what_is_given_back_it_can() {
        let [mut one, mut other] = shares(|totals| Allowance::exact(totals, |totals| &totals.sessions));
        assert!(one.take(2, 3) && other.take(1, 3));
        assert!(!one.take(1, 3) && !other.take(1, 3));
        one.give(1);
        assert!(other.take(1, 3) && !one.take(1, 3));
        // A bound that is lowered below what is used lets nothing in, and less is always possible.
        assert!(!one.set(2, 1) && one.set(0, 1));
        assert_eq!((one.used(), other.used()), (0, 2));
    }

    #[test]
    fn what_is_taken_ahead_never_exceeds_the_bound_and_leaves_most_of_it_to_the_others() {
        let max = 64 * 1024 * 1024;
        let [mut one, mut other] =
            shares(|totals| Allowance::ahead(totals, |totals| &totals.queued_bytes, 2));
        assert!(one.take(1, max));
        while other.take(1000, max) {}
        assert!(one.used() + other.used() <= max);
        assert!(other.used() > max / 8 * 7, "{} of {max}", other.used());
        // What the first gives back beyond its spare is the other's.
        let mut held = 0;
        while one.take(1000, max) {
            held += 1000;
        }
        one.give(held);
        other.give(other.used());
        assert!(other.take(max / 8 * 7, max));
    }

    #[test]
    fn a_bound_holds_whatever_many_shards_do_at_the_same_time() {
        let totals = SharedUsage::default().of(OrganisationId::FIRST);
        let taken = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut allowance = Allowance::exact(&totals, |totals| &totals.sessions);
                    for round in 0..20_000 {
                        if allowance.take(1 + round % 2, 5) {
                            let all = taken.fetch_add(1 + round % 2, Relaxed) + 1 + round % 2;
                            assert!(all <= 5, "{all}");
                            taken.fetch_sub(1 + round % 2, Relaxed);
                            allowance.give(1 + round % 2);
                        }
                    }
                });
            }
        });
        assert!(Allowance::exact(&totals, |totals| &totals.sessions).take(5, 5));
    }

    #[test]
    fn organisations_do_not_share_their_bounds() {
        let usage = SharedUsage::default();
        let first = usage.of(OrganisationId::FIRST);
        let third = usage.clone().of(OrganisationId(2));
        let mut share = Allowance::exact(&first, |totals| &totals.sessions);
        assert!(share.take(1, 1) && !share.take(1, 1));
        assert!(Allowance::exact(&third, |totals| &totals.sessions).take(1, 1));
        assert!(!Allowance::exact(&usage.of(OrganisationId::FIRST), |totals| &totals.sessions).take(1, 1));
    }
}
