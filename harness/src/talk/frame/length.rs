//! How a length is written: binary, in base 128, as a BER length, or in digits.

use std::fmt;

use crate::talk::uint::Uint;
use crate::text::escape;
use crate::text::varint::{Scanned, put_ber, put_varint, scan_ber, scan_varint};

/// Maximum number of digits of a length.
const DIGITS_MAX: usize = 20;

/// How a length is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LengthCode {
    /// A binary integer of fixed width.
    Binary(Uint),
    /// Base 128, least significant group first (MQTT, protobuf, Minecraft).
    Varint,
    /// A BER length (LDAP, SNMP).
    Ber,
    /// ASCII digits.
    Digits(Digits),
}

/// A length in ASCII digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digits {
    /// The base.
    pub radix: Radix,
    /// Where the digits end.
    pub end: DigitsEnd,
}

/// The base of a length in digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Radix {
    /// Netstrings.
    Decimal,
    /// Git's pkt-lines. Written in lower case, read in both.
    Hex,
}

/// Where the digits of a length end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DigitsEnd {
    /// After this many, with leading zeros.
    Count(usize),
    /// With these bytes, which do not begin with a digit.
    Until(Vec<u8>),
}

impl LengthCode {
    /// The names in the file, beside those of [`Uint::NAMES`].
    pub(crate) const NAMES: [&str; 4] = ["varint", "ber", "decimal", "hex"];

    /// The largest number that can be written.
    pub fn max(&self) -> u64 {
        match self {
            Self::Binary(field) => field.max(),
            Self::Varint | Self::Ber => u64::MAX,
            Self::Digits(digits) => digits.max(),
        }
    }

    /// The size of every length of this kind, in bytes; `None` if it varies.
    pub fn fixed_size(&self) -> Option<usize> {
        match self {
            Self::Binary(field) => Some(field.width),
            Self::Digits(digits) => match digits.end {
                DigitsEnd::Count(count) => Some(count),
                DigitsEnd::Until(_) => None,
            },
            Self::Varint | Self::Ber => None,
        }
    }

    /// Appends a number. One beyond the maximum is written as the maximum.
    pub fn put(&self, number: u64, out: &mut Vec<u8>) {
        let number = number.min(self.max());
        match self {
            Self::Binary(field) => out.extend(field.bytes(number)),
            Self::Varint => put_varint(number, out),
            Self::Ber => put_ber(number, out),
            Self::Digits(digits) => digits.put(number, out),
        }
    }

    /// Reads the number at the start of `bytes`.
    pub(crate) fn scan(&self, bytes: &[u8]) -> Scanned {
        match self {
            Self::Binary(field) if bytes.len() >= field.width => {
                Scanned::Number(field.get(bytes), field.width)
            }
            Self::Binary(_) => Scanned::Partial,
            Self::Varint => scan_varint(bytes),
            Self::Ber => scan_ber(bytes),
            Self::Digits(digits) => digits.scan(bytes),
        }
    }
}

impl fmt::Display for LengthCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Binary(field) => field.fmt(f),
            Self::Varint => f.write_str("varint"),
            Self::Ber => f.write_str("ber"),
            Self::Digits(digits) => {
                f.write_str(match digits.radix {
                    Radix::Decimal => "decimal",
                    Radix::Hex => "hex",
                })?;
                match &digits.end {
                    DigitsEnd::Count(count) => write!(f, " of {count} digits"),
                    DigitsEnd::Until(end) => write!(f, " until \"{}\"", escape(end, 20)),
                }
            }
        }
    }
}

impl Radix {
    fn base(self) -> u32 {
        match self {
            Self::Decimal => 10,
            Self::Hex => 16,
        }
    }

    /// The value of a digit.
    pub(crate) fn digit(self, byte: u8) -> Option<u32> {
        char::from(byte).to_digit(self.base())
    }
}

impl Digits {
    fn max(&self) -> u64 {
        match self.end {
            DigitsEnd::Count(count) => {
                let count = u32::try_from(count).unwrap_or(u32::MAX);
                let beyond = u64::from(self.radix.base()).checked_pow(count);
                beyond.map_or(u64::MAX, |beyond| beyond - 1)
            }
            DigitsEnd::Until(_) => u64::MAX,
        }
    }

    fn put(&self, number: u64, out: &mut Vec<u8>) {
        let width = match self.end {
            DigitsEnd::Count(count) => count,
            DigitsEnd::Until(_) => 0,
        };
        let text = match self.radix {
            Radix::Decimal => format!("{number:0width$}"),
            Radix::Hex => format!("{number:0width$x}"),
        };
        out.extend_from_slice(text.as_bytes());
        if let DigitsEnd::Until(end) = &self.end {
            out.extend_from_slice(end);
        }
    }

    /// Reads the digits and their end. What exceeds 64 bits saturates.
    fn scan(&self, bytes: &[u8]) -> Scanned {
        let most = match self.end {
            DigitsEnd::Count(count) => count,
            DigitsEnd::Until(_) => DIGITS_MAX + 1,
        };
        let digits = bytes.iter().take(most);
        let digits = digits.map_while(|byte| self.radix.digit(*byte));
        let add = |(number, count): (u64, usize), digit: u32| {
            let number = number.saturating_mul(u64::from(self.radix.base()));
            (number.saturating_add(u64::from(digit)), count + 1)
        };
        let (number, count) = digits.fold((0, 0), add);
        let rest = &bytes[count..];
        match &self.end {
            DigitsEnd::Count(wanted) if count == *wanted => Scanned::Number(number, count),
            DigitsEnd::Count(_) if rest.is_empty() => Scanned::Partial,
            DigitsEnd::Until(_) if count > DIGITS_MAX => Scanned::Wrong("a length does not end"),
            DigitsEnd::Until(end) if count > 0 && rest.starts_with(end) => {
                Scanned::Number(number, count + end.len())
            }
            DigitsEnd::Until(end) if end.starts_with(rest) && (count > 0 || rest.is_empty()) => {
                Scanned::Partial
            }
            DigitsEnd::Count(_) | DigitsEnd::Until(_) => {
                Scanned::Wrong("a length that does not consist of digits")
            }
        }
    }
}
