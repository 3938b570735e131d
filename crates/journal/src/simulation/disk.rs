//! The simulated disk itself.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::faults::Faults;
use super::inode::Inode;
use super::random::Random;
use crate::disk::{Access, Disk, DiskFile, Entry, Lock, LockError};

/// A folder in memory. Clones are the same folder.
#[derive(Clone, Debug)]
pub struct SimulatedDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    random: Random,
    faults: Faults,
    inodes: Vec<Inode>,
    /// What names mean to the process.
    names: BTreeMap<String, usize>,
    /// What they mean on the disk.
    durable_names: BTreeMap<String, usize>,
    /// What has happened to names since the last sync of the folder, in order.
    changes: Vec<Change>,
    /// How often the machine, or the process, has died. Handles of an earlier life do nothing.
    life: u64,
    locked: bool,
    /// So many operations are still carried out; then the process is as good as dead.
    operations_left: Option<u64>,
    operations: u64,
}

#[derive(Clone, Debug)]
enum Change {
    Create(String, usize),
    Rename(String, String),
    Remove(String),
}

impl SimulatedDisk {
    /// An empty folder.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let state = State {
            random: Random::new(seed),
            faults: Faults::default(),
            inodes: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            changes: Vec::new(),
            life: 0,
            locked: false,
            operations_left: None,
            operations: 0,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Invariant: a test that panicked has failed already.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on it does this wrong.
    pub fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// After so many more operations all others fail, as if the process had died in the middle of something.
    pub fn die_after(&self, operations: u64) {
        self.state().operations_left = Some(operations);
    }

    /// Takes that back, if it has not happened yet.
    pub fn live_on(&self) {
        let mut state = self.state();
        state.operations_left = state.operations_left.filter(|left| *left == 0);
    }

    /// Whether it has come to that.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.state().operations_left == Some(0)
    }

    /// How many operations there were.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// The power goes and comes back: what was not synced is there, or not, or torn. All handles are dead.
    pub fn lose_power(&self) {
        let mut state = self.state();
        let state = &mut *state;
        // A journaling file system keeps names in order: some first part of the changes is there.
        let kept = state.random.below(state.changes.len() as u64 + 1) as usize;
        for change in state.changes.drain(..).take(kept) {
            apply(&mut state.durable_names, &change);
        }
        state.names = state.durable_names.clone();
        for inode in &mut state.inodes {
            inode.lose_power(&mut state.random);
        }
        state.revive();
    }

    /// The process dies; the operating system lives. All handles are dead, everything written is there.
    pub fn kill(&self) {
        self.state().revive();
    }

    /// Changes one bit of a file for good.
    pub fn flip(&self, name: &str, offset: u64, bit: u8) {
        let mut state = self.state();
        if let Some(index) = state.names.get(name).copied() {
            state.inodes[index].flip(offset as usize, bit);
        }
    }

    /// Cuts a file for good.
    pub fn cut(&self, name: &str, length: u64) {
        let mut state = self.state();
        if let Some(index) = state.names.get(name).copied() {
            state.inodes[index].cut(length as usize);
        }
    }

    /// Takes a file away for good.
    pub fn lose(&self, name: &str) {
        let mut state = self.state();
        state.names.remove(name);
        state.durable_names.remove(name);
    }

    /// What a file holds.
    #[must_use]
    pub fn content(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.state();
        state.names.get(name).map(|index| state.inodes[*index].seen.clone())
    }

    /// Puts a file there for good.
    pub fn put(&self, name: &str, content: &[u8]) {
        let mut state = self.state();
        let mut inode = Inode::default();
        inode.write(0, content);
        inode.sync();
        state.inodes.push(inode);
        let index = state.inodes.len() - 1;
        state.names.insert(name.to_owned(), index);
        state.durable_names.insert(name.to_owned(), index);
    }

    /// All names.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.state().names.keys().cloned().collect()
    }
}

impl State {
    fn revive(&mut self) {
        self.life += 1;
        self.locked = false;
        self.operations_left = None;
    }

    /// Counts an operation and says whether it goes wrong.
    fn operate(&mut self, fails_per_thousand: u32) -> io::Result<()> {
        self.operations += 1;
        match &mut self.operations_left {
            Some(0) => return Err(io::Error::other("the process is dead")),
            Some(left) => *left -= 1,
            None => {}
        }
        if self.random.chance(fails_per_thousand) {
            return Err(io::Error::other("simulated"));
        }
        Ok(())
    }

    /// Whether the files may grow to `length` in one of them.
    fn claim(&self, index: usize, length: usize) -> io::Result<()> {
        let Some(space) = self.faults.space else { return Ok(()) };
        let grown = length.saturating_sub(self.inodes[index].seen.len()) as u64;
        let used: u64 = self.names.values().map(|index| self.inodes[*index].seen.len() as u64).sum();
        if grown > 0 && used + grown > space { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn change(&mut self, change: Change) {
        apply(&mut self.names, &change);
        self.changes.push(change);
    }

    fn index(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

fn apply(names: &mut BTreeMap<String, usize>, change: &Change) {
    match change {
        Change::Create(name, index) => {
            names.insert(name.clone(), *index);
        }
        Change::Rename(from, to) => {
            if let Some(index) = names.remove(from) {
                names.insert(to.clone(), index);
            }
        }
        Change::Remove(name) => {
            names.remove(name);
        }
    }
}

impl Disk for SimulatedDisk {
    fn lock(&self) -> Result<Box<dyn Lock>, LockError> {
        let mut state = self.state();
        if state.locked {
            return Err(LockError::Held { pid: None });
        }
        state.locked = true;
        Ok(Box::new(SimulatedLock { disk: self.clone(), life: state.life }))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<Entry>> {
        let mut state = self.state();
        state.operate(0)?;
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let inside = state.names.iter().filter_map(|(name, index)| {
            let name = name.strip_prefix(&prefix).filter(|name| !name.contains('/'))?;
            Some(Entry { name: name.to_owned(), length: state.inodes[*index].seen.len() as u64 })
        });
        Ok(inside.collect())
    }

    fn open(&self, name: &str, _access: Access) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        state.operate(0)?;
        let index = state.index(name)?;
        Ok(Arc::new(SimulatedFile { disk: self.clone(), index, life: state.life }))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        let fails = state.faults.folder_fails;
        state.operate(fails)?;
        if state.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.inodes.push(Inode::default());
        let index = state.inodes.len() - 1;
        state.change(Change::Create(name.to_owned(), index));
        Ok(Arc::new(SimulatedFile { disk: self.clone(), index, life: state.life }))
    }

    fn create_folder(&self, _name: &str) -> io::Result<()> {
        self.state().operate(0)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        let fails = state.faults.folder_fails;
        state.operate(fails)?;
        state.index(from)?;
        state.change(Change::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        let fails = state.faults.folder_fails;
        state.operate(fails)?;
        state.index(name)?;
        state.change(Change::Remove(name.to_owned()));
        Ok(())
    }

    fn sync_folder(&self, _folder: &str) -> io::Result<()> {
        let mut state = self.state();
        let fails = state.faults.folder_fails;
        state.operate(fails)?;
        if !state.faults.lies {
            let state = &mut *state;
            for change in state.changes.drain(..) {
                apply(&mut state.durable_names, &change);
            }
        }
        Ok(())
    }
}

#[derive(Debug)]
struct SimulatedFile {
    disk: SimulatedDisk,
    index: usize,
    life: u64,
}

impl SimulatedFile {
    fn operate(&self, fails: impl FnOnce(&Faults) -> u32) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.disk.state();
        if state.life != self.life {
            return Err(io::Error::other("a handle of an earlier life"));
        }
        let fails = fails(&state.faults);
        state.operate(fails)?;
        Ok(state)
    }
}

impl DiskFile for SimulatedFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.operate(|_| 0)?.inodes[self.index].seen.len() as u64)
    }

    fn write_at(&self, offset: u64, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let bytes: Vec<u8> = pieces.iter().flat_map(|piece| piece.iter().copied()).collect();
        let offset = offset as usize;
        let mut state = self.operate(|_| 0)?;
        let state = &mut *state;
        state.claim(self.index, offset + bytes.len())?;
        // Short, or failed after a part of it.
        let fails = state.random.chance(state.faults.write_fails);
        let short = fails || state.random.chance(state.faults.write_is_short);
        let written = if short { state.random.below(bytes.len() as u64 + 1) as usize } else { bytes.len() };
        state.inodes[self.index].write(offset, &bytes[..written]);
        match (fails, written) {
            (true, _) => Err(io::Error::other("simulated write error")),
            (false, 0) if !bytes.is_empty() => Err(io::ErrorKind::Interrupted.into()),
            (false, written) => Ok(written),
        }
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let state = self.operate(|faults| faults.read_fails)?;
        let seen = state.inodes[self.index].seen.get(offset as usize..).unwrap_or_default();
        let length = seen.len().min(into.len());
        into[..length].copy_from_slice(&seen[..length]);
        Ok(length)
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.operate(|_| 0)?;
        let state = &mut *state;
        if state.random.chance(state.faults.sync_fails) {
            state.inodes[self.index].sync_in_vain(&mut state.random);
            return Err(io::Error::other("simulated sync error"));
        }
        if !state.faults.lies {
            state.inodes[self.index].sync();
        }
        Ok(())
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        let mut state = self.operate(|faults| faults.folder_fails)?;
        state.claim(self.index, length as usize)?;
        let inode = &mut state.inodes[self.index];
        if inode.seen.len() < length as usize {
            inode.resize(length as usize);
        }
        Ok(())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let mut state = self.operate(|faults| faults.folder_fails)?;
        state.inodes[self.index].resize(length as usize);
        Ok(())
    }
}

#[derive(Debug)]
struct SimulatedLock {
    disk: SimulatedDisk,
    life: u64,
}

impl Lock for SimulatedLock {}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.life == self.life {
            state.locked = false;
        }
    }
}
