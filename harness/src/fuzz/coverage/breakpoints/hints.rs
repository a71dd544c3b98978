//! What the code wants to read: the constants at the edge of what was reached.
//!
//! Where a block was executed but what may follow it was not, the constants of both are what a case has to contain to get
//! further. Behind them come the constants of all functions that cases have reached.

use std::collections::HashSet;

use super::{Blocks, Known};

/// Maximum steps beyond the edge: the length of a text is often compared before its bytes are.
const STEPS_MAX: usize = 8;
/// Maximum blocks that are looked at in one step.
const FRONT_MAX: usize = 16;
/// Maximum hints at the edge, and in total.
const EDGE_MAX: usize = 256;
const HINTS_MAX: usize = 1024;

/// The hints: those at the edge first, the newest edge before the others. `serving` are the blocks that serve clients, in
/// the order in which they were reached.
pub(super) fn of(blocks: &Blocks, known: &[Known], serving: &[u32]) -> Vec<Vec<u8>> {
    let mut hints = Hints {
        blocks,
        known,
        seen: HashSet::new(),
        found: Vec::new(),
    };
    for block in serving.iter().rev() {
        hints.edge(*block);
    }
    let mut passed = HashSet::new();
    for number in serving.iter().rev() {
        for other in blocks.function_of(*number) {
            if hints.found.len() < HINTS_MAX && passed.insert(other) {
                hints.add(other, HINTS_MAX);
            }
        }
    }
    hints.found
}

/// The constants of all blocks: first the texts that several of them compare together, then other texts.
pub(super) fn all(blocks: &Blocks) -> Vec<Vec<u8>> {
    let numbers = 0..blocks.count();
    let all = || numbers.clone().filter_map(|number| blocks.block(number));
    let texts = all().flat_map(|(binary, block, _)| binary.texts(block));
    let mut words: Vec<&Vec<u8>> = all()
        .flat_map(|(binary, block, _)| binary.words(block))
        .collect();
    let is_printable = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
    words.sort_by_key(|word| !word.iter().all(is_printable));
    let mut seen = HashSet::new();
    let all = texts.chain(words).filter(|word| seen.insert(*word));
    all.take(HINTS_MAX).cloned().collect()
}

struct Hints<'a> {
    blocks: &'a Blocks,
    known: &'a [Known],
    seen: HashSet<&'a [u8]>,
    found: Vec<Vec<u8>>,
}

impl<'a> Hints<'a> {
    /// Adds the constants of a reached block and of what follows it, unless all of that was reached.
    fn edge(&mut self, number: u32) {
        if !self.is_reached(number) {
            return;
        }
        let beyond: Vec<u32> = self.after(number).collect();
        let beyond: Vec<u32> = beyond
            .into_iter()
            .filter(|next| !self.is_reached(*next))
            .collect();
        if beyond.is_empty() {
            return;
        }
        self.add(number, EDGE_MAX);
        let mut front = beyond;
        let mut passed = HashSet::new();
        for _ in 0..STEPS_MAX {
            let mut further = Vec::new();
            for next in front {
                self.add(next, EDGE_MAX);
                let after = self.after(next).filter(|one| !self.is_reached(*one));
                further.extend(after.filter(|one| passed.insert(*one)));
            }
            front = further;
            front.truncate(FRONT_MAX);
        }
    }

    fn is_reached(&self, number: u32) -> bool {
        self.known
            .get(number as usize)
            .is_none_or(|known| known.is_reached())
    }

    fn after(&self, number: u32) -> impl Iterator<Item = u32> + use<> {
        let next = self
            .blocks
            .block(number)
            .map(|(_, block, first)| block.next.map(|next| next.map(|number| first + number)));
        next.unwrap_or_default().into_iter().flatten()
    }

    fn add(&mut self, number: u32, most: usize) {
        let Some((binary, block, _)) = self.blocks.block(number) else {
            return;
        };
        // The bytes of a text one by one would take many cases.
        for word in binary.texts(block).iter().chain(binary.words(block)) {
            if self.found.len() < most && self.seen.insert(word) {
                self.found.push(word.clone());
            }
        }
    }
}
