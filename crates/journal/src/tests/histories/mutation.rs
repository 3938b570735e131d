//! What is done to the files between two lives.

use crate::format::segment_name;

use super::history::History;

impl History {
    pub(super) fn mutate(&mut self) {
        let names = self.disk.names();
        for _ in 0..=self.random.below(4) {
            let name = &names[self.random.below(names.len() as u64) as usize];
            let mut content = self.disk.content(name).unwrap_or_default();
            let length = content.len() as u64;
            match self.random.below(6) {
                0 => self.disk.lose(name),
                1 => self.disk.cut(name, self.random.below(length + 1)),
                2 => self.disk.put(name, &[]),
                3 => {
                    let other = &names[self.random.below(names.len() as u64) as usize];
                    self.disk.put(name, &self.disk.content(other).unwrap_or_default());
                }
                4 => {
                    let number = self.random.below(30) as u32;
                    self.disk.put(&segment_name(number + 1), &content);
                }
                _ => {
                    let from = self.random.below(length + 1) as usize;
                    let some = self.random.below(600) as usize;
                    content.iter_mut().skip(from).take(some).for_each(|byte| *byte = self.random.any() as u8);
                    self.disk.put(name, &content);
                }
            }
        }
    }

    pub(super) fn flip_bits(&mut self) {
        let names = self.disk.names();
        for _ in 0..=self.random.below(5) {
            let name = &names[self.random.below(names.len() as u64) as usize];
            let length = self.disk.content(name).map_or(0, |content| content.len() as u64);
            self.disk.flip(name, self.random.below(length), self.random.below(8) as u8);
        }
    }
}
