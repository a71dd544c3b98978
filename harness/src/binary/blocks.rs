//! Basic blocks of x86-64 code.

use std::collections::HashMap;
use std::ops::Range;

use iced_x86::{Code, Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic};

use super::constants::Constants;
use super::elf::Image;
use super::{Binary, Block};

/// The blocks of all functions that decode completely.
pub(super) fn of(image: &Image<'_>) -> Binary {
    let mut heads = Heads::default();
    for function in &image.functions {
        heads.function(image, function);
    }
    let mut binary = Binary::default();
    let mut addresses = Addresses::default();
    for (number, function) in image.functions.iter().enumerate() {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        heads.blocks(image, function, number, &mut binary, &mut addresses);
    }
    addresses.link(&mut binary);
    binary
}

/// Where blocks begin.
#[derive(Default)]
struct Heads {
    /// The targets of jumps and calls, and what follows an instruction that may jump.
    targets: Vec<u64>,
    is_sorted: bool,
}

impl Heads {
    fn function(&mut self, image: &Image<'_>, function: &Range<u64>) {
        let Some((code, _)) = image.code(function) else {
            return;
        };
        let from = self.targets.len();
        self.targets.push(function.start);
        let mut decoder = Decoder::with_ip(64, code, function.start, DecoderOptions::NONE);
        let mut instruction = Instruction::default();
        // Padding behind a jump is no block, but what follows it may be one.
        let mut begins = false;
        while decoder.can_decode() {
            decoder.decode_out(&mut instruction);
            if instruction.is_invalid() {
                // Data among the code: a breakpoint there would change what the server reads.
                self.targets.truncate(from);
                return;
            }
            if begins && !is_padding(&instruction) {
                self.targets.push(instruction.ip());
                begins = false;
            }
            match instruction.flow_control() {
                FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch => {
                    self.targets.push(instruction.near_branch_target());
                    begins = true;
                }
                FlowControl::Call if instruction.is_call_near() => {
                    self.targets.push(instruction.near_branch_target());
                }
                // Behind these, tables of jumps lead to what no instruction names.
                FlowControl::IndirectBranch | FlowControl::Return | FlowControl::Exception => {
                    begins = true;
                }
                _ => {}
            }
        }
    }

    fn is_head(&mut self, address: u64) -> bool {
        if !self.is_sorted {
            self.targets.sort_unstable();
            self.targets.dedup();
            self.is_sorted = true;
        }
        self.targets.binary_search(&address).is_ok()
    }

    fn blocks(
        &mut self,
        image: &Image<'_>,
        function: &Range<u64>,
        number: u32,
        binary: &mut Binary,
        addresses: &mut Addresses,
    ) {
        let Some((code, offset)) = image.code(function) else {
            return;
        };
        if !self.is_head(function.start) {
            return;
        }
        let mut constants = Constants::default();
        let mut decoder = Decoder::with_ip(64, code, function.start, DecoderOptions::NONE);
        let mut instruction = Instruction::default();
        let mut last = FlowControl::Return;
        while decoder.can_decode() {
            decoder.decode_out(&mut instruction);
            let at = instruction.ip();
            let place = usize::try_from(at - function.start).unwrap_or(0);
            let fits = !is_padding(&instruction) && code[place] != BREAKPOINT;
            if fits && self.is_head(at) {
                let falls = !matches!(
                    last,
                    FlowControl::Return
                        | FlowControl::UnconditionalBranch
                        | FlowControl::IndirectBranch
                );
                addresses.begin(at, falls, binary.blocks.len());
                close(binary, &mut constants, image, falls);
                let words = u32::try_from(binary.words.len()).unwrap_or(u32::MAX);
                binary.blocks.push(Block {
                    offset: offset + place as u64,
                    original: code[place],
                    function: number,
                    next: [None, None],
                    words: words..words,
                    texts: 0..0,
                });
            }
            constants.see(&instruction);
            if instruction.is_ip_rel_memory_operand()
                && let Some(guard) = image.guard(instruction.ip_rel_memory_address())
                && let Some(block) = binary.blocks.len().checked_sub(1)
            {
                let block = u32::try_from(block).unwrap_or(u32::MAX);
                binary.guarded.push((guard, block));
            }
            last = instruction.flow_control();
            if matches!(
                last,
                FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch
            ) {
                addresses.jump(instruction.near_branch_target(), binary.blocks.len());
            }
        }
        close(binary, &mut constants, image, false);
    }
}

/// The instruction `int3`.
const BREAKPOINT: u8 = 0xcc;

/// Ends the last block: its constants are complete. `falls` says whether the next one may follow it.
fn close(binary: &mut Binary, constants: &mut Constants, image: &Image<'_>, falls: bool) {
    if !constants.compares() {
        end_texts(binary, constants, binary.blocks.len().saturating_sub(1));
    }
    let words = constants.take(image);
    binary.words.extend(words);
    let Some(last) = binary.blocks.last_mut() else {
        return;
    };
    last.words.end = u32::try_from(binary.words.len()).unwrap_or(u32::MAX);
    // Until it is known where the chain ends, the range only says where it begins.
    let texts = u32::try_from(binary.texts.len()).unwrap_or(u32::MAX);
    last.texts = texts..u32::MAX;
    if !falls {
        end_texts(binary, constants, binary.blocks.len());
    }
}

/// The chain of blocks that compare a text together ends before the block number `end`.
fn end_texts(binary: &mut Binary, constants: &mut Constants, end: usize) {
    binary.texts.extend(constants.texts());
    let texts = u32::try_from(binary.texts.len()).unwrap_or(u32::MAX);
    let open = binary.blocks[..end].iter_mut().rev();
    open.take_while(|block| block.texts.end == u32::MAX)
        .for_each(|block| block.texts.end = texts);
}

fn is_padding(instruction: &Instruction) -> bool {
    let exchange = instruction.code() == Code::Xchg_rm16_r16;
    exchange || matches!(instruction.mnemonic(), Mnemonic::Nop | Mnemonic::Int3)
}

/// The addresses of blocks, and which follows which.
#[derive(Default)]
struct Addresses {
    block_at: HashMap<u64, u32>,
    /// A block and the address to which it may jump.
    jumps: Vec<(u32, u64)>,
    /// Blocks that the one before may fall into.
    fallen_into: Vec<u32>,
}

impl Addresses {
    fn begin(&mut self, at: u64, falls: bool, block: usize) {
        let block = u32::try_from(block).unwrap_or(u32::MAX);
        self.block_at.insert(at, block);
        if falls && block > 0 {
            self.fallen_into.push(block);
        }
    }

    /// The block before number `blocks` jumps.
    fn jump(&mut self, to: u64, blocks: usize) {
        if let Some(block) = blocks.checked_sub(1) {
            self.jumps
                .push((u32::try_from(block).unwrap_or(u32::MAX), to));
        }
    }

    fn link(self, binary: &mut Binary) {
        for block in self.fallen_into {
            binary.blocks[block as usize - 1].next[0] = Some(block);
        }
        for (block, to) in self.jumps {
            binary.blocks[block as usize].next[1] = self.block_at.get(&to).copied();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_has_blocks_that_follow_one_another() {
        let path = std::path::PathBuf::from("/bin/sh");
        let binary = Binary::read(&path, u64::MAX).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert!(binary.blocks.len() > 1_000, "{}", binary.blocks.len());
        assert!(
            binary
                .blocks
                .windows(2)
                .all(|two| two[0].offset < two[1].offset)
        );
        let is_there = |block: &Block| bytes[block.offset as usize] == block.original;
        assert!(binary.blocks.iter().all(is_there));
        assert!(
            binary
                .blocks
                .iter()
                .all(|block| block.original != BREAKPOINT)
        );
        let forks = binary
            .blocks
            .iter()
            .filter(|block| block.next.iter().all(Option::is_some));
        assert!(forks.count() > 300);
    }
}
