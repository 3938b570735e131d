//! What the members of a shared subscription have had together. Each message goes to one of them, so there is no order to
//! check; that nothing is missing, and nothing came to two, is.

/// For each stream, a bit for each number.
#[derive(Debug, Default)]
pub(crate) struct Group {
    streams: Vec<Vec<u64>>,
}

impl Group {
    /// `false`: a member had it already.
    pub(crate) fn take(&mut self, stream: u32, number: u64) -> bool {
        let stream = stream as usize;
        if self.streams.len() <= stream {
            self.streams.resize(stream + 1, Vec::new());
        }
        let (words, at) = (&mut self.streams[stream], (number / 64) as usize);
        if words.len() <= at {
            words.resize(at + 1, 0);
        }
        let bit = 1 << (number % 64);
        let is_new = words[at] & bit == 0;
        words[at] |= bit;
        is_new
    }

    pub(crate) fn has(&self, stream: u32, number: u64) -> bool {
        let word = self.streams.get(stream as usize).and_then(|words| words.get((number / 64) as usize));
        word.is_some_and(|word| word & 1 << (number % 64) != 0)
    }
}
