//! `frame = { len = ... }`: a length in a header.

use super::bytes::{LiteralValue, hex};
use crate::file::value::{At, Int, Text};
use crate::file::{Context, Read};
use crate::talk::frame::{Digits, DigitsEnd, LenFrame, LengthBits, LengthCode, LengthScope, Radix};
use crate::talk::uint::Uint;

/// The largest header of a message, in bytes.
pub(super) const HEADER_BYTES_MAX: u64 = 4096;

/// Default number of digits of a hex length: git's.
const HEX_DIGITS: usize = 4;

/// The names of all lengths.
pub(super) const LENGTH_NAMES: [&str; 13] = {
    let mut names = [""; 13];
    let mut place = 0;
    while place < names.len() {
        names[place] = match place.checked_sub(Uint::NAMES.len()) {
            None => Uint::NAMES[place],
            Some(place) => LengthCode::NAMES[place],
        };
        place += 1;
    }
    names
};

/// The keys of a frame with a length.
pub(super) struct LenKeys {
    pub(super) place: At<()>,
    pub(super) len: Text,
    pub(super) at: usize,
    pub(super) header: Option<At<Int<1, HEADER_BYTES_MAX>>>,
    pub(super) includes_self: bool,
    pub(super) includes_header: bool,
    pub(super) fill: Option<Text>,
    pub(super) masked: Option<At<Int<1, { u64::MAX }>>>,
    pub(super) digits: Option<At<Int<1, 19>>>,
    pub(super) until: Option<At<LiteralValue>>,
    pub(super) after: Option<LiteralValue>,
    pub(super) trailer: usize,
}

impl LenKeys {
    pub(super) fn frame(mut self, context: &Context<'_>) -> Read<LenFrame> {
        let code = self.code(context)?;
        let between = self.bytes_between(&code)?;
        let field = code.fixed_size().unwrap_or(0);
        let fill = self.fill(self.at + field + between)?;
        Ok(LenFrame {
            bits: self.bits(&code, &fill)?,
            before: fill[..self.at].to_vec(),
            between: fill[self.at + field..].to_vec(),
            counts: match (self.includes_header, self.includes_self) {
                (true, _) => LengthScope::Whole,
                (false, true) => LengthScope::FromField,
                (false, false) => LengthScope::Body,
            },
            trailer: self.trailer,
            after: match self.after.take() {
                Some(after) => after.bytes(context)?,
                None => Vec::new(),
            },
            code,
        })
    }

    fn code(&mut self, context: &Context<'_>) -> Read<LengthCode> {
        let radix = match self.len.value.as_str() {
            "decimal" => Radix::Decimal,
            "hex" => Radix::Hex,
            other => {
                let code = match (other, Uint::from_name(other)) {
                    (_, Some(field)) => LengthCode::Binary(field),
                    ("varint", None) => LengthCode::Varint,
                    ("ber", None) => LengthCode::Ber,
                    _ => {
                        let message = format!("unknown type of length `{}`", other.escape_debug());
                        let help = format!("the types are {}", LENGTH_NAMES.join(", "));
                        return Err(self.len.fault(message).help(help));
                    }
                };
                let strays = [
                    self.until
                        .as_ref()
                        .map(|until| until.fault(only_digits("until"))),
                    self.digits
                        .as_ref()
                        .map(|digits| digits.fault(only_digits("digits"))),
                ];
                return match strays.into_iter().flatten().next() {
                    Some(stray) => Err(stray),
                    None => Ok(code),
                };
            }
        };
        let end = match (self.until.take(), &self.digits) {
            (Some(until), Some(_)) => {
                return Err(
                    until.fault("a length ends after `digits` or with `until`, not with both")
                );
            }
            (Some(until), None) => DigitsEnd::Until(end(until, radix, context)?),
            (None, Some(digits)) => DigitsEnd::Count(digits.value.size()),
            (None, None) if radix == Radix::Hex => DigitsEnd::Count(HEX_DIGITS),
            (None, None) => {
                let help = "write `until = \":\"` for what ends it, or `digits = 4` if it always has as many";
                return Err(self.len.fault("a decimal length needs an end").help(help));
            }
        };
        Ok(LengthCode::Digits(Digits { radix, end }))
    }

    /// Size of the header after its length.
    fn bytes_between(&self, code: &LengthCode) -> Read<usize> {
        let (field, Some(header)) = (code.fixed_size(), &self.header) else {
            return Ok(0);
        };
        let (at, size) = (self.at, header.value.size());
        let Some(field) = field else {
            let message = "`header` goes with a length of fixed size: this one ends the header";
            return Err(header.fault(message));
        };
        size.checked_sub(at + field).ok_or_else(|| {
            let message = format!("a {code} at {at} does not fit into a header of {size} bytes");
            self.place.fault(message)
        })
    }

    /// The bytes of the header in requests; those of a length of fixed size are among them.
    fn fill(&self, size: usize) -> Read<Vec<u8>> {
        let Some(digits) = &self.fill else {
            return Ok(vec![0; size]);
        };
        let fill = hex(digits)?;
        if fill.len() != size {
            let message = format!("`fill` has {} bytes, the header {size}", fill.len());
            return Err(digits.fault(message));
        }
        Ok(fill)
    }

    fn bits(&self, code: &LengthCode, fill: &[u8]) -> Read<Option<LengthBits>> {
        let Some(masked) = &self.masked else {
            return Ok(None);
        };
        let LengthCode::Binary(field) = code else {
            return Err(masked.fault("`masked` goes with a binary length, such as u8"));
        };
        let mask = masked.value.number();
        let run = mask >> mask.trailing_zeros();
        if mask > field.max() || run & run.wrapping_add(1) != 0 {
            let message = format!("`masked` is not a run of bits of a {field}");
            return Err(masked
                .fault(message)
                .help("for the lower seven bits write 0x7f"));
        }
        let others = field.get(&fill[self.at..]);
        Ok(Some(LengthBits { mask, others }))
    }
}

fn only_digits(key: &str) -> String {
    format!("`{key}` goes with a length in digits: len = \"decimal\" or \"hex\"")
}

/// The bytes that end a length in digits.
fn end(until: At<LiteralValue>, radix: Radix, context: &Context<'_>) -> Read<Vec<u8>> {
    let (at, until) = until.split();
    let bytes = until.bytes(context)?;
    match bytes.first() {
        None => Err(at.fault("`until` is empty: nothing would end the length")),
        Some(first) if radix.digit(*first).is_some() => {
            Err(at.fault("`until` begins with a digit, so the length would not end before it"))
        }
        Some(_) => Ok(bytes),
    }
}
