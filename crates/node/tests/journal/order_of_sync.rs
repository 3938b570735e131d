//! The running program, seen by strace: an acknowledgement leaves after the sync of what it acknowledges has returned.

use std::path::Path;
use std::process::Command;
use std::thread::JoinHandle;

use rustix::fs::{FileType, Mode, mknodat};

use crate::client::{IDENTIFIER, PUBACK, PUBCOMP, PUBREC, PUBREL};
use crate::serving::{Serving, set_up};
use crate::trace::{Call, Trace};

/// A broker under strace.
struct Traced {
    serving: Serving,
    reader: JoinHandle<String>,
}

impl Traced {
    fn start(folder: &Path) -> Self {
        let (data, pipe) = (folder.join("data"), folder.join("trace"));
        mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
            .expect("the system allows it");
        // The broker stays a child of this process; every sync takes long, so that nobody is in time by chance.
        let mut strace = Command::new("strace");
        strace.args(["-f", "-D", "-y", "-xx", "-s", "600", "-e", TRACED, "-e", SLOW_SYNC, "-o"]).arg(&pipe);
        strace.arg(env!("CARGO_BIN_EXE_tidegate")).arg("serve");
        set_up(&mut strace, &data);
        strace.env("TIDEGATE_SHARDS", "2");
        let reader = std::thread::spawn(move || std::fs::read_to_string(pipe).expect("strace writes text"));
        Self { serving: Serving::spawn(&mut strace), reader }
    }

    /// Kills the broker and returns what it did.
    fn trace(self) -> Trace {
        self.serving.kill();
        Trace::parse(&self.reader.join().expect("the trace can be read"))
    }
}

const TRACED: &str =
    "trace=read,recvfrom,readv,recvmsg,write,writev,sendto,sendmsg,pwrite64,pwritev,pwritev2,fsync,fdatasync";
const SLOW_SYNC: &str = "inject=fdatasync:delay_enter=30000";
const RECEIVES: &[&str] = &["read", "recvfrom", "readv", "recvmsg"];
const SENDS: &[&str] = &["write", "writev", "sendto", "sendmsg"];
const WRITES: &[&str] = &["pwrite64", "pwritev", "pwritev2"];

/// One packet that came, and the answer to it.
struct Exchange<'a> {
    trace: &'a Trace,
    came: &'a Call,
    answered: &'a Call,
}

impl<'a> Exchange<'a> {
    fn find(trace: &'a Trace, came: &[u8], answer: u8) -> Self {
        let came = trace.with(RECEIVES, came).next().expect("it was received");
        let answer = [&[answer, 2][..], &IDENTIFIER].concat();
        let answered =
            trace.with(SENDS, &answer).find(|call| call.begins > came.ends).expect("it was answered");
        Self { trace, came, answered }
    }

    /// Those that ended after the packet had come, and before the answer was given to the kernel.
    fn between(&self, names: &'a [&'a str]) -> impl Iterator<Item = &'a Call> {
        let (from, to) = (self.came.ends, self.answered.begins);
        let calls = self.trace.calls.iter();
        calls.filter(move |call| names.contains(&&*call.name) && call.ends > from && call.ends < to)
    }

    /// What was written to `descriptor` meanwhile: each write must have been followed by a sync that succeeded.
    fn assert_synced(&self, descriptor: &str, what: &str) {
        let writes: Vec<_> = self.between(WRITES).filter(|call| call.descriptor() == descriptor).collect();
        assert!(!writes.is_empty(), "{what} left before anything was written");
        for write in writes {
            let synced = self
                .between(&["fdatasync"])
                .any(|sync| sync.descriptor() == descriptor && sync.begins > write.ends && sync.succeeded());
            assert!(write.succeeded() && synced, "{what} left before the sync had returned");
        }
    }
}

/// The segment into which these bytes were written.
fn segment_of<'a>(trace: &'a Trace, payload: &str) -> Option<&'a str> {
    trace.with(WRITES, payload.as_bytes()).map(Call::descriptor).next()
}

#[test]
fn an_acknowledgement_leaves_after_the_sync_has_returned() {
    let folder = tempfile::tempdir().unwrap();
    let traced = Traced::start(folder.path());
    traced.serving.client("away", false).subscribe("t");
    traced.serving.client("p", true).publish("t", "once acknowledged", false);
    traced.serving.client("durable", false).publish_twice_acknowledged("t", "twice acknowledged");
    let trace = traced.trace();

    let segment = segment_of(&trace, "once acknowledged").expect("PUBACK left and nothing was written");
    // [MQTT5-4.3.2-4]
    Exchange::find(&trace, b"once acknowledged", PUBACK).assert_synced(segment, "PUBACK");
    let segment = segment_of(&trace, "twice acknowledged").expect("PUBREC left and nothing was written");
    Exchange::find(&trace, b"twice acknowledged", PUBREC).assert_synced(segment, "PUBREC");
    let released = [&[PUBREL, 2][..], &IDENTIFIER].concat();
    Exchange::find(&trace, &released, PUBCOMP).assert_synced(segment, "PUBCOMP");
}

#[test]
fn what_nobody_keeps_is_acknowledged_without_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let traced = Traced::start(folder.path());
    traced.serving.client("away", false).subscribe("kept");
    let mut live = traced.serving.client("live", true);
    live.subscribe("live");
    let mut publisher = traced.serving.client("p", true);
    publisher.publish("kept", "what is kept", false);
    publisher.publish("live", "what is not kept", false);
    assert_eq!(live.payload(), "what is not kept");
    let trace = traced.trace();

    let segment = segment_of(&trace, "what is kept").expect("it was written");
    assert_eq!(segment_of(&trace, "what is not kept"), None);
    let exchange = Exchange::find(&trace, b"what is not kept", PUBACK);
    let touched = exchange.between(&["pwrite64", "pwritev", "pwritev2", "fsync", "fdatasync"]);
    let touched: Vec<_> = touched.filter(|call| call.descriptor() == segment).collect();
    assert!(touched.is_empty(), "{touched:?}");
}
