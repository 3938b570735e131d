//! The small files of the folder: format and manifest.

use std::io::{self, IoSlice};

use crate::disk::{Access, Disk, read_small, replace, write_full};
use crate::format::{
    FORMAT_NAME, Manifest, SEGMENT_HEADER_BYTES, SegmentHeader, VERSION, format_text, parse_format,
    segment_number,
};
use crate::quarantine::Quarantine;
use crate::replay::{Flaw, OpenError};

use super::files::Found;
use super::of_segment;

/// Says no to a folder that a newer program has written.
pub(crate) fn refuse_newer(disk: &dyn Disk) -> Result<(), OpenError> {
    let found = match read_version(disk)? {
        Some(version) => version,
        // What the file no longer says, the segments do.
        None => version_of_segments(disk).map_err(OpenError::io("read the headers of segments"))?,
    };
    if found > VERSION { Err(OpenError::Newer { found, known: VERSION }) } else { Ok(()) }
}

fn version_of_segments(disk: &dyn Disk) -> io::Result<u32> {
    let mut highest = 0;
    for entry in disk.list("")?.iter().filter(|entry| segment_number(&entry.name).is_some()) {
        let header = read_small(disk, &entry.name, SEGMENT_HEADER_BYTES).unwrap_or_default();
        highest = highest.max(SegmentHeader::version(&header).unwrap_or(0));
    }
    Ok(highest)
}

/// Looks whether the format file says what it should.
pub(crate) fn check_format(
    disk: &dyn Disk,
    files: &[Found],
    damages: &mut Quarantine<'_>,
) -> Result<(), OpenError> {
    if read_version(disk)?.is_none() && !files.is_empty() {
        damages.note(of_segment(0, Flaw::Format));
    }
    Ok(())
}

/// Writes the files that a new folder lacks, and the ones that were lost.
pub(crate) fn complete(
    disk: &dyn Disk,
    has_segments: bool,
    quarantine: &mut Quarantine<'_>,
) -> Result<(), OpenError> {
    if read_version(disk)?.is_some() {
        return Ok(());
    }
    if has_segments {
        quarantine.note(of_segment(0, Flaw::Format));
        quarantine.keep(FORMAT_NAME);
    } else if !exists(disk, Manifest::NAME)? {
        // The manifest comes first, so that a folder with a format always had one.
        write(disk, Manifest::NAME, "manifest.new", &Manifest::default().new_file())?;
    }
    write(disk, FORMAT_NAME, "format.new", format_text(VERSION).as_bytes())
}

/// Where the replay begins; `None` when that is not known any more.
pub(crate) fn manifest(
    disk: &dyn Disk,
    quarantine: &mut Quarantine<'_>,
) -> Result<Option<Manifest>, OpenError> {
    // A file that cannot be read says as little as one that is damaged.
    let bytes = read_small(disk, Manifest::NAME, Manifest::FILE_BYTES).unwrap_or_default();
    let manifest = Manifest::of_file(&bytes);
    if manifest.is_none() {
        quarantine.note(of_segment(0, Flaw::Manifest));
        quarantine.keep(Manifest::NAME);
    }
    Ok(manifest)
}

/// Makes the manifest durable that everything from now on relies on: after a kill it may only be seen, not kept. One
/// that was lost is written anew.
pub(crate) fn keep_manifest(disk: &dyn Disk, manifest: &Manifest, was_lost: bool) -> Result<(), OpenError> {
    if was_lost {
        return write(disk, Manifest::NAME, "manifest.new", &manifest.new_file());
    }
    let kept = disk.open(Manifest::NAME, Access::Write).and_then(|file| {
        write_full(&*file, manifest.place(), &mut [IoSlice::new(&manifest.encode())])?;
        file.sync()
    });
    kept.map_err(OpenError::io("make the manifest durable"))
}

fn read_version(disk: &dyn Disk) -> Result<Option<u32>, OpenError> {
    match read_small(disk, FORMAT_NAME, 64) {
        Ok(text) => Ok(parse_format(&text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(OpenError::Io { what: "read the format of the journal", error }),
    }
}

fn exists(disk: &dyn Disk, name: &str) -> Result<bool, OpenError> {
    let entries = disk.list("").map_err(OpenError::io("list the journal"))?;
    Ok(entries.iter().any(|entry| entry.name == name))
}

fn write(disk: &dyn Disk, name: &str, temporary: &str, bytes: &[u8]) -> Result<(), OpenError> {
    replace(disk, name, temporary, bytes).map_err(OpenError::io("write to the journal's folder"))
}
