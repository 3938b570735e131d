//! What waits to be written to one connection: small packets in one buffer, large payloads by reference.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;

/// The bytes that a connection is owed, in order.
///
/// ```text
/// buffer:  [head of A][head of B]…[all of C]
/// shared:            ▲           ▲
///                    payload A   payload B       inserted where their heads end
/// ```
#[derive(Debug, Default)]
pub struct Outbound {
    buffer: Vec<u8>,
    /// How much of `buffer` is written.
    sent: usize,
    /// Payloads with the position in `buffer` behind which they stand.
    shared: VecDeque<(usize, Bytes)>,
    shared_bytes: usize,
}

impl Outbound {
    /// Bytes that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.buffer.len() - self.sent + self.shared_bytes
    }

    /// Nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The buffer to append small packets to. Only ever append.
    pub(crate) fn buffer(&mut self, pool: &mut BufferPool) -> &mut Vec<u8> {
        if self.buffer.capacity() == 0 {
            self.buffer = pool.take();
        }
        &mut self.buffer
    }

    /// Appends a payload without copying it.
    pub(crate) fn push_shared(&mut self, payload: Bytes) {
        self.shared_bytes += payload.len();
        self.shared.push_back((self.buffer.len(), payload));
    }

    /// The front of what waits, for one vectored write; returns how many of `slices` are used.
    pub fn fill<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut used = 0;
        let mut at = self.sent;
        for (position, payload) in &self.shared {
            if used + 2 > slices.len() {
                return used;
            }
            if at < *position {
                slices[used] = IoSlice::new(&self.buffer[at..*position]);
                used += 1;
                at = *position;
            }
            slices[used] = IoSlice::new(payload);
            used += 1;
        }
        if at < self.buffer.len() && used < slices.len() {
            slices[used] = IoSlice::new(&self.buffer[at..]);
            used += 1;
        }
        used
    }

    /// The only piece that waits, when no payload is shared: the common case, written without a vector.
    #[must_use]
    pub fn single(&self) -> Option<&[u8]> {
        self.shared.is_empty().then(|| &self.buffer[self.sent..])
    }

    /// The kernel took `written` bytes from the front.
    pub(crate) fn advance(&mut self, mut written: usize, pool: &mut BufferPool) {
        while written > 0 {
            let inline_end = self.shared.front().map_or(self.buffer.len(), |(position, _)| *position);
            let inline = written.min(inline_end - self.sent);
            self.sent += inline;
            written -= inline;
            if written == 0 {
                break;
            }
            let Some((_, payload)) = self.shared.front_mut() else { break };
            let taken = written.min(payload.len());
            self.shared_bytes -= taken;
            written -= taken;
            if taken == payload.len() {
                self.shared.pop_front();
            } else {
                *payload = payload.slice(taken..);
            }
        }
        if self.is_empty() {
            self.sent = 0;
            pool.give(std::mem::take(&mut self.buffer));
            if self.shared.capacity() > 0 {
                self.shared = VecDeque::new();
            }
        } else if self.sent > COMPACT_BYTES && self.sent > self.buffer.len() / 2 {
            self.buffer.drain(..self.sent);
            for (position, _) in &mut self.shared {
                *position -= self.sent;
            }
            self.sent = 0;
        }
    }

    /// Forgets what waits.
    pub(crate) fn clear(&mut self, pool: &mut BufferPool) {
        *self = Self { buffer: std::mem::take(&mut self.buffer), ..Self::default() };
        pool.give(std::mem::take(&mut self.buffer));
    }
}

/// Buffers that are empty and wait for the next connection with something to say, so that an idle connection
/// holds none and a busy one allocates none.
#[derive(Debug, Default)]
pub(crate) struct BufferPool {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

impl BufferPool {
    fn take(&mut self) -> Vec<u8> {
        let Some(buffer) = self.buffers.pop() else { return Vec::with_capacity(NEW_BUFFER_BYTES) };
        self.bytes -= buffer.capacity();
        buffer
    }

    fn give(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() > 0 && self.bytes + buffer.capacity() <= POOL_BYTES_MAX {
            buffer.clear();
            self.bytes += buffer.capacity();
            self.buffers.push(buffer);
        }
    }
}

/// A buffer's first size; most turns owe a connection less.
const NEW_BUFFER_BYTES: usize = 1024;
/// What a shard keeps at most; beyond it buffers go back to the allocator, so that one burst does not pin its
/// memory. Enough for a fan-out of a thousand in one turn.
const POOL_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Written bytes are cut off the front when they are more than this and more than half.
const COMPACT_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(outbound: &Outbound) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 16];
        let used = outbound.fill(&mut slices);
        slices[..used].iter().flat_map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn bytes_leave_in_the_order_they_came_whatever_the_kernel_takes() {
        for step in 1..12 {
            let mut pool = BufferPool::default();
            let mut outbound = Outbound::default();
            outbound.buffer(&mut pool).extend_from_slice(b"head1");
            outbound.push_shared(Bytes::from_static(b"PAYLOAD1"));
            outbound.buffer(&mut pool).extend_from_slice(b"small");
            outbound.buffer(&mut pool).extend_from_slice(b"head2");
            outbound.push_shared(Bytes::from_static(b"PAYLOAD2"));
            let mut written = Vec::new();
            while !outbound.is_empty() {
                let front = collect(&outbound);
                let take = step.min(front.len());
                written.extend_from_slice(&front[..take]);
                outbound.advance(take, &mut pool);
            }
            assert_eq!(written, b"head1PAYLOAD1smallhead2PAYLOAD2", "step {step}");
        }
    }
}
