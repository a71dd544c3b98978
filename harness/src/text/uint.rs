//! Binary length fields: `u8`, `u16be`, `u24le` and so on.

use std::fmt;

/// Width and byte order of an unsigned integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uint {
    /// In bytes: 1, 2, 3, 4 or 8.
    pub width: usize,
    /// Whether the most significant byte comes first.
    pub big_endian: bool,
}

impl Uint {
    pub(crate) const NAMES: [&str; 9] = [
        "u8", "u16be", "u16le", "u24be", "u24le", "u32be", "u32le", "u64be", "u64le",
    ];

    /// Finds a field by name.
    pub fn from_name(name: &str) -> Option<Self> {
        if !Self::NAMES.contains(&name) {
            return None;
        }
        let width = match name.get(1..3).unwrap_or("8") {
            "16" => 2,
            "24" => 3,
            "32" => 4,
            "64" => 8,
            _ => 1,
        };
        Some(Self {
            width,
            big_endian: width == 1 || name.ends_with("be"),
        })
    }

    /// The largest number that fits.
    pub fn max(self) -> u64 {
        u64::MAX >> (64 - 8 * self.width)
    }

    /// Writes the low bytes of `number` to the start of `field`.
    pub fn put(self, number: u64, field: &mut [u8]) {
        for (place, byte) in field.iter_mut().zip(self.bytes(number)) {
            *place = byte;
        }
    }

    /// The low bytes of `number`, in this byte order.
    pub fn bytes(self, number: u64) -> impl Iterator<Item = u8> {
        (0..self.width).map(move |index| {
            let place = if self.big_endian {
                self.width - 1 - index
            } else {
                index
            };
            (number >> (8 * place)) as u8
        })
    }

    /// Reads the number at the start of `field`. Missing bytes count as zero.
    pub fn get(self, field: &[u8]) -> u64 {
        let bytes = field.iter().take(self.width).map(|byte| u64::from(*byte));
        if self.big_endian {
            bytes.fold(0, |number, byte| number << 8 | byte)
        } else {
            bytes
                .enumerate()
                .fold(0, |number, (place, byte)| number | byte << (8 * place))
        }
    }
}

impl fmt::Display for Uint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = match (self.width, self.big_endian) {
            (1, _) => "",
            (_, true) => "be",
            (_, false) => "le",
        };
        write!(f, "u{}{order}", 8 * self.width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_round_trip() {
        for name in Uint::NAMES {
            let uint = Uint::from_name(name).unwrap();
            assert_eq!(uint.to_string(), name);
            for number in [0, 1, 0x7f, uint.max() / 3, uint.max()] {
                let bytes: Vec<u8> = uint.bytes(number).collect();
                assert_eq!(bytes.len(), uint.width);
                assert_eq!(uint.get(&bytes), number, "{name}");
            }
        }
        assert_eq!(Uint::from_name("u16"), None);
        let wide = Uint::from_name("u32be").unwrap();
        assert_eq!(wide.bytes(258).collect::<Vec<_>>(), [0, 0, 1, 2]);
    }
}
