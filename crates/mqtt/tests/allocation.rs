//! "No allocation per message", counted: decoding allocates nothing, and encoding into a buffer that is large enough
//! allocates nothing either.
//!
//! Alone in its file because it counts for the whole program; the count is kept per thread, so that the test harness
//! beside it does not show.

#![allow(
    unsafe_code,
    reason = "a global allocator cannot be written without it; this one only counts and forwards"
)]
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use tidegate_mqtt::frame::{self, Split};
use tidegate_mqtt::{Packet, PropertyBuf, PropertyId, SharedFilter, TopicFilter, Version};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    ALLOCATIONS.with(|allocations| allocations.set(allocations.get() + 1));
}

// SAFETY: every call is forwarded unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise, passed on.
        unsafe { System.realloc(pointer, layout, new_size) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc_zeroed(layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many allocations `work` makes on this thread.
fn allocations_of<R>(work: impl FnOnce() -> R) -> u64 {
    let before = ALLOCATIONS.with(Cell::get);
    black_box(work());
    ALLOCATIONS.with(Cell::get) - before
}

fn string(text: &str) -> Vec<u8> {
    let mut out = u16::try_from(text.len()).unwrap().to_be_bytes().to_vec();
    out.extend(text.as_bytes());
    out
}

fn packet(first: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let mut wire = vec![first];
    tidegate_mqtt::put_variable_byte_integer(&mut wire, body.len() as u32);
    wire.extend(body);
    wire
}

/// Every packet of `version`, with everything it may carry, and some that are refused.
fn packets(version: Version) -> Vec<Vec<u8>> {
    let block = |build: &dyn Fn(&mut PropertyBuf)| {
        let mut properties = PropertyBuf::new();
        build(&mut properties);
        let properties = properties.as_properties();
        let mut out = Vec::new();
        if version.is_v5() {
            tidegate_mqtt::put_variable_byte_integer(&mut out, properties.as_bytes().len() as u32);
            out.extend_from_slice(properties.as_bytes());
        }
        out
    };
    let user = block(&|properties| {
        properties.user("name", "value").user("name", "other");
    });
    let message = block(&|properties| {
        properties
            .number(PropertyId::MessageExpiryInterval, 60)
            .text(PropertyId::ResponseTopic, "r")
            .user("k", "v");
    });
    let version_bytes =
        [&string(version.protocol_name())[..], &[version.protocol_level(), 0xEE, 0, 60]].concat();
    let reason: &[u8] = if version.is_v5() { &[0] } else { &[] };
    vec![
        packet(
            0x10,
            &[
                &version_bytes,
                &user,
                &string("c"),
                &message,
                &string("w"),
                &string("gone"),
                &string("u"),
                &string("p"),
            ],
        ),
        packet(0x20, &[&[0, 0], &user]),
        packet(0x31, &[&string("sensors/7/temperature"), &message, b"21.5"]),
        packet(0x3B, &[&string("sensors/7/temperature"), &[0, 1], &message, &[b'x'; 5000]]),
        packet(0x40, &[&[0, 1]]),
        packet(0x62, &[&[0, 1], reason, if version.is_v5() { &user } else { &[] }]),
        packet(0x82, &[&[0, 1], &user, &string("a/+/#"), &[1], &string("$share/g/b"), &[2]]),
        packet(0x90, &[&[0, 1], &user, &[0, 1, 2]]),
        packet(0xA2, &[&[0, 1], &user, &string("a/+/#"), &string("b")]),
        packet(0xC0, &[]),
        packet(0xE0, &[]),
        // Refused: no text is built for an error either.
        packet(0x36, &[&string("t")]),
        packet(0x30, &[&string("a/#"), &user]),
        packet(0x82, &[&[0, 0]]),
        packet(0x82, &[&[0, 1], &user]),
    ]
}

/// Decodes `wire` and looks at everything in it, as a broker does.
fn read_all(wire: &[u8], version: Version) -> usize {
    let Ok(Split::Frame(frame)) = frame::split(wire, 1 << 20) else { return 0 };
    match Packet::decode(frame, version) {
        Ok(Packet::Subscribe(subscribe)) => {
            let filters = subscribe.filters.iter().filter(|entry| match SharedFilter::parse(entry.filter) {
                Some(shared) => shared.is_ok_and(|shared| shared.filter.matches("b")),
                None => TopicFilter::new(entry.filter).is_ok_and(|filter| filter.matches("a/b/c")),
            });
            filters.count()
        }
        Ok(Packet::Unsubscribe(unsubscribe)) => unsubscribe.filters.iter().map(str::len).sum(),
        Ok(Packet::Publish(publish)) => {
            let expiry = publish.properties.number(PropertyId::MessageExpiryInterval).unwrap_or(0) as usize;
            publish.properties.iter_with_bytes().map(|(_, bytes)| bytes.len()).sum::<usize>()
                + expiry
                + publish.payload.len()
        }
        Ok(_) => 1,
        Err(error) => error.text.len(),
    }
}

#[test]
fn decoding_allocates_nothing() {
    for version in Version::ALL {
        for wire in packets(version) {
            let mut read = 0;
            assert_eq!(allocations_of(|| read = read_all(&wire, version)), 0, "{version:?} {wire:02X?}");
            assert!(read > 0, "{version:?} {wire:02X?} was looked at");
        }
    }
}

#[test]
fn encoding_into_a_large_enough_buffer_allocates_nothing() {
    let mut out = Vec::with_capacity(16 * 1024);
    for version in Version::ALL {
        let mut encoded = 0;
        for wire in packets(version) {
            let Ok(Split::Frame(frame)) = frame::split(&wire, 1 << 20) else { panic!("a whole packet") };
            let Ok(packet) = Packet::decode(frame, version) else { continue };
            out.clear();
            assert_eq!(allocations_of(|| packet.encode(version, &mut out)), 0, "{version:?} {packet:?}");
            assert_eq!(out, wire);
            encoded += 1;
        }
        assert_eq!(encoded, 11);
    }
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations_of(|| black_box(Vec::<u8>::with_capacity(10))), 1);
    let mut grown = Vec::<u8>::with_capacity(1);
    assert_eq!(allocations_of(|| grown.extend_from_slice(&[0; 100])), 1);
}
