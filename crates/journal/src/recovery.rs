//! Opening a folder: what is there, which of it is the log, and where the log ends.
//!
//! ```text
//!  folder ── format, lock ──► files ──► chain of segments ──► replay from the last checkpoint ──► torn tail cut
//! ```
//!
//! Nothing that is damaged stops it. It reports, copies aside, and goes on behind. It changes nothing but that, and cuts
//! the last segment where the log ends; so if it is interrupted, the next one finds the same.

pub(crate) mod chain;
pub(crate) mod files;
pub(crate) mod folder;
pub(crate) mod reading;
pub(crate) mod tail;

use std::io::{self, IoSlice};

use crate::disk::{Access, Disk, Lock, read_full, write_full};
use crate::format::{SEGMENT_HEADER_BYTES, segment_name};
use crate::options::{Level, Options};
use crate::position::Position;
use crate::quarantine::Quarantine;
use crate::replay::{Flaw, OpenError, Replay, Report};
use crate::table::{Prepared, Segment, Table};
use crate::walk::Walk;

use chain::Chain;
use files::{Content, Found};
use reading::Reading;
use tail::Tail;

/// A journal that can go on.
pub(crate) struct Recovered {
    pub(crate) table: Table,
    /// Where the log ends.
    pub(crate) end: Position,
    pub(crate) next_batch: u64,
    pub(crate) report: Report,
    pub(crate) lock: Box<dyn Lock>,
}

/// Reads a folder, tells `replay`, and makes a new one if nothing is there.
pub(crate) fn recover(
    disk: &dyn Disk,
    options: &Options,
    replay: &mut dyn Replay,
) -> Result<Recovered, OpenError> {
    // Before anything is touched: a folder of a newer program stays as it is.
    folder::refuse_newer(disk)?;
    let lock = disk.lock()?;
    folder::refuse_newer(disk)?;
    let files = files::find(disk).map_err(OpenError::io("list the journal"))?;
    let mut quarantine = Quarantine::new(disk);
    folder::complete(disk, !files.is_empty(), &mut quarantine)?;
    let manifest = folder::manifest(disk, &mut quarantine)?;

    let newest = files.iter().rev().find(|found| found.content.is_log());
    let chain = Chain::of(&files, newest, manifest.as_ref(), &mut quarantine);
    let tail = match newest {
        Some(newest) => tail::find(disk, newest.number).map_err(OpenError::io("read the last segment"))?,
        None => Tail::default(),
    };
    if options.level == Level::Fsync {
        secure(disk, newest, &tail).map_err(OpenError::io("make the end of the log durable"))?;
    }
    let was_lost = manifest.is_none();
    let manifest = manifest.unwrap_or_else(|| chain.whole());
    folder::keep_manifest(disk, &manifest, was_lost)?;
    let mut reading = Reading { disk, quarantine: &mut quarantine, replay, report: Report::default() };
    let manifest = reading.replay(&chain, manifest, tail.end);
    let mut report = reading.report;
    save_torn(disk, &files, newest, &tail, &mut quarantine, &mut report);
    quarantine.finish(&mut report);
    report.segments = files.iter().filter(|found| found.content.is_log()).count() as u64;

    let end = newest.map_or(Position::ZERO, |newest| Position::new(newest.number, tail.end));
    let last_batch = files.iter().map(|found| found.last_batch).max().unwrap_or(0).max(tail.last_batch);
    let mut table = table(disk, options, &files, end)?;
    table.manifest = manifest;
    // What a replay tells again is what a checkpoint would save.
    table.written = report.bytes;
    if let (Some(newest), true) = (newest, tail.torn.is_none() || report.torn_saved.is_some()) {
        cut(disk, newest, tail.end);
    }
    Ok(Recovered { table, end, next_batch: last_batch + 1, report, lock })
}

/// Makes durable what is about to be told. After a kill, the operating system shows what the last batch wrote although
/// nobody has synced it; after a sync that failed, it may show that for ever and never write it. So it is written again.
/// Names are the same: a segment that was prepared just before a kill may have none after a power cut.
fn secure(disk: &dyn Disk, newest: Option<&Found>, tail: &Tail) -> io::Result<()> {
    if let Some(newest) = newest {
        write_again(disk, newest, tail)?;
    }
    disk.sync_folder("")
}

fn write_again(disk: &dyn Disk, newest: &Found, tail: &Tail) -> io::Result<()> {
    let file = disk.open(&segment_name(newest.number), Access::Write)?;
    let is_first = tail.unsure_from as usize <= SEGMENT_HEADER_BYTES;
    let from = if is_first { 0 } else { u64::from(tail.unsure_from) };
    let mut bytes = vec![0; u64::from(tail.end).saturating_sub(from) as usize];
    let read = read_full(&*file, from, &mut bytes)?;
    write_full(&*file, from, &mut [IoSlice::new(&bytes[..read])])?;
    file.sync()
}

/// Copies aside what a crash left of batches that were never finished.
fn save_torn(
    disk: &dyn Disk,
    files: &[Found],
    newest: Option<&Found>,
    tail: &Tail,
    quarantine: &mut Quarantine<'_>,
    report: &mut Report,
) {
    let newest_number = newest.map_or(0, |newest| newest.number);
    let of_tail = newest.zip(tail.torn).map(|(newest, (from, to))| (newest.number, from, to));
    let of_others =
        files.iter().filter(|found| found.number > newest_number).filter_map(|found| match found.content {
            Content::Torn { end } => Some((found.number, SEGMENT_HEADER_BYTES as u64, u64::from(end))),
            _ => None,
        });
    for (number, from, to) in of_tail.into_iter().chain(of_others) {
        report.torn_bytes += to - from;
        let file = disk.open(&segment_name(number), Access::Read);
        let saved = file.ok().and_then(|file| {
            let mut walk = Walk::new(&*file, number, None).ok()?;
            quarantine.save(&mut walk, number, from, to - from)
        });
        report.torn_saved = saved.or(report.torn_saved.take());
    }
}

/// Gives back what the last segment does not use: the log goes on in another one. A failure costs only space.
fn cut(disk: &dyn Disk, newest: &Found, end: u32) {
    if newest.length > u64::from(end)
        && let Ok(file) = disk.open(&segment_name(newest.number), Access::Write)
    {
        let _ = file.truncate(u64::from(end));
    }
}

fn table(disk: &dyn Disk, options: &Options, files: &[Found], end: Position) -> Result<Table, OpenError> {
    let mut table = Table::ending_at(end);
    for found in files {
        table.next_number = table.next_number.max(found.number + 1);
        let name = segment_name(found.number);
        if matches!(found.content, Content::Empty) && found.number > end.segment() {
            if found.length == u64::from(options.segment_bytes) {
                let file =
                    disk.open(&name, Access::Write).map_err(OpenError::io("open a prepared segment"))?;
                table.prepared.push_back(Prepared { number: found.number, file, length: found.length });
            } else {
                // Its preparation was interrupted, or it has the size of an earlier configuration. It holds nothing.
                disk.remove(&name).map_err(OpenError::io("remove an unfinished segment"))?;
            }
            continue;
        }
        let known = files.iter().find_map(|other| other.content.end_of_previous(found.number));
        let content_end =
            if found.number == end.segment() { end.offset() } else { known.unwrap_or(u32::MAX) };
        let content_end = u64::from(content_end).min(found.length) as u32;
        let length = if found.number == end.segment() { u64::from(content_end) } else { found.length };
        let end_is_known = known.is_some() || found.number == end.segment();
        // What the last rounds have marked is not written down.
        let segment =
            Segment { end: content_end, end_is_known, length, was_live: true, ..Segment::default() };
        table.segments.insert(found.number, segment);
    }
    Ok(table)
}

/// Damage of a whole segment, which has no place in it.
pub(crate) fn of_segment(number: u32, what: Flaw) -> crate::replay::Damage {
    crate::replay::Damage { segment: number, offset: 0, bytes: 0, what, saved: None }
}
