//! The constants of a basic block that a client may have to send: numbers that are compared, pieces of text that are
//! compared as numbers, and constants that the code refers to.

use iced_x86::{Instruction, Mnemonic, OpKind, Register};

use super::elf::Image;

/// Bytes of a word.
const BYTES_MAX: usize = 64;
/// Maximum comparisons that are taken for parts of one text.
const COMPARED_MAX: usize = 128;
/// Minimum bytes of a text that the code refers to.
const TEXT_MIN: usize = 2;
/// Numbers that small are counters and flags, not text.
const NUMBER_MIN: u64 = 0x20;

/// What the current block was seen to use.
#[derive(Debug, Default)]
pub(super) struct Constants {
    /// Those of the blocks before, as long as each compares something and falls into the next: a text is often compared byte
    /// by byte.
    before: Vec<Compared>,
    /// Compared numbers, with the place in memory that they are compared with if that is known.
    compared: Vec<Compared>,
    /// Registers that were loaded from memory, for comparisons that follow.
    loaded: Vec<(Register, Place)>,
    /// Numbers that were loaded: parts of long texts.
    numbers: Vec<(Register, u64, usize)>,
    /// Addresses of constants.
    addresses: Vec<u64>,
    /// Small numbers passed to a call, such as the length of a text.
    lengths: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    base: u32,
    displacement: i64,
}

#[derive(Debug, Clone)]
struct Compared {
    place: Option<Place>,
    bytes: Vec<u8>,
}

impl Constants {
    /// Takes in an instruction of the block.
    pub(super) fn see(&mut self, instruction: &Instruction) {
        if instruction.is_ip_rel_memory_operand() {
            self.addresses.push(instruction.ip_rel_memory_address());
        }
        match instruction.mnemonic() {
            Mnemonic::Cmp | Mnemonic::Xor | Mnemonic::Sub | Mnemonic::Test => {
                self.compare(instruction)
            }
            Mnemonic::Mov | Mnemonic::Movzx | Mnemonic::Movsx | Mnemonic::Movbe => {
                self.load(instruction);
            }
            _ => {}
        }
    }

    fn compare(&mut self, instruction: &Instruction) {
        let width = width(instruction);
        if let Some(number) = immediate(instruction, 1) {
            let place = match instruction.op0_kind() {
                OpKind::Memory => place(instruction),
                OpKind::Register => self.place_of(instruction.op0_register()),
                _ => None,
            };
            if place.is_some() || number >= NUMBER_MIN {
                self.compared.push(Compared {
                    place,
                    bytes: number.to_le_bytes()[..width].to_vec(),
                });
            }
            return;
        }
        // A long number is loaded first, then compared.
        for operand in 0..2 {
            if instruction.op_kind(operand) != OpKind::Register {
                continue;
            }
            let register = instruction.op_register(operand).full_register();
            let known = self.numbers.iter().rev().find(|(of, ..)| *of == register);
            let Some((_, number, bytes)) = known.copied() else {
                continue;
            };
            let place = match instruction.op_kind(1 - operand) {
                OpKind::Memory => place(instruction),
                OpKind::Register => self.place_of(instruction.op_register(1 - operand)),
                _ => None,
            };
            let bytes = number.to_le_bytes()[..bytes].to_vec();
            self.compared.push(Compared { place, bytes });
        }
    }

    fn place_of(&self, register: Register) -> Option<Place> {
        let full = register.full_register();
        let loaded = self.loaded.iter().rev().find(|(of, _)| *of == full);
        loaded.map(|(_, place)| *place)
    }

    fn load(&mut self, instruction: &Instruction) {
        if instruction.op0_kind() != OpKind::Register {
            return;
        }
        let register = instruction.op0_register().full_register();
        self.loaded.retain(|(of, _)| *of != register);
        if instruction.op1_kind() == OpKind::Memory {
            if let Some(place) = place(instruction) {
                self.loaded.push((register, place));
            }
        } else if let Some(number) = immediate(instruction, 1) {
            let bytes = instruction.op0_register().size().min(8);
            if number > 0xffff {
                self.numbers.push((register, number, bytes));
            } else if (TEXT_MIN as u64..=BYTES_MAX as u64).contains(&number) {
                self.lengths.push(number as usize);
            }
        }
    }

    /// Whether the block compares places in memory with constants.
    pub(super) fn compares(&self) -> bool {
        self.compared.iter().any(|one| one.place.is_some())
    }

    /// The texts that the blocks since the last call compare together, without the block that ends now.
    pub(super) fn texts(&mut self) -> Vec<Vec<u8>> {
        let mut texts = joined(&std::mem::take(&mut self.before));
        texts.iter_mut().for_each(|text| *text = trimmed(text));
        texts.retain(|text| text.len() >= TEXT_MIN);
        texts
    }

    /// The words of the block, which ends here.
    pub(super) fn take(&mut self, image: &Image<'_>) -> Vec<Vec<u8>> {
        let seen = std::mem::take(self);
        let mut words = joined(&seen.compared);
        // The last part of a text may be compared in a wider register.
        words.extend(joined(&seen.compared).iter().map(|word| trimmed(word)));
        words.extend(seen.compared.iter().map(|one| trimmed(&one.bytes)));
        self.before = seen.before;
        if self.before.len() < COMPARED_MAX {
            self.before.extend(seen.compared.iter().cloned());
        }
        // A long number that is not compared here is compared in another way, such as in a vector.
        words.extend(seen.numbers.iter().filter_map(|(_, number, bytes)| {
            let bytes = number.to_le_bytes()[..*bytes].to_vec();
            bytes.iter().all(|byte| is_text(*byte)).then_some(bytes)
        }));
        for at in &seen.addresses {
            if let Some(bytes) = image.constant(*at) {
                texts(bytes, &seen.lengths, &mut words);
            }
        }
        words.retain(|word| !word.is_empty());
        words.sort_unstable();
        words.dedup();
        words
    }
}

/// The text at the beginning of these bytes, with each of the lengths and up to its end.
fn texts(bytes: &[u8], lengths: &[usize], words: &mut Vec<Vec<u8>>) {
    let run = bytes.iter().take_while(|byte| is_text(**byte)).count();
    for length in lengths.iter().filter(|length| **length <= run) {
        words.push(bytes[..*length].to_vec());
    }
    if (TEXT_MIN..=BYTES_MAX).contains(&run) {
        words.push(bytes[..run].to_vec());
    }
    // Constants of vectors are 16 bytes long, among others.
    if run > 16 && lengths.is_empty() {
        words.push(bytes[..16].to_vec());
    }
}

/// Numbers that are compared with neighbouring places in memory are one text.
fn joined(compared: &[Compared]) -> Vec<Vec<u8>> {
    let mut placed: Vec<(Place, &[u8])> = compared
        .iter()
        .filter_map(|one| Some((one.place?, one.bytes.as_slice())))
        .collect();
    placed.sort_by_key(|(place, _)| *place);
    let mut words = Vec::new();
    let mut current: Option<(Place, Vec<u8>)> = None;
    for (place, bytes) in placed {
        if let Some((start, word)) = &mut current {
            let at = place.displacement - start.displacement;
            let fits = start.base == place.base && (0..=word.len() as i64).contains(&at);
            if fits && word.len() + bytes.len() <= BYTES_MAX {
                word.truncate(at as usize);
                word.extend_from_slice(bytes);
                continue;
            }
        }
        words.extend(
            current
                .replace((place, bytes.to_vec()))
                .map(|(_, word)| word),
        );
    }
    words.extend(current.map(|(_, word)| word));
    words
}

/// A number without the zeros that its type adds.
fn trimmed(bytes: &[u8]) -> Vec<u8> {
    let end = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(1, |last| last + 1);
    bytes[..end].to_vec()
}

fn is_text(byte: u8) -> bool {
    byte.is_ascii_graphic() || b" \t\r\n".contains(&byte)
}

/// The bytes that a comparison compares.
fn width(instruction: &Instruction) -> usize {
    let bytes = match instruction.op0_kind() {
        OpKind::Register => instruction.op0_register().size(),
        _ => instruction.memory_size().size(),
    };
    bytes.clamp(1, 8)
}

fn immediate(instruction: &Instruction, operand: u32) -> Option<u64> {
    match instruction.op_kind(operand) {
        OpKind::Immediate8
        | OpKind::Immediate16
        | OpKind::Immediate32
        | OpKind::Immediate64
        | OpKind::Immediate8to16
        | OpKind::Immediate8to32
        | OpKind::Immediate8to64
        | OpKind::Immediate32to64 => Some(instruction.immediate(operand)),
        _ => None,
    }
}

/// The place in memory that an instruction reads, unless it is a variable of the function.
fn place(instruction: &Instruction) -> Option<Place> {
    let base = instruction.memory_base();
    if matches!(base, Register::None | Register::RIP) {
        return None;
    }
    Some(Place {
        base: base as u32 * 256 + instruction.memory_index() as u32,
        displacement: instruction.memory_displacement64().cast_signed(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use iced_x86::{Decoder, DecoderOptions};

    fn words(code: &[u8]) -> Vec<Vec<u8>> {
        let mut constants = Constants::default();
        for instruction in &mut Decoder::with_ip(64, code, 0x1000, DecoderOptions::NONE) {
            assert!(!instruction.is_invalid());
            constants.see(&instruction);
        }
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        constants.take(&Image::parse(&own).unwrap())
    }

    #[test]
    fn text_that_is_compared_in_pieces() {
        // cmp dword [rdi], "abcd"; cmp word [rdi+4], "ef"
        let compared = b"\x81\x3fabcd\x66\x81\x7f\x04ef";
        assert!(words(compared).contains(&b"abcdef".to_vec()));
        // mov eax, [rdi]; xor eax, "abcd"; mov ecx, [rdi+3]; xor ecx, "defg"
        let overlapping = b"\x8b\x07\x35abcd\x8b\x4f\x03\x81\xf1defg";
        assert!(words(overlapping).contains(&b"abcdefg".to_vec()));
        // movabs rcx, "abcdefgh"; mov rax, [rdi]; xor rax, rcx; movzx ecx, word [rdi+8]; xor rcx, "ij"
        let wide = b"\x48\xb9abcdefgh\x48\x8b\x07\x48\x31\xc8\x0f\xb7\x4f\x08\x48\x81\xf1ij\0\0";
        assert!(words(wide).contains(&b"abcdefghij".to_vec()));
        // movabs rax, "abcdefgh"; cmp [rdi], rax
        let long = b"\x48\xb8abcdefgh\x48\x39\x07";
        assert!(words(long).contains(&b"abcdefgh".to_vec()));
    }

    #[test]
    fn text_that_is_compared_byte_by_byte() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let image = Image::parse(&own).unwrap();
        let mut constants = Constants::default();
        // cmp byte [rdi], 'q'; cmp byte [rdi+1], 'z'; cmp byte [rdi+2], '7'
        let blocks = [&b"\x80\x3fq"[..], b"\x80\x7f\x01z", b"\x80\x7f\x027"];
        for block in blocks {
            for instruction in &mut Decoder::with_ip(64, block, 0x1000, DecoderOptions::NONE) {
                constants.see(&instruction);
            }
            assert!(constants.compares());
            constants.take(&image);
        }
        assert_eq!(constants.texts(), [b"qz7".to_vec()]);
        assert!(constants.texts().is_empty() && !constants.compares());
    }

    #[test]
    fn a_byte_is_a_word_and_a_counter_is_none() {
        // cmp al, 'K'; cmp ecx, 3
        assert_eq!(words(b"\x3cK\x83\xf9\x03"), [b"K".to_vec()]);
    }

    #[test]
    fn lengths_cut_texts_that_follow_one_another() {
        let mut found = Vec::new();
        texts(b"firstsecond\0x", &[5, 20], &mut found);
        assert_eq!(found, [b"first".to_vec(), b"firstsecond".to_vec()]);
    }
}
