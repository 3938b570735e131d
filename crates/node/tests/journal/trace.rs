//! What a process asked of its kernel, in order, as strace saw it.
//!
//! A line is written when a call begins and when it ends; calls of several threads lie across each other. A thread goes on
//! only after strace has written that its call ended. So when one call happens because another has ended, in whichever thread,
//! their lines stand in this order.

use std::collections::HashMap;
use std::fmt::Write;

/// One system call.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) name: String,
    /// Arguments and result. Strings are hexadecimal.
    text: String,
    /// The line on which it began.
    pub(crate) begins: usize,
    /// The line on which it ended.
    pub(crate) ends: usize,
}

/// All calls that ended, in the order of their ends.
pub(crate) struct Trace {
    pub(crate) calls: Vec<Call>,
}

impl Trace {
    pub(crate) fn parse(text: &str) -> Self {
        let (mut calls, mut open) = (Vec::new(), HashMap::new());
        for (number, line) in text.lines().enumerate() {
            let Some((thread, rest)) = line.split_once(' ') else { continue };
            let rest = rest.trim_start();
            let (begins, text) =
                match rest.strip_prefix("<... ").and_then(|rest| rest.split_once(" resumed>")) {
                    Some((_, end)) => {
                        let Some((begins, start)) = open.remove(thread) else { continue };
                        (begins, format!("{start}{end}"))
                    }
                    None => (number, rest.to_owned()),
                };
            if let Some(start) = text.strip_suffix("<unfinished ...>") {
                open.insert(thread, (begins, start.to_owned()));
            } else if let Some((name, text)) = text.split_once('(') {
                calls.push(Call { name: name.into(), text: text.into(), begins, ends: number });
            }
        }
        Self { calls }
    }

    /// Those of some names that have these bytes in a buffer.
    pub(crate) fn with<'a>(&'a self, names: &'a [&str], bytes: &[u8]) -> impl Iterator<Item = &'a Call> {
        let wanted = hexadecimal(bytes);
        self.calls.iter().filter(move |call| names.contains(&&*call.name) && call.text.contains(&wanted))
    }
}

impl Call {
    /// The descriptor, with what it stands for.
    pub(crate) fn descriptor(&self) -> &str {
        self.text.split_once('>').map_or("", |(descriptor, _)| descriptor)
    }

    pub(crate) fn succeeded(&self) -> bool {
        self.text.rsplit_once(" = ").is_some_and(|(_, result)| !result.trim_start().starts_with('-'))
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "\\x{byte:02x}").expect("a string takes everything");
        text
    })
}

#[test]
fn calls_of_two_threads_are_told_apart() {
    let text = "7  fdatasync(5<\\x61> <unfinished ...>\n\
                8  sendto(9<\\x62>, \"\\x40\\x02\", 2, 0) = 2\n\
                7  <... fdatasync resumed>) = 0 (DELAYED)\n\
                8  +++ killed by SIGKILL +++\n";
    let trace = Trace::parse(text);
    let order: Vec<_> = trace.calls.iter().map(|call| (&*call.name, call.begins, call.ends)).collect();
    assert_eq!(order, [("sendto", 1, 1), ("fdatasync", 0, 2)]);
    assert!(trace.calls[1].succeeded() && trace.calls[1].descriptor() == "5<\\x61");
    assert_eq!(trace.with(&["sendto"], &[0x40, 2]).count(), 1);
}
