//! What the handles and the threads of one journal share. Each part has its own lock, held for moments only and never
//! while the disk works.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::disk::Disk;
use crate::inbox::{Inbox, Owner};
use crate::listener::{Failure, Health};
use crate::options::Options;
use crate::reader::Requests;
use crate::table::Table;

pub(crate) struct Shared {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) options: Options,
    pub(crate) inbox: Inbox,
    pub(crate) requests: Requests,
    table: Mutex<Table>,
    /// Something has changed that the steward may have to act on.
    pub(crate) changed: Condvar,
    owners: Mutex<Vec<Arc<Owner>>>,
    condition: Mutex<Condition>,
}

/// What health follows from.
#[derive(Clone, Copy, Default)]
struct Condition {
    failure: Option<Failure>,
    spare_missing: bool,
}

impl Condition {
    fn health(self) -> Health {
        match (self.failure, self.spare_missing) {
            (Some(failure), _) => Health::Failing(failure),
            (None, true) => Health::NearlyFull,
            (None, false) => Health::Good,
        }
    }
}

impl Shared {
    pub(crate) fn new(disk: Arc<dyn Disk>, options: Options, table: Table) -> Self {
        Self {
            disk,
            options,
            inbox: Inbox::default(),
            requests: Requests::default(),
            table: Mutex::new(table),
            changed: Condvar::new(),
            owners: Mutex::default(),
            condition: Mutex::default(),
        }
    }

    pub(crate) fn table(&self) -> MutexGuard<'_, Table> {
        // Invariant: each change under this lock is complete in itself; a panic elsewhere leaves a usable table.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add_owner(&self, owner: Arc<Owner>) {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        owners.retain(|other| other.stream != owner.stream);
        owners.push(owner);
    }

    pub(crate) fn owners(&self) -> Vec<Arc<Owner>> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn health(&self) -> Health {
        self.condition.lock().unwrap_or_else(PoisonError::into_inner).health()
    }

    /// Notes how the last batch ended.
    pub(crate) fn set_failure(&self, failure: Option<Failure>) {
        self.change_condition(|condition| condition.failure = failure);
    }

    /// Notes whether the next segment could be prepared.
    pub(crate) fn set_spare_missing(&self, missing: bool) {
        self.change_condition(|condition| condition.spare_missing = missing);
    }

    fn change_condition(&self, change: impl FnOnce(&mut Condition)) {
        let mut condition = self.condition.lock().unwrap_or_else(PoisonError::into_inner);
        let before = condition.health();
        change(&mut condition);
        let after = condition.health();
        drop(condition);
        if before != after {
            for owner in self.owners() {
                owner.listener.health(after);
            }
        }
    }
}
