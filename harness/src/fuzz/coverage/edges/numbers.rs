//! Which block of a program counts which edge.
//!
//! The compiler keeps the numbers of the edges in a section of the program, and the code of a block refers to its own. The
//! runtime writes them when the program starts, each runtime in its way: so they are read from the memory of the server.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::super::Known;
use super::super::breakpoints::Blocks;
use super::super::source::Source;
use crate::binary::Guards;
use crate::process::{Server, read_mapped};

/// The blocks of a server's programs, and the edges that they count.
#[derive(Debug)]
pub(super) struct Numbers {
    blocks: Blocks,
    programs: Vec<(PathBuf, Guards)>,
    /// The number of each edge, and the block that counts it; by number. Empty if they cannot be told.
    counted: OnceLock<Vec<(u32, u32)>>,
    /// The constants of all code, once they are needed.
    constants: OnceLock<Vec<Vec<u8>>>,
}

impl Numbers {
    pub(super) fn of(blocks: Blocks, programs: Vec<(PathBuf, Guards)>) -> Self {
        Self {
            blocks,
            programs,
            counted: OnceLock::new(),
            constants: OnceLock::new(),
        }
    }

    /// Reads the numbers, once.
    pub(super) fn read(&self, server: &Server) {
        self.counted.get_or_init(|| {
            let mut counted = Vec::new();
            for (path, guards) in &self.programs {
                let pids = server.pids();
                let numbers = pids.into_iter().find_map(|pid| numbers(pid, path, *guards));
                let own = self.blocks.binaries().find(|(_, one)| one.path == *path);
                let (Some(numbers), Some((first, binary))) = (numbers, own) else {
                    continue;
                };
                counted.extend(binary.guarded.iter().filter_map(|(guard, block)| {
                    let number = numbers.get(*guard as usize)?;
                    (*number != 0).then_some((*number, first + block))
                }));
            }
            counted.sort_unstable();
            counted.dedup();
            counted
        });
    }

    /// What the code wants to read that these edges lead to; without knowing which blocks count them, what all code does.
    pub(super) fn hints(&self, known: &[Known], serving: &[u32]) -> Vec<Vec<u8>> {
        let counted = self.counted.get().map_or(&[][..], Vec::as_slice);
        if counted.is_empty() {
            let constants = self.constants.get_or_init(|| self.blocks.constants());
            return constants.clone();
        }
        let seen = self.seen(counted, known, serving);
        let mut order: Vec<(usize, u32)> = (0..)
            .zip(&seen)
            .filter_map(|(block, seen)| Some((seen.as_ref()?.position?, block)))
            .collect();
        order.sort_unstable();
        let serving: Vec<u32> = order.into_iter().map(|(_, block)| block).collect();
        let known = |seen: Option<Seen>| seen.map_or(Known::Not, |seen| seen.known);
        let known: Vec<Known> = seen.into_iter().map(known).collect();
        self.blocks.hints(&known, &serving)
    }

    /// What was seen of each block. The compiler leaves out edges that others imply: a block that counts none was reached if one
    /// that may follow it was.
    fn seen(&self, counted: &[(u32, u32)], known: &[Known], serving: &[u32]) -> Vec<Option<Seen>> {
        let positions: HashMap<u32, usize> = serving.iter().copied().zip(0..).collect();
        let all = self.blocks.binaries().map(|(_, one)| one.blocks.len());
        let mut blocks = vec![None; all.sum()];
        for (edge, block) in counted {
            let seen = Seen {
                known: known.get(*edge as usize).copied().unwrap_or_default(),
                position: positions.get(edge).copied(),
            };
            let before = &mut blocks[*block as usize];
            *before = Seen::more(*before, Some(seen));
        }
        for (first, binary) in self.blocks.binaries() {
            for (number, block) in binary.blocks.iter().enumerate().rev() {
                let number = first as usize + number;
                if blocks[number].is_none() {
                    let next = block.next.iter().flatten();
                    let next = next.map(|next| blocks[(first + next) as usize]);
                    blocks[number] = next.fold(None, Seen::more);
                }
            }
        }
        blocks
    }
}

/// What was seen of a block.
#[derive(Debug, Clone, Copy)]
struct Seen {
    known: Known,
    /// Its position in the order in which those that serve clients were reached.
    position: Option<usize>,
}

impl Seen {
    /// Of two, the one that says more, and was reached later.
    fn more(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        let rank = |seen: &Option<Self>| seen.map(|seen| (seen.known.is_reached(), seen.position));
        std::cmp::max_by_key(one, other, rank)
    }
}

/// The numbers that a process has for the edges of a program, if it runs it and has been started.
fn numbers(pid: u32, path: &Path, guards: Guards) -> Option<Vec<u32>> {
    let mut bytes = vec![0; guards.count * size_of::<u32>()];
    read_mapped(pid, path, guards.offset, &mut bytes).ok()?;
    let (words, _) = bytes.as_chunks::<{ size_of::<u32>() }>();
    let numbers: Vec<u32> = words.iter().map(|word| u32::from_ne_bytes(*word)).collect();
    numbers.iter().any(|number| *number != 0).then_some(numbers)
}
